import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Moves the instance of a module from one device to another, with its state and without a lost run.
extension Orchestrator {
    /// Seconds for which the source of a move lets runs wait.
    private static let holdTime = 30
    /// Seconds for which a device that gets its node lets runs wait: the most that it takes.
    private static let longestHold = 60
    /// Why a device does not give the state of an instance that lives elsewhere.
    private static let movedReason = "the instance has moved to another device"
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
        // Known together with the new places: a crash leaves nothing half told.
        let untold = Self.untold(solution, before, target, source)
        let updated = try await deployments.update(entry.id, on: loop) { document in
            document.set("fullManifest", solution.fullManifest)
            document.set("sequence", solution.sequence)
            document.set(
                "goalDeployment",
                .array(solution.steps.map { .string($0.device.id.description) }))
            // The target has its node.
            let others = Self.pending(document).filter { $0 != target.id.description }
            Self.setPending(others + untold, in: &document)
            return .none
        }
        guard updated != nil else { throw Failure(.notFound, "the deployment is gone") }
        await settle(entry.id, on: loop)
        return .object([
            .init("module", .string(module.name)), .init("from", .string(source.id.description)),
            .init("to", .string(target.id.description)),
            .init("stateBytes", .integer(Int64(size))),
        ])
    }

    /// The devices that are to learn of a move: those whose nodes have changed, and the source if it
    /// has no function of the deployment any more.
    private static func untold(
        _ solution: Solution, _ before: Document, _ target: Device, _ source: Device
    ) -> [String] {
        var untold = solution.nodes.filter { id, node in
            id != target.id && node.document != before["fullManifest"]?[id.description]
        }.map(\.device.description)
        if !solution.nodes.contains(where: { $0.device == source.id }) {
            untold.append(source.id.description)
        }
        return untold
    }

    /// Moves the state; runs wait meanwhile. The source's `release` decides: before it the instance
    /// is at the source, whatever happens to the target; after it at the target.
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
        let path = "/deploy/\(id)/modules/\(URLText.segment(module))"
        var isHeld = false
        do {
            // Other modules of the target keep their state.
            try await deployKeepingState(node, to: target, on: loop)
            let state: DeviceAnswer?
            switch await takeState(sourceURL + path, for: Self.holdTime, on: loop) {
            case .held(let given):
                isHeld = true
                state = given
            case .moved:
                // An earlier attempt has come as far as this without being noted here. Only a source
                // that says so is asked: one with a hold would give up what the target has not.
                guard
                    await release(sourceURL + path, to: targetURL, isSent: true, on: loop)
                        == .done
                else { throw fault(Self.movedReason) }
                return 0
            case .absent(let failure), .refused(let failure): throw failure
            case .lost(let error):
                isHeld = true
                throw error
            }
            if let state { try await giveState(state, to: targetURL + path, on: loop) }
            switch await release(sourceURL + path, to: targetURL, isSent: false, on: loop) {
            case .done: break
            case .refused(let reason):
                throw fault("device '\(source.name)' goes on with the instance: \(reason)")
            case .unknown:
                if Task.isCancelled { throw LoopError.cancelled }
                // It may never come back: the instance goes on where its state is.
                options.report(
                    "device '\(source.name)' has not answered for \(options.migrationPatience): "
                        + "'\(target.name)' goes on with the instance of '\(module)'")
            }
            return state?.bytes.count ?? 0
        } catch {
            if !Task.isCancelled {
                await abandon(isHeld ? sourceURL + path : nil, target, entry, on: loop)
            }
            throw error
        }
    }

    /// What came of a release.
    private enum Release: Equatable {
        case done
        /// The instance is at the source.
        case refused(String)
        /// The source does not answer.
        case unknown
    }

    /// Lets the source forget its instance. Sent again until there is an answer, or so long that no
    /// hold goes on.
    ///
    /// - Parameter isSent: to ask only whether it was done before.
    private func release(
        _ url: String, to target: String, isSent: Bool, on loop: EventLoop
    ) async -> Release {
        let end = LoopInstant.after(options.migrationPatience)
        var pause = Duration.milliseconds(100)
        while true {
            let answer = try? await client(loop, options.healthTimeout).post(
                "\(url)/release", json: .object([.init("to", .string(target))]))
            switch answer?.status.code {
            case .some(200..<300): return .done
            // The source does not have the deployment.
            case 404 where !isSent: return .done
            case .some(let code) where code < 500 || isSent:
                return .refused(String(decoding: answer?.bytes.prefix(1000) ?? [], as: UTF8.self))
            default: break
            }
            guard !isSent, LoopInstant.now < end, !Task.isCancelled,
                (try? await loop.sleep(for: pause)) != nil
            else { return answer.map { .refused("status \($0.status.code)") } ?? .unknown }
            pause = min(pause * 2, .seconds(2))
        }
    }

    /// Leaves the instance at the source: runs go on there, and the target gets back what it had.
    ///
    /// - Parameter source: where the instance is held; nil if it is not.
    private func abandon(
        _ source: String?, _ target: Device, _ entry: Collection.Entry, on loop: EventLoop
    ) async {
        if let source { _ = await endHold(source, on: loop) }
        let id = target.id.description
        do {
            try await deployments.update(entry.id, on: loop) { document in
                Self.setPending(Self.pending(document) + [id], in: &document)
                return .none
            }
            await settle(entry.id, on: loop)
        } catch {
            options.report("deployment '\(entry.name ?? "")': \(error)")
        }
    }

    // MARK: What devices are still to be told

    /// Devices that do not have what the deployment says: they are told when they can be reached.
    private static func pending(_ document: Document) -> [String] {
        document["pendingDevices"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    private static func setPending(_ ids: [String], in document: inout Document) {
        var unique: [String] = []
        for id in ids where !unique.contains(id) { unique.append(id) }
        document.set(
            "pendingDevices", unique.isEmpty ? nil : .array(unique.map { .string($0) }))
    }

    /// Sends pending devices their nodes, then takes the deployment from those that have none any
    /// more: these send requests on until then.
    func settle(_ id: ObjectID, on loop: EventLoop) async {
        guard let entry = deployments[id], entry.document["pendingDevices"] != nil else { return }
        var done: [String] = []
        let pending = Self.pending(entry.document)
        let nodes = entry.document["fullManifest"]
        for text in pending {
            guard let device = ObjectID(text).flatMap({ devices[$0] }) else {
                done.append(text)
                continue
            }
            guard let node = nodes?[text], device.failedChecks == 0, device.status == .active
            else { continue }
            do {
                try await deployKeepingState(try DeploymentNode(node), to: device, on: loop)
                done.append(text)
            } catch {
                let reason = Failure(error).reason
                options.report("after a migration: device '\(device.name)': \(reason)")
            }
        }
        let areTold = pending.allSatisfy { done.contains($0) || nodes?[$0] == nil }
        for text in pending where nodes?[text] == nil && areTold && !done.contains(text) {
            guard let device = ObjectID(text).flatMap({ devices[$0] }), let url = device.url,
                device.failedChecks == 0, device.status == .active,
                let answer = try? await client(loop, options.healthTimeout).send(
                    .delete, "\(url)/deploy/\(id)"), answer.status.code < 500
            else { continue }
            done.append(text)
        }
        guard !done.isEmpty else { return }
        let told = done
        do {
            try await deployments.update(id, on: loop) { document in
                Self.setPending(
                    Self.pending(document).filter { !told.contains($0) }, in: &document)
                return .none
            }
        } catch {
            options.report("deployment '\(entry.name ?? "")': \(error)")
        }
    }

    // MARK: States

    /// What a device says that is asked for the state of an instance.
    private enum Taken {
        /// The state between two runs; nil if the module begins anew. Runs wait.
        case held(DeviceAnswer?)
        /// There is no such instance, or the device knows no states.
        case absent(Failure)
        /// The instance lives on at another device.
        case moved
        case refused(Failure)
        /// There is no answer: runs may wait.
        case lost(any Error)
    }

    /// Asks for the state of an instance. Runs wait from then on.
    private func takeState(
        _ url: String, for seconds: Int, on loop: EventLoop
    ) async -> Taken {
        let answer: DeviceAnswer
        do {
            answer = try await client(loop, options.deployTimeout).send(
                .get, "\(url)/state?hold=\(seconds)", limit: Self.stateLimit)
        } catch {
            return .lost(error)
        }
        switch answer.status.code {
        case 200: return .held(answer)
        case 204: return .held(nil)
        case 404, 405, 501:
            return .absent(
                fault("the device cannot give the state of an instance: \(answer.status.code)"))
        case 409 where Self.reason(answer) == Self.movedReason: return .moved
        default:
            return .refused(fault(String(decoding: answer.bytes.prefix(1000), as: UTF8.self)))
        }
    }

    /// The reason of a short refusal.
    private static func reason(_ answer: DeviceAnswer) -> String? {
        guard answer.bytes.count <= 1000 else { return nil }
        return (try? JSONReader.read(answer.bytes))?["result"]?.stringValue
    }

    /// Lets runs go on where they were. A hold whose end does not arrive ends by its time.
    ///
    /// - Returns: false if the device says that there was none.
    private func endHold(_ url: String, on loop: EventLoop) async -> Bool {
        let answer = try? await client(loop, options.healthTimeout).post(
            "\(url)/release", json: .object([]))
        return answer?.status != .conflict
    }

    /// Gives an instance the state that it had when it was held, if a node has ended it whose answer
    /// was lost. One that has run since then keeps what it has.
    private func giveBack(_ state: DeviceAnswer, to url: String, on loop: EventLoop) async {
        let now = try? await client(loop, options.healthTimeout).send(.get, "\(url)/state")
        guard now?.status == .noContent else { return }
        try? await giveState(state, to: url, on: loop)
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

    /// Sends a node to a device, and gives the instances that it has of it their state back. Their
    /// runs wait until the node has come. If it does not come, or a state cannot be had, they go on
    /// as they were.
    private func deployKeepingState(
        _ node: DeploymentNode, to device: Device, on loop: EventLoop
    ) async throws {
        // Its node is nothing but a list, which a node that comes would empty.
        guard !device.isOrchestrator else { return }
        guard let url = device.url else { throw fault("the device has no address") }
        // All holds go on until then: each begins later.
        let end = LoopInstant.after(.seconds(Self.longestHold))
        var held: [(path: String, state: DeviceAnswer?)] = []
        do {
            for module in node.modules {
                let path =
                    "\(url)/deploy/\(node.deployment)/modules/\(URLText.segment(module.name))"
                switch await takeState(path, for: Self.longestHold, on: loop) {
                case .held(let state): held.append((path, state))
                // Nothing that could be lost.
                case .absent, .moved: break
                case .refused(let failure): throw failure
                case .lost(let error):
                    held.append((path, nil))
                    throw error
                }
            }
            // Later, runs might have gone on: their effects would be undone by the states.
            let time = min(options.deployTimeout, end.since(.now))
            switch await send(node.document, to: device, within: time, on: loop) {
            case .success(let answer) where answer.status.code < 400: break
            case .success(let answer):
                throw fault(
                    "device '\(device.name)' answered \(answer.status.code) to its node")
            case .failure(let error): throw fault("device '\(device.name)': \(error)")
            }
        } catch {
            for (path, state) in held {
                if await !endHold(path, on: loop), let state {
                    await giveBack(state, to: path, on: loop)
                }
            }
            throw error
        }
        // Whatever happens to one, the others have theirs.
        var firstError: (any Error)?
        for (path, state) in held {
            guard let state else { continue }
            do {
                try await giveState(state, to: path, on: loop)
            } catch {
                firstError = firstError ?? error
            }
        }
        if let firstError { throw firstError }
    }
}
