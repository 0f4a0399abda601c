import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// Reads the body of a write by its media type.
enum DraftBody {
    /// - Parameters:
    ///   - limit: bytes of a module.
    ///   - uploads: what the bytes are counted in, until nothing refers to the draft.
    /// - Throws: `ExecutorError.tooLarge`, `.busy`, `Failure`, `HTTPServerError`.
    static func read(
        _ request: ServerRequest, _ limit: Int, _ uploads: UploadBudget
    ) async throws -> Executor.Draft {
        do {
            return try await readBody(request, limit, uploads)
        } catch HTTPServerError.request(.bodyTooLarge) {
            throw ExecutorError.tooLarge(limit: limit)
        }
    }

    private static func readBody(
        _ request: ServerRequest, _ limit: Int, _ uploads: UploadBudget
    ) async throws -> Executor.Draft {
        let type = request.fields.contentType
        if type?.matches("application/wasm") == true
            || type?.matches("application/octet-stream") == true
        {
            return try await module([], request, limit, uploads)
        }
        if type?.matches("multipart/form-data") == true {
            return try await form(request, limit, uploads)
        }
        let isJSON =
            type == nil || type?.matches("application/json") == true
            || type?.matches("text/plain") == true
            || type?.matches("application/x-www-form-urlencoded") == true
        guard isJSON else {
            throw Failure(
                .unsupportedMediaType,
                "a module is application/wasm, application/json or multipart/form-data")
        }
        let textLimit = limit * 5 + (1 << 20)
        try request.limitBody(to: UInt64(clamping: textLimit))
        let start = try await request.next() ?? []
        // What a command line sends without a media type.
        if start.starts(with: [0, 0x61, 0x73, 0x6d]) {
            return try await module(start, request, limit, uploads)
        }
        do {
            let share = uploads.share()
            var draft = try await JSONBody.read(
                request, after: start, limit: textLimit, share: share
            ) { try ModuleDraft.read($0) }
            draft.upload = share
            return draft
        } catch let error as JSONError {
            throw Failure(.badRequest, "the body is neither a module nor JSON: \(error)")
        } catch let fault as ModuleDraft.Fault {
            throw Failure(.badRequest, "\(fault)")
        }
    }

    /// A body that is the module; the query may name its function.
    private static func module(
        _ start: [UInt8], _ request: ServerRequest, _ limit: Int, _ uploads: UploadBudget
    ) async throws -> Executor.Draft {
        var draft = Executor.Draft()
        (draft.bytes, draft.upload) = try await uploads.body(
            of: request, after: start, limit: limit)
        let query = try Query(request)
        if let function = try query.text("function") ?? query.text("run_function") {
            draft.function = function
        }
        return draft
    }

    /// Bytes of all text fields together.
    private static let fieldLimit = 1 << 20

    /// Text fields have the names and values of the JSON form; the file is `wasm`.
    private static func form(
        _ request: ServerRequest, _ limit: Int, _ uploads: UploadBudget
    ) async throws -> Executor.Draft {
        try request.limitBody(to: UInt64(clamping: limit + (1 << 20)))
        var members: [Document.Member] = []
        let share = uploads.share()
        do {
            var parser = try MultipartParser(
                contentType: Array(request.fields.first("content-type") ?? []))
            var name = ""
            var content: [UInt8] = []
            var fieldBytes = 0
            while let piece = try await request.next() {
                try share.take(piece.count)
                for event in try parser.feed(piece) {
                    switch event {
                    case .begin(let header):
                        name = String(decoding: header.name, as: UTF8.self)
                        content = []
                    case .content(let bytes): content += bytes
                    case .end:
                        let (field, bytes) = (name, content)
                        if field != "wasm" { fieldBytes += bytes.count }
                        guard fieldBytes <= Self.fieldLimit else {
                            throw Failure(
                                .contentTooLarge,
                                "the fields beside 'wasm' have more than \(Self.fieldLimit) bytes")
                        }
                        let value = try await request.loop.computing(
                            over: name == "wasm" ? 0 : content.count
                        ) { () throws -> Document in try Self.value(field, bytes) }
                        members.append(.init(name, value))
                    }
                }
            }
            try parser.finish()
        } catch let error as FormError {
            throw Failure(.badRequest, "the form is malformed: \(error)")
        }
        do throws(ModuleDraft.Fault) {
            var draft = try ModuleDraft.read(.object(members))
            draft.upload = share
            return draft
        } catch {
            throw Failure(.badRequest, "\(error)")
        }
    }

    /// A field: JSON where it is an array, an object or null, else a text.
    private static func value(_ name: String, _ content: [UInt8]) throws -> Document {
        if name == "wasm" { return .bytes(content) }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw Failure(.badRequest, "the field '\(name)' is no UTF-8")
        }
        let first = content.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }
        guard first == UInt8(ascii: "[") || first == UInt8(ascii: "{") else {
            return .string(text)
        }
        do throws(JSONError) {
            // Lists of parameters: small.
            var options = JSONOptions()
            options.limits.values = ClientJSON.valueLimit
            return try JSONReader.read(content, options: options)
        } catch {
            throw Failure(.badRequest, "the field '\(name)' is no JSON: \(error)")
        }
    }
}

extension UploadBudget {
    /// The same without waiting; nil if the body has not arrived.
    func bufferedBody(
        of request: ServerRequest, limit: Int
    ) throws -> (bytes: [UInt8], share: Share)? {
        guard let bytes = try request.bufferedBody(limit: limit) else { return nil }
        let share = share()
        try share.take(bytes.count)
        return (bytes, share)
    }

    /// The whole body of a request, and what keeps its bytes counted.
    ///
    /// - Parameter start: what was read already.
    /// - Throws: `ExecutorError.busy` if there are too many; `HTTPServerError`.
    func body(
        of request: ServerRequest, after start: [UInt8] = [], limit: Int
    ) async throws -> (bytes: [UInt8], share: Share) {
        let share = share()
        try request.limitBody(to: UInt64(clamping: limit))
        try share.take(start.count)
        var bytes = start
        while let piece = try await request.next() {
            try share.take(piece.count)
            bytes += piece
        }
        return (bytes, share)
    }
}
