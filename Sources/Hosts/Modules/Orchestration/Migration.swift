import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Moves the instance of a module from one device to another, with its state and without a lost run.
extension Orchestrator {
    /// Seconds for which a device lets runs wait.
    private static let holdTime = 30
    private static let stateLimit = 256 << 20

    private func fault(_ text: String) -> Failure {
        Failure(.internalServerError, right: .badGateway, "migration failed", text)
    }

    /// - Parameter body: `module`, `to`, and `from` if several devices have the module.
    /// - Returns: `{module, from, to, stateBytes}`.
    func migrate(
        _ entry: Collection.Entry, _ body: Document, on loop: EventLoop
    ) async throws -> Document {
        guard let text = body["module"]?.stringValue, let module = registry.first(text) else {
            throw Failure(.badRequest, "malformed request", "'module' must be a module")
        }
        guard let target = body["to"]?.stringValue.flatMap({ devices.find($0) }),
            !target.isOrchestrator
        else { throw Failure(.badRequest, "malformed request", "'to' must be a device") }
        let wanted = body["from"]?.stringValue.flatMap { devices.find($0)?.id.description }
        let before = entry.document
        var sequence = before["sequence"]?.arrayValue ?? []
        var sources: Set<String> = []
        for index in sequence.indices
        where sequence[index]["module"]?.stringValue == module.id.description {
            guard let device = sequence[index]["device"]?.stringValue,
                wanted == nil || device == wanted, device != target.id.description
            else { continue }
            sources.insert(device)
            sequence[index].set("device", .string(target.id.description))
        }
        guard let text = sources.first, sources.count == 1,
            let source = ObjectID(text).flatMap({ devices[$0] })
        else {
            throw Failure(
                .badRequest, right: .conflict, "malformed request",
                sources.isEmpty
                    ? "no other device has the module '\(module.name)' in this deployment"
                    : "several devices have the module '\(module.name)': say 'from'")
        }
        guard before["active"] == .boolean(true) else {
            throw Failure(.conflict, "the deployment is not active", "deploy it first")
        }
        var manifest = Document.object([
            .init("name", .string(entry.name ?? "")), .init("sequence", .array(sequence)),
        ])
        if let workflow = before["workflow"] { manifest.set("workflow", workflow) }
        let solution: Solution
        do {
            solution = try await solve(try Self.manifest(manifest), entry.id, on: loop)
        } catch let fault as SolutionFault {
            throw Failure(
                .internalServerError, right: .conflict, "migration failed", "\(fault)")
        }
        let size = try await move(
            module.name, of: entry, from: source, to: target, solution, on: loop)
        let updated = try await deployments.update(entry.id, on: loop) { document in
            document.set("fullManifest", solution.fullManifest)
            document.set("sequence", solution.sequence)
            document.set(
                "goalDeployment",
                .array(solution.steps.map { .string($0.device.id.description) }))
            return .none
        }
        guard updated != nil else { throw Failure(.notFound, "the deployment is gone") }
        await tellOthers(solution, before, target, source, on: loop)
        return .object([
            .init("module", .string(module.name)), .init("from", .string(source.id.description)),
            .init("to", .string(target.id.description)),
            .init("stateBytes", .integer(Int64(size))),
        ])
    }

    /// Moves the state; runs wait meanwhile. What fails leaves everything as it was.
    ///
    /// - Returns: bytes of the state.
    private func move(
        _ module: String, of entry: Collection.Entry, from source: Device, to target: Device,
        _ solution: Solution, on loop: EventLoop
    ) async throws -> Int {
        let id = entry.id.description
        guard let node = solution.nodes.first(where: { $0.device == target.id })?.node,
            let sourceURL = source.url, let targetURL = target.url
        else { throw fault("the device has no address") }
        let wasThere = entry.document["fullManifest"]?[target.id.description] != nil
        let path = "/deploy/\(id)/modules/\(URLText.segment(module))"
        // Other modules of the target keep their state.
        try await deployKeepingState(node, to: target, isNew: !wasThere, on: loop)
        do {
            let state = try await takeState(sourceURL + path, on: loop)
            if let state { try await giveState(state, to: targetURL + path, on: loop) }
            let answer = try await client(loop, options.callTimeout).post(
                "\(sourceURL)\(path)/release", json: .object([.init("to", .string(targetURL))]))
            guard answer.status.code < 400 else {
                throw fault("device '\(source.name)' answered \(answer.status.code) to a release")
            }
            return state?.bytes.count ?? 0
        } catch {
            _ = try? await client(loop, options.callTimeout).post(
                "\(sourceURL)\(path)/release", json: .object([]))
            if !wasThere {
                _ = try? await client(loop, options.callTimeout).send(
                    .delete, "\(targetURL)/deploy/\(id)")
            }
            throw error
        }
    }

