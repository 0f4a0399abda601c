import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdImages
import WasmdOperation

/// `/admin/othismo`: the objects of a served image, for operators and for the command line.
public struct ImageSurface: Sendable {
    private let server: ImageServer

    /// Bytes of a module at most.
    private static let moduleLimit = 64 << 20

    public static func make(_ server: ImageServer) -> RoutedSurface {
        let surface = ImageSurface(server: server)
        let handlers: [String: RoutedSurface.Handler] = [
            "listImageObjects": surface.list, "removeImageObject": surface.remove,
            "sendImageMessage": surface.send, "importImageModule": surface.importModule,
            "listConsoleMessages": surface.console,
        ]
        let rows = api.operations.compactMap { operation in
            handlers[operation.name].map { RoutedSurface.Row(operation, $0) }
        }
        return RoutedSurface("othismo_admin", rows)
    }

    @Sendable private func list(_ request: RoutedRequest) async throws {
        let prefix = Array((try request.query("prefix") ?? "").utf8)
        let last = try request.query("after").map { Array($0.utf8) }
        let limit = try request.number("limit", in: 1...10_000) ?? 1000
        let image = server.image
        let entries = try await checked {
            try await request.loop.blocking {
                try ImageEntry.all(in: image, prefix: prefix, after: last, limit: limit + 1)
            }
        }
        let next: Document =
            entries.count > limit
            ? .string(String(decoding: entries[limit - 1].path, as: UTF8.self)) : .null
        try await request.respond(
            .object([
                .init("items", .array(entries.prefix(limit).map(\.document))), .init("next", next),
            ]))
    }

    @Sendable private func send(_ request: RoutedRequest) async throws {
        let milliseconds = try request.number("timeout", in: 1...3_600_000) ?? 10_000
        let body = try await request.request.body(limit: Envelope.maximumBytes)
        let isBSON =
            request.request.fields.first("content-type")?
            .elementsEqual("application/bson".utf8) == true
        var envelope: Envelope
        do {
            envelope = try await request.loop.computing(over: body.count) {
                isBSON
                    ? try Envelope(body)
                    : Envelope(MessageDocument.read(try JSONReader.read(body)))
            }
        } catch let error as LoopError {
            throw error
        } catch {
            throw APIFailure(.badRequest, "the body is no message: \(error)")
        }
        guard envelope.sendTo != nil else {
            throw APIFailure(.badRequest, "the message has no 'othismo' with 'send_to'")
        }
        envelope.responseID = nil
        let message = envelope
        let outcome = try await checked {
            try await server.ask(
                message, for: .milliseconds(milliseconds), on: request.loop)
        }
        let answer = Document.object([
            .init("answers", .array(outcome.documents)),
            .init("complete", .boolean(outcome.isComplete)),
        ])
        var head = ResponseHead(.ok)
        try head.fields.append("Cache-Control", "no-store")
        if isBSON {
            try head.fields.append("Content-Type", "application/bson")
            // Nobody knows how large the answers of objects are before they are written.
            let bytes = try await request.loop.computing(over: .max) { try BSON.write(answer) }
            try await request.response.respond(head, bytes)
        } else {
            try head.fields.append("Content-Type", "application/json")
            let bytes = try await request.loop.computing(over: .max) {
                Array((MessageDocument.line(answer) + "\n").utf8)
            }
            try await request.response.respond(head, bytes)
        }
    }

    @Sendable private func importModule(_ request: RoutedRequest) async throws {
        guard let name = try request.query("name") else {
            throw APIFailure(.badRequest, "the query has no 'name'")
        }
        let path = Array(name.utf8)
        let native = try request.query("native")
        let bytes = try await request.request.body(limit: Self.moduleLimit)
        try await checked {
            if let native {
                guard let kind = NativeKind(rawValue: native) else {
                    throw APIFailure(.badRequest, "the host has no module of this name")
                }
                try await server.importNative(kind, named: path, on: request.loop)
            } else {
                try await server.importModule(bytes, named: path, on: request.loop)
            }
        }
        try await request.respond(.object([.init("path", .string(name))]), .created)
    }

    @Sendable private func remove(_ request: RoutedRequest) async throws {
        guard let path = try request.query("path") else {
            throw APIFailure(.badRequest, "the query has no 'path'")
        }
        try await checked { try await server.remove(Array(path.utf8), on: request.loop) }
        try await request.respond(.object([.init("path", .string(path))]))
    }

