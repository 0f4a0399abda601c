import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Runs workflows: each function is called by the orchestrator.
extension Orchestrator {
    /// - Returns: the members of the last step's answer.
    func run(
        _ workflow: Workflow, _ entry: Collection.Entry, _ body: UploadBody,
        _ execution: Execution, on loop: EventLoop
    ) async throws -> [Document.Member] {
        var values = WorkflowValues(input: body.document)
        var files = body.files
        var next: String? = workflow.start
        var count = 0
        var members: [Document.Member] = [.init("result", .null)]
        while let id = next, let step = workflow.step(id) {
            guard count < workflow.limit else {
                throw Failure(
                    .internalServerError, right: .conflict, "the workflow does not end",
                    "it was ended after \(workflow.limit) calls: raise 'workflow.limit'")
            }
            let call = try endpoint(step.index, of: entry.document)
            let query = try arguments(
                step, call.endpoint, values, entry.id, isFirst: count == 0, body)
            members = try await self.call(call.endpoint, query, files, execution, on: loop)
            let result = members.first { $0.name == "result" }?.value ?? .null
            guard values.set(step.id, WorkflowValues.plain(result)) else {
                throw Failure(
                    .internalServerError, right: .badGateway, "scheduling work failed",
                    "the results of the steps take more than \(WorkflowValues.byteLimit) bytes "
                        + "in memory")
            }
            execution.note(
                step: .object([.init("id", .string(step.id))] + call.members + members))
            count += 1
            // The first branch whose condition holds; none ends the workflow.
            next = step.branches.first { $0.condition.map(values.holds) ?? true }?.target
            files = []
            if let next, let index = workflow.step(next)?.index {
                files = try await self.files(
                    of: result, from: call,
                    for: try endpoint(index, of: entry.document), entry.id, on: loop)
            }
            await loop.yieldIfSpent()
        }
        return members
    }

    private func arguments(
        _ step: Workflow.Step, _ endpoint: Endpoint, _ values: WorkflowValues, _ id: ObjectID,
        isFirst: Bool, _ body: UploadBody
    ) throws -> [(name: String, value: String)] {
        guard let given = step.arguments else {
            if isFirst {
                let isPush = endpoint.path.utf8.contains(UInt8(ascii: ":"))
                return try arguments(endpoint, body, id, isPush: isPush)
            }
            // As supervisors call the next function.
            guard let first = endpoint.parameters.first(where: { $0.place == "query" }) else {
                return []
            }
            return [(first.name, Self.text(values.result))]
        }
        return try given.map { argument in
            guard let value = values.value(argument.value) else {
                throw Failure(
                    .internalServerError, right: .badRequest, "scheduling work failed",
                    "the argument '\(argument.name)' of step '\(step.id)' has no value: "
                        + Self.text(argument.value))
            }
            return (argument.name, Self.text(value))
        }
    }

    // MARK: Files

    /// Files of a result for the execution mounts of the next function: by their names, others in
    /// their order.
    private func files(
        of result: Document, from call: StepCall, for next: StepCall, _ deployment: ObjectID,
        on loop: EventLoop
    ) async throws -> [UploadedFile] {
        guard next.endpoint.body != nil, !next.mounts.execution.isEmpty else { return [] }
        var files: [UploadedFile] = []
        var outputs = Self.outputs(of: result, call, deployment)
        var others: [Mount] = []
        for mount in next.mounts.execution {
            let name = "/" + URLText.segment(mount.path)
            let index = outputs.firstIndex { url in
                url.utf8.suffix(name.utf8.count).elementsEqual(name.utf8)
            }
            guard let index else {
                others.append(mount)
                continue
            }
            files.append(try await fetch(outputs.remove(at: index), for: mount, on: loop))
        }
        for (url, mount) in zip(outputs, others) {
            files.append(try await fetch(url, for: mount, on: loop))
        }
        return files
    }

    /// URLs of a result's files: `{"outputs": [URL]}`, or names as `[null, ["image.jpeg"]]`.
    private static func outputs(
        of result: Document, _ call: StepCall, _ deployment: ObjectID
    ) -> [String] {
        if let urls = result["outputs"]?.arrayValue { return urls.compactMap(\.stringValue) }
        guard let pair = result.arrayValue, pair.count == 2, pair[0] == .null,
            let names = pair[1].arrayValue
        else { return [] }
        return names.compactMap(\.stringValue).map { name in
            "\(call.endpoint.url)/module_results/\(URLText.segment(call.module))/"
                + URLText.segment(name)
        }
    }

    private func fetch(
        _ url: String, for mount: Mount, on loop: EventLoop
    ) async throws -> UploadedFile {
        guard isOurs(url, on: loop), let target = URL(Array(url.utf8)) else {
            throw Failure(
                .internalServerError, right: .badGateway,
                "fetching result failed: '\(url)' leads to no registered device")
        }
        var request = ClientRequest(.get, target)
        request.deadline = .after(options.callTimeout)
        var collector = FileCollector(store)
        do {
            let response = try await client(loop, options.callTimeout).client.send(request)
            guard response.status == .ok else {
                response.close()
                throw Failure(
                    .internalServerError, right: .badGateway,
                    "fetching result failed: \(response.status.code) for \(url)")
            }
            var count = 0
            while let piece = try await response.next() {
                count += piece.count
                guard count <= options.bodyLimit else {
                    response.close()
                    throw Failure(
                        .internalServerError, right: .badGateway,
                        "fetching result failed: the file is larger than \(options.bodyLimit)")
                }
                try await collector.add(piece, on: loop)
            }
        } catch let error as HTTPClientError where error != .cancelled {
            throw Failure(
                .internalServerError, right: .badGateway, "fetching result failed: \(error)")
        }
        return UploadedFile(
            field: mount.path, fileName: mount.path, mediaType: mount.mediaType,
            content: try await collector.finish(on: loop), beginning: collector.beginning)
    }
}
