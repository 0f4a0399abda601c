import WasmSystem
import WasmdDocuments
import WasmdOthismo

/// What the verbs do, for the command line and for the shell.
struct ImageVerbs {
    let session: any ImageSession
    /// Nanoseconds to wait for messages in flight.
    let timeout: Int64

    init(_ session: any ImageSession, timeout: Int64) {
        self.session = session
        self.timeout = timeout
    }

    // MARK: Objects

    /// Adds the module in a file, or a module of the host.
    func importModule(_ file: Word, name: Word?) throws(OthismoFailure) {
        if let kind = NativeKind(rawValue: file.text) {
            return try session.importNative(kind, named: name?.bytes ?? file.bytes)
        }
        let bytes: [UInt8]
        do throws(Refusal) {
            let module = try ModuleFile(file)
            bytes = module.bytes[module.bytes.range]
        } catch {
            throw .text(error.text)
        }
        try session.importModule(bytes, named: name?.bytes ?? Self.name(of: file))
    }

    /// The file's name without its folder and ending.
    private static func name(of file: Word) -> [UInt8] {
        let name = file.lastComponent ?? file
        guard let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0 else {
            return name.bytes
        }
        return Array(name.bytes[..<dot])
    }

    func instantiate(_ module: Word, _ name: Word) throws(OthismoFailure) {
        try change("othismo.namespace.instantiate", [("module", module), ("name", name)])
    }

    func makePath(_ path: Word) throws(OthismoFailure) {
        try change("othismo.namespace.make_path", [("path", path)])
    }

    func link(_ target: Word, _ path: Word) throws(OthismoFailure) {
        try change("othismo.namespace.sym_link", [("path", path), ("target", target)])
    }

    func mount(_ target: Word, _ path: Word) throws(OthismoFailure) {
        try change("othismo.namespace.mount", [("path", path), ("target", target)])
    }

    private func change(
        _ key: String, _ fields: [(String, Word)]
    ) throws(OthismoFailure) {
        try session.change(
            Document.Member(
                key, .object(fields.map { Document.Member($0.0, .string($0.1.text)) })))
    }

    // MARK: Messages

    /// Sends a message to the first word, or handles what waits if there is none.
    ///
    /// - Returns: as `ImageSession.send`.
    func send(
        _ words: [Word], _ print: (String) -> Void
    ) throws(OthismoFailure) -> Int? {
        func line(_ document: Document) { print(MessageDocument.line(document)) }
        guard let target = words.first else { return try session.send(nil, for: timeout, line) }
        let payload = try MessageText.payload(Array(words.dropFirst()), blob: blob)
        if payload.count == 1, let source = payload.first,
            source.name == "cp" || source.name == "othismo.blobs",
            let folder = source.value.stringValue ?? source.value["cp"]?.stringValue,
            let object = try blobObject(target.bytes)
        {
            let copied = try BlobCopy(session, object).copy(Word(folder))
            line(copied)
            return nil
        }
        return try session.send(
            Envelope(sendTo: target.bytes, payload: payload), for: timeout, line)
    }

    /// The path of the object of blobs that a path means; nil if it is another object.
    private func blobObject(_ path: [UInt8]) throws(OthismoFailure) -> [UInt8]? {
        var path = path
        for _ in 0..<16 {
            guard let entry = try session.entries(prefix: path).first(where: { $0.path == path })
            else { return nil }
            switch entry.kind {
            case .instance: return entry.target == NativeKind.blobs.rawValue ? path : nil
            case .link, .mount: path = Array((entry.target ?? "").utf8)
            default: return nil
            }
        }
        return nil
    }

    /// The blob at a path: that of its object, a slash and its name.
    private func blob(_ path: Word) throws(OthismoFailure) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        var end = path.bytes.lastIndex(of: slash)
        while let split = end, split > 0 {
            let object = Array(path.bytes[..<split])
            if let object = try blobObject(object) {
                let name = Word(bytes: path.bytes[(split + 1)...])
                var answers: [Document] = []
                let request = Document.Member(
                    "othismo.blobs.get", .object([.init("name", .string(name.text))]))
                _ = try session.send(
                    Envelope(sendTo: object, payload: [request]), for: timeout
                ) { answers.append($0) }
                if let error = OthismoFailure(answer: answers.first) { throw error }
                let answer = answers.first?["othismo.blobs.get.response"]
                if case .bytes(let bytes)? = answer?["content"] { return bytes }
            }
            end = path.bytes[..<split].lastIndex(of: slash)
        }
        throw .text("\(printable(path.text)): there is no such blob in the image")
    }
}
