import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Deployments: solved, stored, sent to their devices, moved when a device fails.
extension Orchestrator {
    // MARK: Solving

    /// Solves a manifest and stores the deployment.
    func createDeployment(_ body: Document, on loop: EventLoop) async throws -> ObjectID {
        let manifest = try Self.manifest(body)
        guard MountName.isSafe(manifest.name) else {
            throw Failure(
                .badRequest, "Failed validating manifest",
                "a name is 1 to 255 bytes, has no '/', and is not '.' or '..'")
        }
        let id = deployments.newID()
        let solution: Solution
        do {
            solution = try await solve(manifest, id, on: loop)
        } catch let fault as SolutionFault {
            throw Failure(
                .internalServerError, right: .conflict, "Failed constructing solution for manifest",
                "\(fault)")
        }
        let groups = Document.array(manifest.sequence.map { failovers($0) })
        var members: [Document.Member] = [
            .init("name", .string(manifest.name)), .init("active", .boolean(false)),
            .init("failoversBySequence", groups), .init("_id", .string(id.description)),
            .init(
                "goalDeployment",
                .array(solution.steps.map { .string($0.device.id.description) })),
        ]
        if let error = try await certify(solution, id, on: loop) {
            members.append(.init("validationError", .string(error)))
        }
        members += [
            .init("fullManifest", solution.fullManifest), .init("sequence", solution.sequence),
        ]
        try await deployments.put(id, .object(members), ifAbsent: true, on: loop)
        return id
    }

    private static func manifest(_ body: Document) throws -> Manifest {
        do throws(Manifest.Fault) {
            return try Manifest(body)
        } catch {
            throw Failure(.badRequest, "Failed validating manifest", "\(error)")
        }
    }

    private func solve(
        _ manifest: Manifest, _ id: ObjectID, on loop: EventLoop
    ) async throws -> Solution {
        try await Solver(registry: registry, devices: devices.all()).solve(
            manifest, deployment: id
        ) { device in
            await self.ownURL(for: device, on: loop)
        }
    }

    /// The device of a step and those that may take over.
    private func failovers(_ step: Manifest.Step) -> Document {
        var group: [Document] = [step.device.map { .string($0) } ?? .null]
        for text in step.failovers {
            let text = text.lowercased()
            guard let id = ObjectID(text), let device = devices[id],
                device.isBlacklisted != true, !group.contains(.string(text))
            else { continue }
            group.append(.string(text))
        }
        return .array(group)
    }

    /// Solves a deployment again, with another manifest or other devices.
    ///
    /// - Returns: the deployment as it is now.
    func resolve(
        _ id: ObjectID, _ body: Document, isInFailover: Bool? = nil, on loop: EventLoop
    ) async throws -> Document {
        var manifest = body
        if manifest["name"] == nil, let name = deployments[id]?.name {
            manifest.set("name", .string(name))
        }
        let wanted = try Self.manifest(manifest)
        let solution: Solution
        do {
            solution = try await solve(wanted, id, on: loop)
        } catch let fault as SolutionFault {
            throw Failure(
                .internalServerError, right: .conflict,
                "Failed updating manifest for deployment: \(fault)")
        }
        let error = try await certify(solution, id, on: loop)
        let groups = Document.array(wanted.sequence.map { failovers($0) })
        let updated = try await deployments.update(id, on: loop) { document in
            document.set("fullManifest", solution.fullManifest)
            document.set("sequence", solution.sequence)
            document.set("validationError", error.map { .string($0) })
            if let isInFailover {
                document.set("isInFailover", .boolean(isInFailover))
            } else {
                document.set("name", .string(wanted.name))
                document.set("failoversBySequence", groups)
                document.set(
                    "goalDeployment",
                    .array(solution.steps.map { .string($0.device.id.description) }))
            }
            return .none
        }
        guard let updated else {
            throw Failure(.notFound, "no deployment matches ID '\(id)'")
        }
        return updated
    }

    // MARK: Deploying

