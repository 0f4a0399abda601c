import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

extension Supervisor {
    /// Bytes of an answer of the next endpoint.
    private static let answerLimit = 1 << 20

    /// Calls the next endpoint with what a function has returned, once.
    ///
    /// - Returns: what the answer has as `result`, else its `resultUrl` as text.
    /// - Throws: `RunFault.next`.
    func call(
        _ next: Endpoint, with output: RunOutput, on loop: EventLoop
    ) async throws -> Document {
        try await answer(to: try Self.request(next, output), "the next endpoint", on: loop)
    }

    /// Runs a function on the device that has the instance now.
    ///
    /// - Throws: `RunFault.next`.
    func forward(
        _ call: RunCall, to target: URL, on loop: EventLoop
    ) async throws -> RunOutput {
        var text = target.bytes
        while text.last == UInt8(ascii: "/") { text.removeLast() }
        for name in [call.deployment.id, "modules", call.module.name, call.function] {
            text += Array(("/" + Self.path(name)).utf8)
        }
        text += Self.query(call.arguments.map { ($0.name, $0.text) })
        guard let url = URL(text) else { throw RunFault.next("the device's URL is malformed") }
        var request = ClientRequest(call.method == "POST" ? .post : .get, url)
        if !call.files.isEmpty {
            let (body, type) = Self.form(call.files.map { ($0.name, $0.bytes) })
            try request.fields.append("Content-Type", type)
            request.body = .bytes(body)
        }
        var output = RunOutput(value: nil, files: [])
        output.isForwarded = true
        output.result = try await answer(to: request, "the device that has the instance", on: loop)
        return output
    }

    /// What an answer has as `result`, else its `resultUrl` as text.
    private func answer(
        to request: ClientRequest, _ callee: String, on loop: EventLoop
    ) async throws -> Document {
        let answer: [UInt8]
        let status: Status
        do {
            var request = request
            request.deadline = .after(options.callTime)
            let response = try await tools(loop).client.send(request)
            status = response.status
            answer = try await response.body(limit: Self.answerLimit)
        } catch {
            let host = String(decoding: request.url.authority.hostBytes, as: UTF8.self)
            let target = String(decoding: request.url.target, as: UTF8.self)
            throw RunFault.next(
                "HTTPConnectionPool(host='\(host)', port=\(request.url.port ?? 80)): "
                    + "Max retries exceeded with url: \(target) (Caused by \(error))")
        }
        let document = (try? JSONReader.read(answer)) ?? .null
        if status.code >= 400 || document["status"] == "error" {
            let text =
                document["result"]?.stringValue ?? document["error"]?.stringValue ?? "no reason"
            throw RunFault.next("\(callee) refused (\(status.code)): \(text)")
        }
        if let result = document["result"], result != .null { return Self.storable(result) }
        guard let url = document["resultUrl"]?.stringValue else {
            throw RunFault.next(
                "\(callee) returned neither 'result' nor 'resultUrl' (\(status.code))")
        }
        return .string(url)
    }

    /// A result as an entry can have it: as a text of JSON if BSON has no such names or numbers.
    private static func storable(_ result: Document) -> Document {
        guard result.stringValue == nil,
            (try? BSON.write(.object([.init("result", result)]))) == nil
        else { return result }
        return .string(String(decoding: JSONWriter.write(result), as: UTF8.self))
    }

    private static func request(
        _ next: Endpoint, _ output: RunOutput
    ) throws(RunFault) -> ClientRequest {
        var text = Array((next.url + next.path).utf8)
        let parameters = next.parameters.filter { $0.place == "query" }.map(\.name)
        if output.values.count > 1, parameters.count > 1 {
            text += query(Array(zip(parameters, output.values)))
        } else if let value = output.value, let parameter = parameters.first {
            text += query([(parameter, value)])
        }
        guard let url = URL(text), let method = Method(Array(next.method.uppercased().utf8)) else {
            throw .next("the next endpoint '\(next.url)\(next.path)' is no URL")
        }
        guard output.value == nil else { return ClientRequest(method, url) }
        var request = ClientRequest(method == .get || method == .head ? .post : method, url)
        let (body, type) = form(parts(output.files, next))
        do throws(WritingFault) {
            try request.fields.append("Content-Type", type)
        } catch {
            throw .next("\(error)")
        }
        request.body = .bytes(body)
        return request
    }

    private static func query(_ pairs: [(name: String, value: String)]) -> [UInt8] {
        var text: [UInt8] = []
        for (name, value) in pairs {
            text.append(UInt8(ascii: text.isEmpty ? "?" : "&"))
            text += PercentCoding.encode(Array(name.utf8))
            text.append(UInt8(ascii: "="))
            text += PercentCoding.encode(Array(value.utf8))
        }
        return text
    }

    /// The files that the next endpoint gets: those that it names; results with other names in the
    /// order of its other fields, if there are as many. If it names nothing, the first result.
    private static func parts(
        _ files: [RunOutput.File], _ next: Endpoint
    ) -> [(name: String, bytes: [UInt8])] {
        let wanted = next.body?.schema["properties"]?.objectValue?.map(\.name) ?? []
        func isOne(_ names: [String], _ name: String) -> Bool {
            names.contains { $0.utf8.elementsEqual(name.utf8) }
        }
        let named = files.filter { isOne(wanted, $0.mount.path) }
        let names = named.map(\.mount.path)
        let others = files.filter { $0.isResult && !isOne(names, $0.mount.path) }
        let free = wanted.filter { !isOne(names, $0) }
        var parts = named.map { (name: $0.mount.path, bytes: $0.bytes) }
        if others.count == free.count {
            parts += zip(free, others).map { (name: $0, bytes: $1.bytes) }
        } else if parts.isEmpty {
            parts = others.prefix(1).map { (name: $0.mount.path, bytes: $0.bytes) }
        }
        return parts
    }

    /// Files as `multipart/form-data`, without media types, as other supervisors send them.
    private static func form(
        _ files: [(name: String, bytes: [UInt8])]
    ) -> (body: [UInt8], type: String) {
        let boundary =
            "wasmd" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
            + String(UInt64.random(in: 0...UInt64.max), radix: 16)
        var body: [UInt8] = []
        for file in files {
            let name = escaped(file.name)
            body += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"".utf8)
            body += name
            body += Array("\"; filename=\"".utf8) + name + Array("\"\r\n\r\n".utf8)
            body += file.bytes
            body += Array("\r\n".utf8)
        }
        body += Array("--\(boundary)--\r\n".utf8)
        return (body, "multipart/form-data; boundary=\(boundary)")
    }

    /// As WHATWG HTML escapes names in forms.
    private static func escaped(_ name: String) -> [UInt8] {
        name.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x0d: Array("%0D".utf8)
            case 0x0a: Array("%0A".utf8)
            case 0x22: Array("%22".utf8)
            default: [byte]
            }
        }
    }
}
