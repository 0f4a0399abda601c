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
        let request = try Self.request(next, output)
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
            throw RunFault.next("the next endpoint refused (\(status.code)): \(text)")
        }
        if let result = document["result"], result != .null { return result }
        guard let url = document["resultUrl"]?.stringValue else {
            throw RunFault.next(
                "the next endpoint returned neither 'result' nor 'resultUrl' (\(status.code))")
        }
        return .string(url)
    }

    private static func request(
        _ next: Endpoint, _ output: RunOutput
    ) throws(RunFault) -> ClientRequest {
        var text = Array((next.url + next.path).utf8)
        if let value = output.value,
            let parameter = next.parameters.first(where: { $0.place == "query" })
        {
            text.append(UInt8(ascii: "?"))
            text += PercentCoding.encode(Array(parameter.name.utf8))
            text.append(UInt8(ascii: "="))
            text += PercentCoding.encode(Array(value.utf8))
        }
        guard let url = URL(text), let method = Method(Array(next.method.uppercased().utf8)) else {
            throw .next("the next endpoint '\(next.url)\(next.path)' is no URL")
        }
        guard output.value == nil else { return ClientRequest(method, url) }
        var request = ClientRequest(method == .get || method == .head ? .post : method, url)
        let (body, type) = form(output.files, next)
        do throws(WritingFault) {
            try request.fields.append("Content-Type", type)
        } catch {
            throw .next("\(error)")
        }
        request.body = .bytes(body)
        return request
    }

    /// The files as `multipart/form-data`, without media types, as other supervisors send them.
    private static func form(
        _ files: [RunOutput.File], _ next: Endpoint
    ) -> (body: [UInt8], type: String) {
        let boundary =
            "wasmd" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
            + String(UInt64.random(in: 0...UInt64.max), radix: 16)
        var body: [UInt8] = []
        // The result; other output files are not for the next function.
        for file in files.prefix(1) {
            let name = escaped(field(file.mount.path, next))
            body += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"".utf8)
            body += name
            body += Array("\"; filename=\"".utf8) + name + Array("\"\r\n\r\n".utf8)
            body += file.bytes
            body += Array("\r\n".utf8)
        }
        body += Array("--\(boundary)--\r\n".utf8)
        return (body, "multipart/form-data; boundary=\(boundary)")
    }

    /// The field of the next endpoint: of the file's own name, or its only one.
    private static func field(_ name: String, _ next: Endpoint) -> String {
        let wanted = next.body?.schema["properties"]?.objectValue?.map(\.name) ?? []
        let isWanted = wanted.contains { $0.utf8.elementsEqual(name.utf8) }
        if !isWanted, wanted.count == 1, let only = wanted.first { return only }
        return name
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
