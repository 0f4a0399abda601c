import WasmInterpreter
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdStorage
import WasmdWasmiot

extension Supervisor {
    /// Fetches the modules of a node and their data files, and puts the deployment in place of one
    /// with the same id; durable when the function returns.
    ///
    /// A binary that is no valid module, or imports what the device has not, is taken; its runs
    /// fail, and `Deployment.warnings` says why.
    ///
    /// - Throws: `SupervisorError`.
    @discardableResult
    public func deploy(_ node: DeploymentNode, on loop: EventLoop) async throws -> Deployment {
        try check(node)
        let size: NodeSize
        do throws(BSONError) {
            size = try NodeSize(node)
        } catch {
            // A name with a zero byte, or an integer beyond 64 bits.
            throw SupervisorError.node(DocumentFault("", expected: "what can be stored: \(error)"))
        }
        try reserve(size, for: node.deployment)
        defer { release(size) }
        let client = try tools(loop).client
        var modules: [DeployedModule] = []
        var failures: [String] = []
        // Kept until the deployment references them.
        var pins: [BlobPin] = []
        var warnings: [String] = []
        for module in node.modules {
            guard
                let binary = await fetch(
                    module.binary, limit: options.moduleLimit, client, &failures)
            else { continue }
            var files: [StoredFile] = []
            for entry in module.other.entries {
                guard
                    let bytes = await fetch(
                        entry.value, limit: options.fileLimit, client, &failures)
                else { continue }
                let pin = try await store(bytes, on: loop)
                pins.append(pin)
                files.append(StoredFile(name: entry.name, digest: pin.digest, size: bytes.count))
            }
            let pin = try await store(binary, on: loop)
            pins.append(pin)
            modules.append(
                DeployedModule(node, module.name, pin.digest, files, options))
            // So that the first run need not wait. A module that is refused is remembered as such.
            do {
                let cached = try await cache.module(binary, on: loop)
                do throws(LinkError) {
                    _ = try skills.imports.linker().prepare(cached.module)
                } catch {
                    warnings += error.failures.map { "module '\(module.name)': \($0)" }
                }
            } catch {
                warnings.append("module '\(module.name)': \(error)")
            }
        }
        guard failures.isEmpty else { throw SupervisorError.fetching(failures) }
        warnings += Self.missingFiles(node, modules)
        let deployment = Deployment(node, modules, size, warnings: warnings)
        do {
            try await DeploymentRecords.put(deployment, in: store, on: loop)
        } catch let error as StorageError {
            throw SupervisorError.storage(error)
        }
        withExtendedLifetime(pins) {}
        put(deployment)
        return deployment
    }

    /// Missing files that a warning names.
    private static let missingLimit = 1000

    /// Files of deployment mounts that were not sent, and that no init function makes.
    private static func missingFiles(
        _ node: DeploymentNode, _ modules: [DeployedModule]
    ) -> [String] {
        var missing: [String] = []
        for module in modules {
            guard let functions = node.mounts[module.name],
                functions["_wasmiot_init"] == nil
            else { continue }
            let names = Set(module.files.map { Name($0.name) })
            for function in functions.entries {
                for mount in function.value.deployment where !names.contains(Name(mount.path)) {
                    guard missing.count < Self.missingLimit else { return missing }
                    missing.append(
                        "module '\(module.name)': the file '\(mount.path)' of function "
                            + "'\(function.name)' is missing")
                }
            }
        }
        return missing
    }

    private func store(_ bytes: [UInt8], on loop: EventLoop) async throws -> BlobPin {
        let blobs = store.blobs
        do {
            return try await loop.blocking { try blobs.put(bytes) }
        } catch let error as StorageError {
            throw SupervisorError.storage(error)
        }
    }

    private func check(_ node: DeploymentNode) throws(SupervisorError) {
        func safe(_ name: String, _ place: @autoclosure () -> String) throws(SupervisorError) {
            guard MountName.isSafe(name) else {
                throw .node(
                    DocumentFault(
                        place(), expected: "a name of 1 to 255 bytes without '/', not '.' or '..'"))
            }
        }
        try safe(node.deployment, "deploymentId")
        guard node.modules.count <= options.moduleCountLimit else {
            throw .tooMany("a deployment may have \(options.moduleCountLimit) modules")
        }
        if deployment(node.deployment) == nil, deploymentCount >= options.deploymentLimit {
            throw .tooMany("there are \(options.deploymentLimit) deployments, the limit")
        }
        var names: Set<Name> = []
        for (index, module) in node.modules.enumerated() {
            try safe(module.name, "modules[\(index)].name")
            guard names.insert(Name(module.name)).inserted else {
                throw .node(
                    DocumentFault(
                        "modules[\(index)].name", expected: "a name that no other module has"))
            }
            for entry in module.other.entries {
                try safe(entry.name, "modules[\(index)].urls.other")
            }
        }
        for module in node.mounts.entries {
            for function in module.value.entries {
                for stage in MountStage.allCases {
                    for mount in function.value[stage] {
                        try safe(mount.path, "mounts.\(module.name).\(function.name)")
                    }
                }
            }
        }
    }

    /// The bytes of a URL; nil if it cannot be had, with the reason among `failures`.
    private func fetch(
        _ text: String, limit: Int, _ client: HTTPClient, _ failures: inout [String]
    ) async -> [UInt8]? {
        guard let url = URL(Array(text.utf8)) else {
            failures.append("'\(text.prefix(200))' is no URL")
            return nil
        }
        do {
            var request = ClientRequest(.get, url)
            request.deadline = .after(options.fetchTime)
            let response = try await client.send(request)
            guard response.status.code == 200 else {
                response.close()
                failures.append("\(text.prefix(200)): status \(response.status.code)")
                return nil
            }
            return try await response.body(limit: limit)
        } catch {
            failures.append("\(text.prefix(200)): \(error)")
            return nil
        }
    }
}
