import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdOperation
import WasmdWATM

/// `/admin/transports`: the transports of a daemon and their connections.
struct TransportSurface: Sendable {
    private let transports: [ServedTransport]

    static func make(_ transports: [ServedTransport]) -> RoutedSurface {
        let surface = TransportSurface(transports: transports)
        let handlers: [String: RoutedSurface.Handler] = [
            "listTransports": surface.list, "showTransport": surface.show,
            "reloadTransport": surface.reload, "endConnection": surface.end,
        ]
        let rows = api.operations.compactMap { operation in
            handlers[operation.name].map { RoutedSurface.Row(operation, $0) }
        }
        return RoutedSurface("transports", rows)
    }

    private func transport(_ request: RoutedRequest) throws -> ServedTransport {
        let name = request.text("name")
        guard let found = transports.first(where: { $0.name == name }) else {
            throw APIFailure(.notFound, "there is no transport with this name")
        }
        return found
    }

    @Sendable private func list(_ request: RoutedRequest) async throws {
        try await request.respond(
            .object([.init("transports", .array(transports.map { .object(facts($0)) }))]))
    }

    @Sendable private func show(_ request: RoutedRequest) async throws {
        let transport = try transport(request)
        let limit = try request.number("limit", in: 1...10_000) ?? 100
        let connections = await transport.service.connections(limit: limit)
        try await request.respond(
            .object(
                facts(transport) + [.init("open", .array(connections.map(Self.document)))]))
    }

    @Sendable private func reload(_ request: RoutedRequest) async throws {
        let transport = try transport(request)
        let result = try await request.loop.blocking { () -> Result<Bool, Refusal> in
            do throws(Refusal) {
                guard let change = try transport.change(to: transport.section) else {
                    return .success(false)
                }
                change.make()
                return .success(true)
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let isNew):
            if isNew { ServeMessages.write("reloaded", about: .transport(transport.name)) }
            try await request.respond(.object([.init("changed", .boolean(isNew))]))
        case .failure(let refusal):
            throw APIFailure(.conflict, "nothing was changed: \(refusal.singleLine)")
        }
    }

    @Sendable private func end(_ request: RoutedRequest) async throws {
        let transport = try transport(request)
        guard let number = UInt64(request.text("number")) else {
            throw APIFailure(.notFound, "this is no number of a connection")
        }
        guard await transport.service.cancel(number) else {
            throw APIFailure(.notFound, "there is no open connection with this number")
        }
        try await request.respond(.object([.init("ended", .whole(number))]), .accepted)
    }

    // MARK: Documents

    private func facts(_ transport: ServedTransport) -> [Document.Member] {
        let service = transport.service
        let counts = service.statistics
        let ages = service.ages.map(\.inSeconds)
        return [
            .init("name", .string(transport.name)),
            .init("role", .string(service.role.rawValue)),
            .init(
                "modules",
                .array(
                    zip(transport.modulePaths, service.chain).map { path, transport in
                        .object([
                            .init("file", .string(path.text)),
                            .init("version", .string(transport.version.rawValue)),
                            .init("forked", .boolean(transport.isForked)),
                        ])
                    })),
            .init(
                "listen",
                .array(transport.places.map { .string($0) })),
            .init("remote", service.remote.map { .string("\($0)") } ?? .null),
            .init("connections", .whole(counts.live)),
            .init("limit", .whole(service.connectionLimit)),
            .init("accepted", .whole(counts.accepted)), .init("ended", .whole(counts.ended)),
            .init("failed", .whole(counts.failed)), .init("refused", .whole(counts.refused)),
            .init("bytes_forth", .whole(counts.bytesForth)),
            .init("bytes_back", .whole(counts.bytesBack)),
            .init("datagrams_received", .whole(counts.datagramsReceived)),
            .init("datagrams_sent", .whole(counts.datagramsSent)),
            .init("datagrams_dropped", .whole(counts.datagramsDropped)),
            .init("replacements", .whole(counts.replacements)),
            .init("oldest_seconds", .double(ages.max() ?? 0)),
        ]
    }

    private static func document(_ connection: TransportSummary) -> Document {
        .object([
            .init("number", .whole(connection.number)), .init("peer", .string(connection.peer)),
            .init("seconds", .double(connection.age.inSeconds)),
            .init(
                "start_seconds", connection.startTime.map { .double($0.inSeconds) } ?? .null),
            .init("bytes_forth", .whole(connection.bytesForth)),
            .init("bytes_back", .whole(connection.bytesBack)),
        ])
    }

    static let api = APITable(
        "transports", "Transports and their connections.",
        [
            APIOperation(
                .get, "/admin/transports", "listTransports", "The transports.", needs: .admin
            ).answering(.init(200, "All transports.", .json("Transports"))),
            APIOperation(
                .get, "/admin/transports/{name}", "showTransport",
                "A transport with its open connections.", needs: .admin
            ).with(
                .init("name", .path, .text, "Its name in the configuration."),
                .init("limit", .query, .number(1...10_000), "How many connections; 100 without it.")
            ).answering(.init(200, "The transport.", .json("Transport"))),
            APIOperation(
                .post, "/admin/transports/{name}/reload", "reloadTransport",
                "Reads its modules and configuration again: new connections get them.",
                needs: .admin
            ).with(.init("name", .path, .text, "Its name in the configuration."))
                .answering(
                    .init(200, "Whether something has changed.", .init("application/json"))),
            APIOperation(
                .delete, "/admin/transports/{name}/connections/{number}", "endConnection",
                "Ends an open connection.", needs: .admin
            ).with(
                .init("name", .path, .text, "Its name in the configuration."),
                .init("number", .path, .number(nil), "The connection's number.")
            ).answering(.init(202, "It ends.", .init("application/json"))),
        ],
        schemas: [
            .init("Transport", schema),
            .init(
                "Transports",
                APISchema.object([
                    "transports": APISchema.array(APISchema.reference("Transport"))
                ])),
        ])

    private static var schema: Document {
        let (integer, number, text) = (
            APISchema.type("integer"), APISchema.type("number"), APISchema.type("string")
        )
        return APISchema.object([
            "name": text, "role": text,
            "modules": APISchema.array(
                APISchema.object([
                    "file": text, "version": text, "forked": APISchema.type("boolean"),
                ])),
            "listen": APISchema.array(text),
            "remote": .object([.init("type", .array(["string", "null"]))]),
            "connections": integer, "limit": integer, "accepted": integer, "ended": integer,
            "failed": integer, "refused": integer, "bytes_forth": integer, "bytes_back": integer,
            "datagrams_received": integer, "datagrams_sent": integer,
            "datagrams_dropped": integer, "replacements": integer, "oldest_seconds": number,
            "open?": APISchema.array(
                APISchema.object([
                    "number": integer, "peer": text, "seconds": number,
                    "start_seconds": .object([.init("type", .array(["number", "null"]))]),
                    "bytes_forth": integer, "bytes_back": integer,
                ])),
        ])
    }
}

extension Document {
    /// A count, at most what an integer holds.
    static func whole(_ value: some BinaryInteger) -> Document { .integer(Int64(clamping: value)) }
}
