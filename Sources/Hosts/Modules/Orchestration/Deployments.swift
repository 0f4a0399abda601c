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
        if let workflow = manifest.workflow { members.append(.init("workflow", workflow)) }
        try await deployments.put(id, .object(members), ifAbsent: true, on: loop)
        return id
    }

    static func manifest(_ body: Document) throws -> Manifest {
        let manifest: Manifest
        do throws(Manifest.Fault) {
            manifest = try Manifest(body)
        } catch {
            throw Failure(.badRequest, "Failed validating manifest", "\(error)")
        }
        guard let workflow = manifest.workflow else { return manifest }
        do throws(WorkflowFault) {
            guard workflow.objectValue != nil else {
                throw WorkflowFault("'workflow' must be an object")
            }
            if workflow["steps"] != nil {
                _ = try Workflow(workflow, stepCount: manifest.sequence.count)
            }
            if let schedule = workflow["schedule"], schedule != .null {
                _ = try Schedule(schedule)
            }
        } catch {
            throw Failure(.badRequest, "Failed validating manifest", "\(error)")
        }
        return manifest
    }

    func solve(
        _ manifest: Manifest, _ id: ObjectID, on loop: EventLoop
    ) async throws -> Solution {
        var solver = Solver(registry: registry, devices: devices.all())
        return try await solver.solve(manifest, deployment: id, on: loop) { device in
            await self.ownURL(for: device, on: loop)
        }
    }

    /// The device of a step and those that may take over.
    private func failovers(_ step: Manifest.Step) -> Document {
        var group: [Document] = [step.device.map { .string($0) } ?? .null]
        var known = Set([step.device.map { NameKey($0) }].compactMap { $0 })
        for text in step.failovers {
            let text = text.lowercased()
            guard let id = ObjectID(text), let device = devices[id],
                device.isBlacklisted != true, known.insert(NameKey(text)).inserted
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
        let known = deployments[id]?.document
        for member in ["name", "workflow"] where manifest[member] == nil {
            if let value = known?[member] { manifest.set(member, value) }
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
            document.set("deployError", nil)
            if let isInFailover {
                document.set("isInFailover", .boolean(isInFailover))
            } else {
                document.set("name", .string(wanted.name))
                document.set("workflow", wanted.workflow)
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
                let data =
                    await answer.json(on: loop)
                    ?? .string(String(decoding: answer.bytes, as: UTF8.self))
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
            document.set("deployError", nil)
            return .none
        }
        return .object([.init("deviceResponses", .object(answers))])
    }
}
