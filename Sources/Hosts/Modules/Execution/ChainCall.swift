import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Calls of functions on devices: an endpoint is called, then links are followed to the result.
extension Orchestrator {
    /// Runs the whole chain: each device calls the next one.
    ///
    /// - Parameter body: arguments by the names of the first endpoint's parameters, and files.
    /// - Returns: `result`, `fetched_from_device` and `resultUrl`, without what is not known.
    func runChain(
        _ entry: Collection.Entry, _ body: UploadBody, _ execution: Execution,
        on loop: EventLoop
    ) async throws -> [Document.Member] {
        let call = try endpoint(0, of: entry.document)
        let query = try arguments(
            call.endpoint, body, entry.id, isPush: call.module == ModuleRegistry.datalist)
        let members = try await self.call(call.endpoint, query, body.files, execution, on: loop)
        execution.note(step: .object(call.members + members))
        return members
    }

    /// A step's function on its device.
    struct StepCall: Sendable {
        let endpoint: Endpoint
        /// Its module's name.
        let module: String
        let mounts: FunctionMounts
        /// For the record of the execution.
        let members: [Document.Member]
    }

    /// The endpoint of a step of a deployment's sequence.
    func endpoint(_ index: Int, of deployment: Document) throws -> StepCall {
        guard let step = deployment["sequence"]?[index],
            let device = step["device"]?.stringValue, let module = step["module"]?.stringValue,
            let function = step["func"]?.stringValue,
            let document = deployment["fullManifest"]?[device],
            let node = try? DeploymentNode(document),
            let name = node.modules.first(where: { $0.id == module })?.name,
            let endpoint = node.endpoints[name, function]
        else {
            throw Failure(
                .internalServerError, "scheduling work failed", "the deployment is incomplete")
        }
        return StepCall(
            endpoint: endpoint, module: name,
            mounts: node.mounts[name, function] ?? FunctionMounts(),
            members: [
                .init("step", .integer(Int64(index))), .init("device", .string(device)),
                .init("module", .string(name)), .init("func", .string(function)),
            ])
    }

    /// Calls a function and follows the links to its result.
    func call(
        _ endpoint: Endpoint, _ query: [(name: String, value: String)], _ files: [UploadedFile],
        _ execution: Execution, on loop: EventLoop
    ) async throws -> [Document.Member] {
        let answer = try await begin(endpoint, query, files, on: loop)
        guard (200..<300).contains(answer.status.code) else {
            let text = String(decoding: answer.bytes, as: UTF8.self)
            throw Failure(.internalServerError, right: .badGateway, "scheduling work failed", text)
        }
        return try await follow(answer, execution, on: loop)
    }