    @Sendable private func console(_ request: RoutedRequest) async throws {
        let limit = try request.number("limit", in: 1...1000) ?? 100
        let items = Document.array(server.console.last(limit))
        var head = ResponseHead(.ok)
        try head.fields.append("Cache-Control", "no-store")
        try head.fields.append("Content-Type", "application/json")
        let bytes = try await request.loop.computing(over: .max) {
            Array((MessageDocument.line(.object([.init("items", items)])) + "\n").utf8)
        }
        try await request.response.respond(head, bytes)
    }

    /// Says with statuses why something was not done.
    private func checked<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as ImageError {
            switch error {
            case .noObject: throw APIFailure(.notFound, "there is no object at this path")
            case .objectExists:
                throw APIFailure(.conflict, "there is an object at this path already")
            case .objectLinked: throw APIFailure(.conflict, "other objects refer to this one")
            default: throw APIFailure(.serviceUnavailable, "the image: \(error)")
            }
        } catch let error as ImportedModule.Failure {
            switch error {
            case .invalid(let reason): throw APIFailure(.badRequest, reason)
            case .unsupported(let what):
                throw APIFailure(.badRequest, "the module has what images cannot hold: \(what)")
            }
        } catch let error as MessageError {
            throw APIFailure(.conflict, "\(error.code): \(error)")
        } catch is ImageServer.Overload {
            throw APIFailure(.serviceUnavailable, "too many requests wait for the image")
        }
    }

    // MARK: The interface

    public static let api = APITable(
        "othismo", "Objects of an image that exchange messages.",
        [
            APIOperation(
                .get, "/admin/othismo/objects", "listImageObjects", "Paths of the image.",
                needs: .admin
            ).with(
                .init("prefix", .query, .text, "What paths begin with."),
                .init("after", .query, .text, "The 'next' of the page before."),
                .init("limit", .query, .number(1...10_000), "How many; 1000 without it.")
            ).answering(.init(200, "A page.", .json("ImageObjectPage"))),
            APIOperation(
                .delete, "/admin/othismo/objects", "removeImageObject",
                "Remove an object, a link, a folder or a mount.", needs: .admin
            ).with(.init("path", .query, .text, "Its path.", isRequired: true))
                .answering(.init(200, "It is gone.", .json("ImagePath"))),
            APIOperation(
                .post, "/admin/othismo/messages", "sendImageMessage",
                "Send a message, and wait for its answer.", needs: .admin
            ).with(
                .init(
                    "timeout", .query, .number(1...3_600_000),
                    "Milliseconds to wait; 10,000 without it.")
            ).taking(
                .json("ImageMessage"), .init("application/bson")
            ).answering(
                .init(
                    200, "What arrived at the console for it.", .json("ImageAnswers"),
                    .init("application/bson"))),
            APIOperation(
                .post, "/admin/othismo/modules", "importImageModule", "Add a module.",
                needs: .admin
            ).with(
                .init("name", .query, .text, "The path of the module.", isRequired: true),
                .init(
                    "native", .query, .words(NativeKind.allCases.map(\.rawValue)),
                    "A module of the host, instead of the body.")
            ).taking(.init("application/wasm"), optional: true)
                .answering(.init(201, "It is there.", .json("ImagePath"))),
            APIOperation(
                .get, "/admin/othismo/console", "listConsoleMessages",
                "Messages that arrived at the console.", needs: .admin
            ).with(.init("limit", .query, .number(1...1000), "How many; 100 without it."))
                .answering(.init(200, "The last ones, oldest first.", .json("ConsoleMessages"))),
        ], schemas: schemas)

    private static let schemas: [Document.Member] = [
        .init("ImagePath", APISchema.object(["path": APISchema.type("string")])),
        .init(
            "ImageObjectPage",
            APISchema.object([
                "items": APISchema.array(
                    APISchema.object([
                        "path": APISchema.type("string"),
                        "kind": APISchema.type(
                            "string", "module, instance, folder, link or mount."),
                        "size?": APISchema.type("integer", "Bytes of the module at rest."),
                        "target?": APISchema.type(
                            "string", "What a link means, or the kind of an object of the host."),
                    ])),
                "next": .boolean(true),
            ])),
        .init(
            "ImageMessage",
            APISchema.type(
                "object",
                "A message: 'othismo' with 'send_to', and other members; or one member whose name "
                    + "is the path of an object, a slash and the type. {\"$binary\": BASE64} is "
                    + "binary.")),
        .init(
            "ImageAnswers",
            APISchema.object([
                "answers": APISchema.array(APISchema.type("object")),
                "complete": APISchema.type("boolean", "False if the time was over."),
            ])),
        .init(
            "ConsoleMessages",
            APISchema.object(["items": APISchema.array(APISchema.type("object"))])),
    ]
}
