import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdStorage
import WasmdWasmiot

extension Supervisor {
    /// Calls the function in the instance of its module, in a task of the instance's home.
    ///
    /// - Throws: `RunFault`.
    func execute(_ call: RunCall, on home: EventLoop) async throws -> RunOutput {
        guard let endpoint = call.endpoint else { throw RunFault.noFunction(call.function) }
        let module = call.module
        let cached = try await compiled(module, on: home)
        let name = Name(call.function)
        guard let export = cached.module.export(name),
            let type = cached.module.functionType(of: cached.module.type(of: export))
        else { throw RunFault.noFunction(call.function) }
        let arguments = try ArgumentReading.values(call.arguments, endpoint.parameters, type)
        try check(call)
        guard arguments.count == type.parameters.count else {
            throw RunFault.argumentCount(given: arguments.count, expected: type.parameters.count)
        }
        let output = try outputMount(endpoint, call.mounts)
        let tools = try tools(home)
        let kept = try await instance(module, cached, tools, on: home)
        var request = RunRequest(kept.guest, digest: module.digest, module: module.scope)
        request.world = world(module)
        request.kept = kept
        request.function = name
        request.limits = options.limits
        request.caller = call.caller
        request.account = call.account
        request.logsErrors = false
        let context = SkillContext(skills, module.streams, tools.client)
        request.prepareStore = { $0[SkillContext.key] = context }
        var made: RunOutput?
        request.body = { calls in
            for file in call.files {
                try module.folder.write(file.bytes, to: Array(file.name.utf8))
            }
            // Files of a request are there for its own run only.
            defer {
                for file in call.files { try? module.folder.remove(Array(file.name.utf8)) }
            }
            guard let function = calls.instance.function(name) else {
                throw RunFault.noFunction(call.function)
            }
            let values = try await calls.call(function, arguments)
            made = RunOutput(
                value: output == nil
                    ? ArgumentReading.text(values, isBoolean: endpoint.response.type == "boolean")
                    : nil,
                files: try self.outputFiles(call, output))
            if self.options.state == .always { made?.state = try kept.snapshot()?.encoded() }
            return values
        }
        let result = await runs.run(request, on: tools.guests)
        // An instance that did not start is made anew; so is one whose store holds what failed.
        if kept.instance == nil { module.kept = nil }
        try Self.check(result)
        guard let made else { throw RunFault.guest("\(result.outcome)") }
        return made
    }

    private static func check(_ result: RunResult) throws(RunFault) {
        switch result.outcome {
        case .returned, .exited(0): return
        default: break
        }
        if let fault = result.error as? RunFault { throw fault }
        if let error = result.error as? LinkError { throw .module("\(error)") }
        if let trap = result.outcome.trap {
            let reason = "\(result.outcome)"
            throw .guest(trap.frames.isEmpty ? reason : "\(reason)\n\(trap)")
        }
        throw .guest(result.refusal.map { "\($0)" } ?? "\(result.outcome)")
    }

    // MARK: Before the run

    private func compiled(
        _ module: DeployedModule, on loop: EventLoop
    ) async throws -> CachedModule {
        if let known = module.cached { return known }
        let store = store
        let digest = module.digest
        let limit = options.moduleLimit
        do {
            let cached = try await cache.module(digest, on: loop) {
                ModuleBytes(try store.blobs.get(digest, limit: limit))
            }
            module.cached = cached
            return cached
        } catch let error as ModuleError {
            throw RunFault.module("\(error)")
        } catch let error as ModuleCacheError {
            throw RunFault.module("\(error)")
        } catch let error as StorageError {
            throw RunFault.server("the stored module cannot be read: \(error)")
        }
    }

    private func check(_ call: RunCall) throws(RunFault) {
        let mounts = call.mounts
        func has(_ list: [Mount], _ name: String) -> Bool {
            list.contains { $0.path.utf8.elementsEqual(name.utf8) }
        }
        for file in call.files where !has(mounts.execution, file.name) {
            throw .unexpectedFile(file.name)
        }
        let missing = mounts.execution.filter { mount in
            !call.files.contains { $0.name.utf8.elementsEqual(mount.path.utf8) }
        }
        guard missing.isEmpty else { throw .filesMissing(missing.map(\.path)) }
        for mount in mounts.deployment {
            let isThere = call.module.files.contains {
                $0.name.utf8.elementsEqual(mount.path.utf8)
            }
            if !isThere { throw .fileMissing(mount.path) }
        }
    }

    /// The mount whose file is the result; nil if the result is a value.
    private func outputMount(
        _ endpoint: Endpoint, _ mounts: FunctionMounts
    ) throws(RunFault) -> Mount? {
        let type = endpoint.response.mediaType
        if type == "application/json", endpoint.response.schema["format"] == nil { return nil }
        let fitting = mounts.output.filter { $0.mediaType == type }
        let all = fitting.isEmpty ? mounts.output : fitting
        guard all.count == 1, let mount = all.first else { throw .outputCount(type) }
        return mount
    }

    private func world(_ module: DeployedModule) -> WASI {
        var world = WASI(arguments: [module.name])
        world.standardInput = .null
        world.standardOutput = .stream(module.streams.output)
        world.standardError = .stream(module.streams.error)
        world.folders = [.init(module.folder, guestPath: ".")]
        return world
    }

    /// The module's instance, which the first run makes.
    private func instance(
        _ module: DeployedModule, _ cached: CachedModule, _ tools: LoopTools, on loop: EventLoop
    ) async throws -> KeptInstance {
        if let kept = module.kept { return kept }
        let world = world(module)
        let guest: PreparedGuest
        do {
            guest = try await cached.prepared(imports: skills.imports, in: world, on: loop)
        } catch let error as LinkError {
            throw RunFault.module("\(error)")
        }
        let store = store
        if !module.hasFiles {
            for file in module.files {
                let bytes = try await loop.blocking { try store.blobs.get(file.digest) }
                try module.folder.write(bytes, to: Array(file.name.utf8))
            }
            module.hasFiles = true
        }
        var saved: WasmInterpreter.Snapshot?
        if options.state != .never {
            let key = RecordKey.state(module)
            let wasm = cached.module
            let bytes = try await loop.blocking { () throws -> [UInt8]? in
                guard let record = try store.getBlocking(key),
                    let document = try? BSON.read(record.value)
                else { return nil }
                return try StoredBytes.read(document, store)
            }
            if let bytes {
                saved = try await loop.blocking {
                    try WasmInterpreter.Snapshot(decoding: bytes, for: wasm)
                }
            }
        }
        // Another run may have made it meanwhile.
        if let kept = module.kept { return kept }
        let kept = KeptInstance(guest, options.limits, saved: saved)
        module.kept = kept
        return kept
    }

    // MARK: After the run

    /// The files of output mounts that exist, the result first.
    ///
    /// - Throws: `.outputMissing` if that of the result does not.
    private func outputFiles(
        _ call: RunCall, _ result: Mount?
    ) throws(RunFault) -> [RunOutput.File] {
        var files: [RunOutput.File] = []
        for mount in call.mounts.output {
            let isResult = mount == result
            guard let bytes = try? call.module.folder.read(Array(mount.path.utf8)) else {
                if isResult { throw .outputMissing(mount.path) }
                continue
            }
            files.insert(.init(mount: mount, bytes: bytes), at: isResult ? 0 : files.count)
        }
        return files
    }
}
