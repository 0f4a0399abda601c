import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// Reads the body of a write by its media type.
enum DraftBody {
    /// - Parameter limit: bytes of a module.
    /// - Throws: `ExecutorError.tooLarge`, `Failure`, `HTTPServerError`.
    static func read(_ request: ServerRequest, _ limit: Int) async throws -> Executor.Draft {
        do {
            return try await readBody(request, limit)
        } catch HTTPServerError.request(.bodyTooLarge) {
            throw ExecutorError.tooLarge(limit: limit)
        }
    }

    private static func readBody(
        _ request: ServerRequest, _ limit: Int
    ) async throws -> Executor.Draft {
        let type = request.fields.contentType
        if type?.matches("application/wasm") == true
            || type?.matches("application/octet-stream") == true
        {
            var draft = Executor.Draft()
            draft.bytes = try await request.body(limit: limit)
            let query = try Query(request)
            if let function = try query.text("function") ?? query.text("run_function") {
                draft.function = function
            }
            return draft
        }
        if type?.matches("multipart/form-data") == true {
            return try await form(request, limit)
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
        do {
            return try ModuleDraft.read(
                try await JSONBody.read(request, limit: limit * 5 + (1 << 20)))
        } catch let error as JSONError {
            throw Failure(.badRequest, "the body is no JSON: \(error)")
        } catch let fault as ModuleDraft.Fault {
            throw Failure(.badRequest, "\(fault)")
        }
    }

    /// Text fields have the names and values of the JSON form; the file is `wasm`.
    private static func form(
        _ request: ServerRequest, _ limit: Int
    ) async throws -> Executor.Draft {
        try request.limitBody(to: UInt64(clamping: limit + (1 << 20)))
        var members: [Document.Member] = []
        do {
            var parser = try MultipartParser(
                contentType: Array(request.fields.first("content-type") ?? []))
            var name = ""
            var content: [UInt8] = []
            while let piece = try await request.next() {
                for event in try parser.feed(piece) {
                    switch event {
                    case .begin(let header):
                        name = String(decoding: header.name, as: UTF8.self)
                        content = []
                    case .content(let bytes): content += bytes
                    case .end:
                        members.append(.init(name, try value(name, content)))
                    }
                }
            }
            try parser.finish()
        } catch let error as FormError {
            throw Failure(.badRequest, "the form is malformed: \(error)")
        }
        do throws(ModuleDraft.Fault) {
            return try ModuleDraft.read(.object(members))
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
            return try JSONReader.read(content)
        } catch {
            throw Failure(.badRequest, "the field '\(name)' is no JSON: \(error)")
        }
    }
}
