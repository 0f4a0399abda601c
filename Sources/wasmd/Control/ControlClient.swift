import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient

/// Speaks to a server for `wasmd ctl`: one request at a time, each waits for its end.
struct ControlClient {
    let server: ControlServer
    private let token: [UInt8]?

    /// A response.
    struct Answer: Sendable {
        let status: UInt16
        let fields: Fields
        let bytes: [UInt8]

        func field(_ name: StaticString) -> String? {
            fields.first(name).map { HarmlessText.text($0) }
        }
    }

    init(_ server: ControlServer, tokenFile: Word?) throws(Refusal) {
        self.server = server
        guard let tokenFile else {
            token = nil
            return
        }
        let content = try openModule(tokenFile)
        let bytes = content[content.range]
        let blanks: [UInt8] = [0x0a, 0x0d, 0x20]
        let secret: ArraySlice<UInt8> = bytes.split { blanks.contains($0) }.first ?? []
        guard !secret.isEmpty, secret.allSatisfy({ 0x21...0x7e ~= $0 }) else {
            throw Refusal(
                file: printable(tokenFile.text), reason: "there is no token in it",
                hint: "Its first line is the token, as 'wasmd token' printed it.")
        }
        token = Array(secret)
    }

    /// Sends a request and returns the whole response.
    func send(
        _ method: Method, _ path: String, _ body: [UInt8] = [], type: StaticString? = nil,
        accept: StaticString? = nil
    ) throws(Refusal) -> Answer {
        let request = try request(method, path, body, type, accept)
        return try perform { client in
            let response = try await client.send(request)
            return Answer(
                status: response.status.code, fields: response.fields,
                bytes: try await response.body(limit: 1 << 30))
        }
    }

    /// The same for a body that is taken in pieces, as they come, if the status is 200.
    func stream(
        _ method: Method, _ path: String, accept: StaticString? = nil,
        _ take: @escaping @Sendable ([UInt8]) throws -> Void
    ) throws(Refusal) -> Answer {
        let request = try request(method, path, [], nil, accept)
        return try perform { client in
            let response = try await client.send(request)
            var bytes: [UInt8] = []
            if response.status == .ok {
                while let piece = try await response.next() { try take(piece) }
            } else {
                bytes = try await response.body(limit: 1 << 20)
            }
            return Answer(status: response.status.code, fields: response.fields, bytes: bytes)
        }
    }

    /// A response that must be a success, as JSON.
    func json(
        _ method: Method, _ path: String, _ body: [UInt8] = [], type: StaticString? = nil
    ) throws(Refusal) -> Document {
        try document(checked(send(method, path, body, type: type, accept: "application/json")))
    }

    func document(_ answer: Answer) throws(Refusal) -> Document {
        do throws(JSONError) {
            return try JSONReader.read(answer.bytes)
        } catch {
            throw Refusal(
                file: server.text, reason: "the answer is no JSON: \(error)",
                hint: "Is this the admin interface of wasmd?")
        }
    }

    /// Throws what an answer says if it is no success.
    func checked(_ answer: Answer) throws(Refusal) -> Answer {
        if (200..<300).contains(answer.status) { return answer }
        let said = (try? JSONReader.read(answer.bytes))?["error"]?["message"]?.stringValue
        let text =
            said.map { HarmlessText.text($0, atMost: 2000) }
            ?? HarmlessText.text(
                answer.bytes.prefix(200).split(separator: 0x0a).first ?? [])
        let hint: String? =
            switch answer.status {
            case 401: "Name the file that has the token: --token-file FILE."
            case 403 where answer.field("www-authenticate") != nil:
                "This needs a token with another scope: see 'tokens' of the configuration."
            case 404 where said == nil:
                "The server has no admin interface at this address: name the one of --console."
            case 503: "Try again in a moment."
            default: nil
            }
        let reason = text.isEmpty ? "status \(answer.status)" : text
        throw Refusal(file: server.text, reason: reason, hint: hint)
    }

    // MARK: Requests

    private func request(
        _ method: Method, _ path: String, _ body: [UInt8], _ type: StaticString?,
        _ accept: StaticString?
    ) throws(Refusal) -> ClientRequest {
        let base: String
        var socket: [UInt8]?
        switch server {
        case .socket(let path): (base, socket) = ("http://localhost", path)
        case .url(let url): base = url
        }
        guard let url = URL(Array((base + path).utf8)) else {
            throw Refusal(
                file: server.text, reason: "this is no URL",
                hint: "Write it as http://HOST:PORT.")
        }
        var request = ClientRequest(method, url, body: body.isEmpty ? .none : .bytes(body))
        request.unixPath = socket
        do {
            if let type { try request.fields.append("Content-Type", "\(type)") }
            if let accept { try request.fields.append("Accept", "\(accept)") }
            if let token {
                try request.fields.append("Authorization", Array("Bearer ".utf8) + token)
            }
        } catch {
            throw Refusal(file: server.text, reason: "\(error)")
        }
        return request
    }

    private func perform(
        _ body: sending @escaping (HTTPClient) async throws -> Answer
    ) throws(Refusal) -> Answer {
        var options = HTTPClientOptions()
        options.resolver = .ofSystem()
        options.redirectLimit = 0
        // Compacting and checking a large store take long.
        options.responseTimeout = .seconds(86_400)
        options.transferTimeout = .seconds(3600)
        let settings = options
        do {
            return try EventLoop().run { loop in try await body(HTTPClient(settings, on: loop)) }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw refusal(error)
        }
    }

    private func refusal(_ error: any Error) -> Refusal {
        var hint: String?
        var reason = "\(error)"
        switch error {
        case HTTPClientError.connecting(.system(let cause))
        where cause == .noent || cause == .connrefused:
            reason = "no server is there"
            hint = "Start one with 'wasmd serve', or name it with --server."
        case HTTPClientError.connecting(.system(let cause)) where cause == .acces:
            reason = "this user may not use the server's socket"
            hint = "It is for the user that the server runs as, and for root."
        case HTTPClientError.disconnected:
            hint = "The socket is for the user that the server runs as, and for root."
            if case .url = server { hint = nil }
        default: break
        }
        return Refusal(file: server.text, reason: printable(reason), hint: hint)
    }
}
