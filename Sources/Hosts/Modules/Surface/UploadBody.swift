import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage
import WasmdWasmiot

/// The body of a request: fields and files of a form, or a document.
struct UploadBody: Sendable {
    enum Kind: Sendable { case none, multipart, urlencoded, json }

    var kind: Kind
    /// JSON, or fields of a form with their brackets resolved.
    var document: Document
    var files: [UploadedFile] = []
    /// Bytes of the document as it was sent.
    var byteCount = 0

    /// Bytes of all text fields of a form.
    private static let fieldLimit = 4 << 20
    private static let partLimit = 256
    /// Bytes of a body that is no form with files.
    private static let documentLimit = 16 << 20

    /// - Parameters:
    ///   - limit: bytes of the body.
    ///   - store: where files go that are not small.
    static func read(
        _ request: ServerRequest, limit: Int, _ store: RecordStore
    ) async throws -> UploadBody {
        let type = request.fields.contentType
        if type?.matches("multipart/form-data") == true {
            return try await multipart(request, limit, store)
        }
        let bytes = try await request.body(limit: min(limit, documentLimit))
        if type?.matches("application/x-www-form-urlencoded") == true {
            do {
                let document = try await request.loop.computing(over: bytes.count) {
                    try URLEncodedForm.read(bytes)
                }
                return UploadBody(
                    kind: .urlencoded, document: document, byteCount: bytes.count)
            } catch let error as FormError {
                throw Failure(.badRequest, "the form is malformed", "\(error)")
            }
        }
        guard bytes.contains(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }) else {
            return UploadBody(kind: .none, document: .object([]))
        }
        let isJSON =
            type == nil || type?.matches("application/json") == true
            || type?.matches("text/plain") == true
        guard isJSON else {
            throw Failure(
                .unsupportedMediaType, "unsupported media type",
                "send application/json, multipart/form-data or application/x-www-form-urlencoded")
        }
        return UploadBody(
            kind: .json, document: try await json(bytes, on: request.loop),
            byteCount: bytes.count)
    }

    /// Reads JSON without holding the loop.
    static func json(_ bytes: [UInt8], on loop: EventLoop) async throws -> Document {
        do {
            return try await ClientJSON.read(bytes, options: .tolerant, values: 1 << 20, on: loop)
        } catch let error as JSONError {
            throw Failure(.badRequest, "the body is no JSON", "\(error)")
        }
    }

    // MARK: Multipart

    private static func multipart(
        _ request: ServerRequest, _ limit: Int, _ store: RecordStore
    ) async throws -> UploadBody {
        try request.limitBody(to: UInt64(clamping: limit))
        var limits = MultipartParser.Limits()
        limits.bytes = limit
        limits.partBytes = limit
        limits.fieldBytes = fieldLimit
        limits.parts = partLimit
        var fields: [(name: [UInt8], value: [UInt8])] = []
        var files: [UploadedFile] = []
        do {
            var parser = try MultipartParser(
                contentType: Array(request.fields.first("content-type") ?? []), limits: limits)
            var header: MultipartHeader?
            var text: [UInt8] = []
            var collector = FileCollector(store)
            while let piece = try await request.next() {
                for event in try parser.feed(piece) {
                    switch event {
                    case .begin(let begun):
                        header = begun
                        text = []
                        collector = FileCollector(store)
                    case .content(let bytes):
                        if header?.fileName == nil {
                            text += bytes
                        } else {
                            try await collector.add(bytes, on: request.loop)
                        }
                    case .end:
                        guard let ended = header else { continue }
                        if ended.fileName == nil {
                            fields.append((ended.name, text))
                        } else {
                            let content = try await collector.finish(on: request.loop)
                            files.append(try file(ended, content, collector.beginning))
                        }
                    }
                }
            }
            try parser.finish()
        } catch let error as FormError {
            throw Failure(.badRequest, "the form is malformed", "\(error)")
        }
        let count = fields.reduce(0) { $0 + $1.name.count + $1.value.count }
        let read = fields
        let document = try await request.loop.computing(over: count) { try nested(read) }
        return UploadBody(
            kind: .multipart, document: document, files: files, byteCount: count)
    }

    private static func file(
        _ header: MultipartHeader, _ content: UploadedFile.Content, _ beginning: [UInt8]
    ) throws -> UploadedFile {
        guard let field = String(validating: header.name, as: UTF8.self),
            let name = String(validating: header.fileName ?? [], as: UTF8.self)
        else { throw Failure(.badRequest, "the form is malformed", "a name is no UTF-8") }
        let type = header.contentType.flatMap { MediaType($0[...]) }
        return UploadedFile(
            field: field, fileName: name,
            mediaType: type.map { String(decoding: $0.name, as: UTF8.self).lowercased() }
                ?? "application/octet-stream",
            content: content, beginning: beginning)
    }

    /// Fields with brackets in their names become objects and arrays.
    private static func nested(
        _ fields: [(name: [UInt8], value: [UInt8])]
    ) throws -> Document {
        var text: [UInt8] = []
        for (name, value) in fields {
            if !text.isEmpty { text.append(UInt8(ascii: "&")) }
            text += PercentCoding.encode(name) + [UInt8(ascii: "=")] + PercentCoding.encode(value)
        }
        var options = URLEncodedForm.Options()
        options.bytes = 4 * fieldLimit
        do throws(FormError) {
            return try URLEncodedForm.read(text, options: options)
        } catch {
            throw Failure(.badRequest, "the form is malformed", "\(error)")
        }
    }
}