    /// The query of the first call. A file replaces the parameter of the list's `push`.
    func arguments(
        _ endpoint: Endpoint, _ body: UploadBody, _ id: ObjectID, isPush: Bool
    ) throws -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        for parameter in endpoint.parameters where parameter.place == "query" {
            guard let value = body.document[parameter.name] else {
                if isPush, !body.files.isEmpty { continue }
                throw Failure(
                    .internalServerError, right: .badRequest, "scheduling work failed",
                    .object([
                        .init("name", "ParameterMissing"),
                        .init("deployment", .object([.init("id", .string(id.description))])),
                        .init("execPath", .string(endpoint.path)),
                        .init("param", parameter.document),
                    ]))
            }
            query.append((parameter.name, Self.text(value)))
        }
        return query
    }

    /// A value of JSON in a query: strings as they are, everything else as JSON.
    static func text(_ value: Document) -> String {
        if let text = value.stringValue { return text }
        return String(decoding: JSONWriter.write(value), as: UTF8.self)
    }

    private func begin(
        _ endpoint: Endpoint, _ query: [(name: String, value: String)], _ files: [UploadedFile],
        on loop: EventLoop
    ) async throws -> DeviceAnswer {
        guard let method = Method(Array(endpoint.method.uppercased().utf8)) else {
            throw Failure(
                .internalServerError, "scheduling work failed", "no method '\(endpoint.method)'")
        }
        var url = endpoint.url + URLText.path(endpoint.path)
        if !query.isEmpty { url += "?\(URLText.query(query))" }
        let client = client(loop, options.callTimeout)
        do {
            if endpoint.body != nil, method != .get, method != .head, !files.isEmpty {
                let form = try FormWriter(files, store)
                return try await client.send(
                    method, url, form.body(on: loop), type: form.contentType)
            }
            return try await client.send(method, url)
        } catch let error as HTTPClientError where error != .cancelled {
            throw Failure(
                .internalServerError, right: .badGateway, "scheduling work failed",
                "\(endpoint.url): \(error)")
        }
    }

    // MARK: Links

    private static let linkLimit = 32

    /// Follows `result` and `resultUrl` to a result that is no link.
    private func follow(
        _ first: DeviceAnswer, _ execution: Execution, on loop: EventLoop
    ) async throws -> [Document.Member] {
        var answer = first
        for _ in 0..<Self.linkLimit {
            guard let json = await answer.json(on: loop) else {
                throw Failure(
                    .internalServerError, right: .badGateway,
                    "parsing result to JSON failed: the device's answer is no JSON")
            }
            let link: String
            if let result = json["result"], result != .null, json["status"] != "error" {
                guard let text = result.stringValue, let url = URL(Array(text.utf8)),
                    url.scheme.elementsEqual("http".utf8) || url.scheme.elementsEqual("https".utf8)
                else { return Self.final(result, json) }
                link = text
            } else if let error = json["error"], error != .null {
                throw Failure(.internalServerError, right: .badGateway, Self.text(error))
            } else if let next = json["resultUrl"]?.stringValue {
                link = next
            } else if json["status"] == "error" {
                throw Failure(
                    .internalServerError, right: .badGateway, Self.text(json["result"] ?? "error"))
            } else {
                // A function without a result, which has no link either: this is the end.
                return Self.final(.null, json)
            }
            execution.note(link: link)
            // A finished run without a value names its own entry.
            do {
                answer = try await fetch(link, on: loop)
            } catch {
                if execution.isCancelled { cancelRun(link, on: loop) }
                throw error
            }
            if let next = await answer.json(on: loop), next["result"] == .null,
                next["success"] == .boolean(true)
            {
                return Self.final(.null, next)
            }
        }
        throw Failure(
            .internalServerError, right: .badGateway,
            "fetching result failed: more than \(Self.linkLimit) links")
    }

    private static func final(_ result: Document, _ json: Document) -> [Document.Member] {
        var members: [Document.Member] = [.init("result", result)]
        guard let text = json["resultUrl"]?.stringValue else { return members }
        if let url = URL(Array(text.utf8)) {
            members.append(
                .init(
                    "fetched_from_device",
                    .string(String(decoding: url.authority.hostBytes, as: UTF8.self))))
        }
        members.append(.init("resultUrl", .string(text)))
        return members
    }

    /// Reads a link; one that is not there yet is tried again.
    private func fetch(_ link: String, on loop: EventLoop) async throws -> DeviceAnswer {
        guard isOurs(link, on: loop) else {
            throw Failure(
                .internalServerError, right: .badGateway,
                "fetching result failed: '\(link)' leads to no registered device")
        }
        var tries = 0
        while true {
            let answer: DeviceAnswer
            do {
                answer = try await client(loop, options.callTimeout).send(.get, link)
            } catch let error as HTTPClientError where error != .cancelled {
                throw Failure(
                    .internalServerError, right: .badGateway, "fetching result failed: \(error)")
            }
            if (200..<300).contains(answer.status.code) { return answer }
            guard answer.status == .notFound, tries < options.retryCount else {
                throw Failure(
                    .internalServerError, right: .badGateway,
                    "fetching result failed: \(answer.reason)")
            }
            tries += 1
            try await loop.sleep(for: options.retryDelay)
        }
    }

    /// Asks the device of a run to end it. Devices of the original do not know the request, which
    /// costs them nothing.
    private func cancelRun(_ link: String, on loop: EventLoop) {
        guard isOurs(link, on: loop) else { return }
        // Not a part of what was cancelled.
        loop.spawn { [self] in
            _ = try? await client(loop, options.healthTimeout).send(.delete, link)
        }
    }

    /// Whether a link leads to a device, or to the orchestrator itself.
    func isOurs(_ link: String, on loop: EventLoop) -> Bool {
        guard let url = URL(Array(link.utf8)) else { return false }
        let host = String(decoding: url.authority.hostBytes, as: UTF8.self)
        return devices.all().contains { device in
            url.port == device.port
                && device.addresses.contains { Self.bareAddress($0) == Self.bareAddress(host) }
        } || ownAddresses.contains { URL(Array($0.utf8))?.authority == url.authority }
    }
}