    /// The state of an instance between two runs; nil if it has none. Runs wait from then on.
    private func takeState(
        _ url: String, on loop: EventLoop
    ) async throws -> DeviceAnswer? {
        let answer = try await client(loop, options.deployTimeout).send(
            .get, "\(url)/state?hold=\(Self.holdTime)", limit: Self.stateLimit)
        switch answer.status.code {
        case 200: return answer
        case 204: return nil
        case 404, 405, 501:
            throw fault("the device cannot give the state of an instance: \(answer.status.code)")
        default: throw fault(String(decoding: answer.bytes.prefix(1000), as: UTF8.self))
        }
    }

    private func giveState(
        _ state: DeviceAnswer, to url: String, on loop: EventLoop
    ) async throws {
        var fields: [(StaticString, String)] = []
        if let digest = state.fields.first("module-digest") {
            fields.append(("Module-Digest", String(decoding: digest, as: UTF8.self)))
        }
        let answer = try await client(loop, options.deployTimeout).send(
            .put, "\(url)/state", .bytes(state.bytes), type: "application/x-wasmd-state", fields)
        guard answer.status.code < 300 else {
            throw fault(String(decoding: answer.bytes.prefix(1000), as: UTF8.self))
        }
    }

    /// Sends a node to a device, and gives the instances that it has of it their state back.
    private func deployKeepingState(
        _ node: DeploymentNode, to device: Device, isNew: Bool, on loop: EventLoop
    ) async throws {
        guard let url = device.url else { throw fault("the device has no address") }
        let paths = node.modules.map {
            "\(url)/deploy/\(node.deployment)/modules/\(URLText.segment($0.name))"
        }
        var states: [(path: String, state: DeviceAnswer)] = []
        if !isNew {
            for path in paths {
                if let state = try? await takeState(path, on: loop) {
                    states.append((path, state))
                }
            }
        }
        let answer: DeviceAnswer
        switch await send(node.document, to: device, on: loop) {
        case .success(let given): answer = given
        case .failure(let error): throw fault("device '\(device.name)': \(error)")
        }
        guard answer.status.code < 400 else {
            throw fault("device '\(device.name)' answered \(answer.status.code) to its node")
        }
        for (path, state) in states { try await giveState(state, to: path, on: loop) }
    }

    /// Sends the other devices their nodes, which name the new endpoint, and takes the deployment
    /// from the source if it has no function of it any more. The source sends requests on meanwhile.
    private func tellOthers(
        _ solution: Solution, _ before: Document, _ target: Device, _ source: Device,
        on loop: EventLoop
    ) async {
        var failures: [String] = []
        for (id, node) in solution.nodes where id != target.id {
            guard node.document != before["fullManifest"]?[id.description],
                let device = devices[id], !device.isOrchestrator
            else { continue }
            do {
                try await deployKeepingState(node, to: device, isNew: false, on: loop)
            } catch {
                failures.append(Failure(error).reason)
            }
        }
        if !solution.nodes.contains(where: { $0.device == source.id }), let url = source.url,
            let id = before["_id"]?.stringValue, failures.isEmpty
        {
            let answer = try? await client(loop, options.callTimeout).send(
                .delete, "\(url)/deploy/\(id)")
            if answer.map({ $0.status.code < 500 }) != true {
                failures.append("device '\(source.name)' still has the deployment")
            }
        }
        if !failures.isEmpty {
            options.report("after a migration: " + failures.joined(separator: "; "))
        }
    }
}