    /// Sends each device its node.
    ///
    /// - Returns: what the devices answered.
    func deploy(_ id: ObjectID, _ document: Document, on loop: EventLoop) async throws -> Document {
        var targets: [(device: Device, node: Document)] = []
        for member in document["fullManifest"]?.objectValue ?? [] {
            guard let device = ObjectID(member.name).flatMap({ devices[$0] }) else {
                throw Failure(
                    .notFound,
                    body: .json(
                        .object([
                            .init("device", .object([.init("id", .string(member.name))])),
                            .init("name", "DeviceNotFound"),
                        ])))
            }
            targets.append((device, member.value))
        }
        let tasks = targets.map { target in
            loop.spawn { [self] in await send(target.node, to: target.device, on: loop) }
        }
        var answers: [Document.Member] = []
        var failures: [String] = []
        for (target, task) in zip(targets, tasks) {
            switch await task.value {
            case .success(let answer):
                let status = Int64(answer.status.code)
                let data = answer.json ?? .string(String(decoding: answer.bytes, as: UTF8.self))
                answers.append(
                    .init(
                        target.device.id.description,
                        .object([.init("status", .integer(status)), .init("data", data)])))
                if status >= 400 {
                    failures.append("device '\(target.device.name)' answered \(status)")
                }
            case .failure(let error):
                failures.append("device '\(target.device.name)': \(error)")
            }
        }
        guard failures.isEmpty else {
            throw Failure(
                .internalServerError, right: .badGateway,
                body: .json(
                    .object([
                        .init("errorText", "deployment failed"),
                        .init("error", .string(failures.joined(separator: "; "))),
                        .init("deviceResponses", .object(answers)),
                    ])))
        }
        try await deployments.update(id, on: loop) { document in
            document.set("active", .boolean(true))
            return .none
        }
        return .object([.init("deviceResponses", .object(answers))])
    }

    private func send(
        _ node: Document, to device: Device, on loop: EventLoop
    ) async -> Result<DeviceAnswer, any Error> {
        do {
            if device.isOrchestrator {
                try await datalist.begin(node["deploymentId"]?.stringValue ?? "")
                return .success(
                    DeviceAnswer(
                        status: .ok, reason: "OK", fields: Fields(),
                        bytes: Array(#"{"status":"ok"}"#.utf8)))
            }
            guard let url = device.url else {
                throw Failure(.internalServerError, "the device has no address")
            }
            return .success(
                try await client(loop, options.deployTimeout).post("\(url)/deploy", json: node))
        } catch {
            return .failure(error)
        }
    }

    /// Sends the nodes of active deployments again that have a module whose files have changed.
    func announce(_ module: ObjectID, on loop: EventLoop) async {
        let text = module.description
        for entry in deployments.all() where entry.document["active"] == .boolean(true) {
            for member in entry.document["fullManifest"]?.objectValue ?? [] {
                let has = member.value["modules"]?.arrayValue?.contains {
                    $0["id"]?.stringValue == text
                }
                guard has == true, let device = ObjectID(member.name).flatMap({ devices[$0] }),
                    !device.isOrchestrator
                else { continue }
                _ = await send(member.value, to: device, on: loop)
            }
        }
    }

    // MARK: Failover

    /// Moves the functions of a device that is gone to devices that may take over.
    func failOver(from device: ObjectID, on loop: EventLoop) async {
        let text = device.description
        for entry in deployments.all() {
            var sequence = entry.document["sequence"]?.arrayValue ?? []
            let groups = entry.document["failoversBySequence"]?.arrayValue ?? []
            var isModified = false
            for index in sequence.indices where index < groups.count {
                guard sequence[index]["device"]?.stringValue == text else { continue }
                let candidates = (groups[index].arrayValue ?? []).dropFirst()
                    .compactMap(\.stringValue)
                let next = candidates.first { candidate in
                    guard candidate != text, let id = ObjectID(candidate), let known = devices[id]
                    else { return false }
                    return known.status == .active && known.isBlacklisted != true
                }
                guard let next else { continue }
                sequence[index].set("device", .string(next))
                isModified = true
            }
            if isModified { await move(entry, to: sequence, isInFailover: true, on: loop) }
        }
    }

    /// Moves functions back to a device that is there again.
    func recover(_ device: ObjectID, on loop: EventLoop) async {
        let text = device.description
        for entry in deployments.all() where entry.document["isInFailover"] == .boolean(true) {
            let goals = entry.document["goalDeployment"]?.arrayValue?.map(\.stringValue) ?? []
            var sequence = entry.document["sequence"]?.arrayValue ?? []
            var isModified = false
            for index in sequence.indices
            where index < goals.count && goals[index] == text
                && sequence[index]["device"]?.stringValue != text
            {
                sequence[index].set("device", .string(text))
                isModified = true
            }
            let isRestored = sequence.map { $0["device"]?.stringValue } == goals
            if isModified {
                await move(entry, to: sequence, isInFailover: !isRestored, on: loop)
            }
        }
    }

    private func move(
        _ entry: Collection.Entry, to sequence: [Document], isInFailover: Bool, on loop: EventLoop
    ) async {
        let manifest = Document.object([
            .init("name", .string(entry.name ?? "")), .init("sequence", .array(sequence)),
        ])
        do {
            let document = try await resolve(
                entry.id, manifest, isInFailover: isInFailover, on: loop)
            if entry.document["active"] == .boolean(true) {
                _ = try await deploy(entry.id, document, on: loop)
            }
        } catch {
            // The deployment stays as it is: the next change of a device's status tries again.
        }
    }
}
