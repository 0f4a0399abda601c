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
    func execute(
        _ call: RunCall, _ ticket: RunTicket, on home: EventLoop
    ) async throws -> RunOutput {
        if let target = call.module.movedTo { return try await forward(call, to: target, on: home) }
        var attempts = 0
        while true {
            do {
                return try await executeHere(call, ticket, on: home)
            } catch RunFault.moved {
                guard let target = call.module.movedTo else { throw RunFault.moved }
                return try await forward(call, to: target, on: home)
            } catch RunFault.released {
                attempts += 1
                guard attempts < 10 else { throw RunFault.released }
            }
        }
    }

    private func executeHere(
        _ call: RunCall, _ ticket: RunTicket, on home: EventLoop
    ) async throws -> RunOutput {
        guard let endpoint = call.endpoint else { throw RunFault.noFunction(call.function) }
        let module = call.module
        let cached = try await compiled(module, on: home)
        let name = Name(call.function)
        guard let export = cached.module.export(name),
            let type = cached.module.functionType(of: cached.module.type(of: export))
        else { throw RunFault.noFunction(call.function) }
        let arguments = try ArgumentReading.arguments(call.arguments, endpoint.parameters, type)
        try check(call)
        let count = arguments.reduce(0) { $0 + $1.count }
        guard count == type.parameters.count else {
            throw RunFault.argumentCount(given: count, expected: type.parameters.count)
        }
        let outputs = try outputMounts(endpoint, call.mounts)
        let tools = try tools(home)
        let kept = try await instance(module, cached, tools, on: home)
        var request = RunRequest(kept.guest, digest: module.digest, module: module.scope)
        request.world = world(module)
        request.kept = kept
        request.function = name
        request.limits = limits(of: call)
        request.caller = call.caller
        request.trace = call.trace
        request.account = call.account
        request.logsErrors = false
        let context = SkillContext(skills, module.streams, tools.client)
        request.prepareStore = { $0[SkillContext.key] = context }
        var made: RunOutput?
        request.body = { calls in
            // While the run waited for its place, the instance may have moved or been released.
            if module.movedTo != nil { throw RunFault.moved }
            if module.kept !== kept, !module.isRetired { throw RunFault.released }
            try ticket.begin(calls.run)
            module.streams.begin { [self] in publish(lines(call, ticket.id, $0)) }
            defer {
                module.streams.end()
                ticket.endGuest()
            }
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
            let values = try await calls.call(
                function, try await GuestText.place(arguments, by: calls))
            var output = RunOutput(value: nil, files: try self.outputFiles(call, outputs))
            if outputs == nil {
                output.values = try GuestText.read(
                    values, endpoint.response, from: calls.instance)
                output.value = ArgumentReading.text(output.values)
            }
            if self.options.state == .always {
                output.state = try self.stateWithRun(call, kept)
            }
            made = output
            return values
        }
        let result = await runs.run(request, on: tools.guests)
        // An instance that did not start is made anew; so is one whose store holds what failed.
        if kept.instance == nil {
            if module.kept === kept { module.kept = nil }
        } else if module.kept === kept {
            used(module, kept)
        }
        if ticket.isCancelled, made == nil { throw RunFault.cancelled }
        try Self.check(result)
        guard let made else { throw RunFault.guest("\(result.outcome)") }
        return made
    }

    private func limits(of call: RunCall) -> RunLimits {
        var limits = options.limits
        if let time = call.time { limits.time = limits.time.map { min($0, time) } ?? time }
        if let fuel = call.fuel { limits.fuel = limits.fuel.map { min($0, fuel) } ?? fuel }
        return limits
    }

    /// The state that is saved with a run, for `Options.state == .always`.
    private func stateWithRun(
        _ call: RunCall, _ kept: KeptInstance
    ) throws(StateFault) -> RunOutput.NumberedState? {
        let module = call.module
        let taken: TakenState?
        do throws(StateFault) {
            taken = try module.takeState(
                isMoving: false, without: call.files.map { Array($0.name.utf8) })
        } catch {
            note(error, module)
            return nil
        }
        guard let taken else { return nil }
        module.saving.taken += 1
        return .init(
            state: taken, number: module.saving.taken, isLarge: kept.byteCount > 4 << 20)
    }

    private static func check(_ result: RunResult) throws(RunFault) {
        switch result.outcome {
        case .returned, .exited(0): return
        default: break
        }
        if let fault = result.error as? RunFault { throw fault }
        if let error = result.error as? LinkError { throw .module("\(error)") }
        if case .limit(let limit, _) = result.outcome {
            throw .limit(limit.name, Self.text(of: result))
        }
        throw .guest(Self.text(of: result))
    }

    private static func text(of result: RunResult) -> String {
        if let trap = result.outcome.trap {
            let reason = "\(result.outcome)"
            return trap.frames.isEmpty ? reason : "\(reason)\n\(trap)"
        }
        return result.refusal.map { "\($0)" } ?? "\(result.outcome)"
    }

    // MARK: Before the run

    func compiled(
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
        // What a module fetches or makes by itself is there when this function has run.
        if call.function.utf8.elementsEqual("_wasmiot_init".utf8) { return }
        for mount in mounts.deployment {
            let isDeployed = call.module.files.contains {
                $0.name.utf8.elementsEqual(mount.path.utf8)
            }
            guard !isDeployed else { continue }
            let path = Array(mount.path.utf8)
            guard call.module.folder.filePaths.contains(path) else {
                throw .fileMissing(mount.path)
            }
        }
    }

    /// The mounts whose files are the result; nil if the result is a value.
    ///
    /// An endpoint that returns `multipart/form-data` or `multipart/mixed` returns the files of all
    /// output mounts; others return one.
    private func outputMounts(
        _ endpoint: Endpoint, _ mounts: FunctionMounts
    ) throws(RunFault) -> [Mount]? {
        let type = endpoint.response.mediaType
        if type == "application/json", endpoint.response.schema["format"] == nil { return nil }
        if OutputType.isSeveral(type), !mounts.output.isEmpty {
            return mounts.output
        }
        let fitting = mounts.output.filter { $0.mediaType == type }
        let all = fitting.isEmpty ? mounts.output : fitting
        guard all.count == 1 else { throw .outputCount(type) }
        return all
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
        let number = module.saving.taken
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
                // Another run may have written all of them meanwhile, and its guest changed them.
                if module.hasFiles { break }
                try module.folder.write(bytes, to: Array(file.name.utf8))
            }
            module.hasFiles = true
        }
        let wasm = cached.module
        var state: InstanceState?
        var saved: Snapshot?
        if let bytes = try await storedState(of: module, on: loop),
            options.state != .never || module.saving.isStored
        {
            do throws(StateFault) {
                let read = try InstanceState(bytes)
                guard read.module == module.digest else { throw .otherModule }
                state = read
            } catch {
                throw RunFault.server("\(error)")
            }
            if let snapshot = state?.snapshot {
                saved = try await loop.blocking {
                    try Snapshot(decoding: snapshot, for: wasm)
                }
            }
        }
        // Another run may have made it meanwhile.
        if let kept = module.kept { return kept }
        // One that came from another device, or was evicted, while this one read an older state.
        guard module.saving.taken == number else { throw RunFault.released }
        let totals = instances.totals
        let (twice, isTooMuch) = options.instanceMemory.multipliedReportingOverflow(by: 2)
        guard totals.byteCount < (isTooMuch ? UInt64.max : twice) else {
            throw RunFault.limit(
                "instance_memory",
                "\(totals.count) instances take \(totals.byteCount) bytes, and none can be released"
            )
        }
        if let state { try module.restoreFiles(state) }
        let kept = KeptInstance(guest, options.limits, saved: saved)
        module.kept = kept
        return kept
    }

    // MARK: After the run

    /// The files of output mounts that exist, those of the result first.
    ///
    /// - Throws: `.outputMissing` if one of the result does not.
    private func outputFiles(
        _ call: RunCall, _ results: [Mount]?
    ) throws(RunFault) -> [RunOutput.File] {
        var files: [RunOutput.File] = []
        for mount in results ?? [] {
            guard let bytes = try? call.module.folder.read(Array(mount.path.utf8)) else {
                throw .outputMissing(mount.path)
            }
            files.append(.init(mount: mount, bytes: bytes, isResult: true))
        }
        for mount in call.mounts.output where !(results ?? []).contains(mount) {
            guard let bytes = try? call.module.folder.read(Array(mount.path.utf8)) else { continue }
            files.append(.init(mount: mount, bytes: bytes, isResult: false))
        }
        return files
    }
}
