import WasmSystem
import WasmdDocuments
import WasmdHTTP
import WasmdImages
import WasmdOthismo

/// An image that another process serves, through the socket beside it.
struct ServedSession: ImageSession {
    private let client: ControlClient

    /// The socket of the server of an image.
    static func socketPath(_ image: [UInt8]) -> [UInt8] { image + Array(".sock".utf8) }

    /// Nil if there is no socket: then the process that has the image is no server.
    init?(_ path: [UInt8]) {
        let resolved = Kernel.absolutePath(CString(path: path)) ?? path
        let socket = Self.socketPath(resolved)
        guard (try? Kernel.status(CString(path: socket), followsLink: true)) != nil,
            let client = try? ControlClient(.socket(socket), tokenFile: nil)
        else { return nil }
        self.client = client
    }

    func entries(prefix: [UInt8]) throws(OthismoFailure) -> [ImageEntry] {
        var entries: [ImageEntry] = []
        var query = "prefix=\(encoded(prefix))"
        while true {
            let page = try json(.get, "/admin/othismo/objects?limit=10000&" + query)
            let items = page["items"]?.arrayValue ?? []
            entries += items.compactMap(ImageEntry.init)
            guard !items.isEmpty, let next = page["next"]?.stringValue else { return entries }
            query = "prefix=\(encoded(prefix))&after=\(encoded(Array(next.utf8)))"
        }
    }

    func importModule(_ bytes: [UInt8], named name: [UInt8]) throws(OthismoFailure) {
        _ = try json(
            .post, "/admin/othismo/modules?name=\(encoded(name))", bytes, type: "application/wasm")
    }

    func importNative(_ kind: NativeKind, named name: [UInt8]) throws(OthismoFailure) {
        _ = try json(
            .post, "/admin/othismo/modules?name=\(encoded(name))&native=\(kind.rawValue)")
    }

    func remove(_ path: [UInt8]) throws(OthismoFailure) {
        _ = try json(.delete, "/admin/othismo/objects?path=\(encoded(path))")
    }

    func change(_ request: Document.Member) throws(OthismoFailure) {
        var answers: [Document] = []
        let envelope = Envelope(sendTo: Array("/othismo".utf8), payload: [request])
        _ = try send(envelope, for: 10_000_000_000) { answers.append($0) }
        if let error = OthismoFailure(answer: answers.first) { throw error }
    }

    func send(
        _ envelope: Envelope?, for nanoseconds: Int64, _ print: (Document) -> Void
    ) throws(OthismoFailure) -> Int? {
        // The server handles what waits by itself.
        guard let envelope else { return nil }
        let milliseconds = min(max(nanoseconds / 1_000_000, 1), 3_600_000)
        let answer: Document
        do {
            let received = try client.checked(
                try client.send(
                    .post, "/admin/othismo/messages?timeout=\(milliseconds)",
                    try envelope.encoded(), type: "application/bson"))
            answer = try BSON.read(received.bytes)
        } catch {
            throw OthismoFailure(error)
        }
        for document in answer["answers"]?.arrayValue ?? [] { print(document) }
        return answer["complete"] == true ? nil : 1
    }

    private func encoded(_ bytes: [UInt8]) -> String {
        String(decoding: PercentCoding.encode(bytes), as: UTF8.self)
    }

    private func json(
        _ method: Method, _ path: String, _ body: [UInt8] = [], type: StaticString? = nil
    ) throws(OthismoFailure) -> Document {
        let answer: ControlClient.Answer
        do throws(Refusal) {
            answer = try client.send(method, path, body, type: type, accept: "application/json")
        } catch {
            throw .text(error.text)
        }
        // Errors that the original has names for.
        let said = (try? JSONReader.read(answer.bytes))?["error"]?["message"]?.stringValue ?? ""
        switch answer.status {
        case 404 where said.hasPrefix("there is no object"): throw .image(.noObject(path: []))
        case 409 where said.hasPrefix("there is an object"): throw .image(.objectExists(path: []))
        case 409 where said.hasPrefix("other objects"): throw .image(.objectLinked(path: []))
        default: break
        }
        do throws(Refusal) {
            return try client.document(client.checked(answer))
        } catch {
            throw .text(error.text)
        }
    }
}
