import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// A request of a `RoutedSurface`.
public struct RoutedRequest: Sendable {
    public let request: ServerRequest
    public let response: ServerResponse
    public let requester: Requester
    public let parameters: RouteParameters

    public var loop: EventLoop { request.loop }

    /// Writes JSON.
    public func respond(_ document: Document, _ status: Status = .ok) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "application/json")
        try head.fields.append("Cache-Control", "no-store")
        var bytes = await ClientJSON.write(document, on: loop)
        bytes.append(0x0a)
        try await response.respond(head, bytes)
    }

    /// A parameter of the path as text; empty if it is none.
    public func text(_ name: StaticString) -> String {
        String(decoding: parameters[name] ?? [], as: UTF8.self)
    }

    /// The last value of a name in the query.
    public func query(_ name: String) throws(APIFailure) -> String? {
        let pairs: [URLEncodedForm.Pair]
        do throws(FormError) {
            pairs = try URLEncodedForm.pairs(Array(request.target.query ?? []))
        } catch {
            throw APIFailure(.badRequest, "the query is malformed: \(error)")
        }
        guard let value = pairs.last(where: { $0.name.elementsEqual(name.utf8) })?.value else {
            return nil
        }
        guard let text = String(validating: value, as: UTF8.self) else {
            throw APIFailure(.badRequest, "'\(name)' is no UTF-8")
        }
        return text
    }

    public func number(
        _ name: String, in range: ClosedRange<Int>
    ) throws(APIFailure) -> Int? {
        guard let text = try query(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw APIFailure(
                .badRequest,
                "'\(name)' must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The body as JSON; nil if there is none.
    public func json(limit: Int = 1 << 20) async throws -> Document? {
        let body = try await request.body(limit: limit)
        if body.isEmpty { return nil }
        do {
            return try await ClientJSON.read(body, on: loop)
        } catch let error as JSONError {
            throw APIFailure(.badRequest, "the body is no JSON: \(error)")
        }
    }
}

/// An answer that tells what went wrong: `{"error": {"code", "message"}}`.
public struct APIFailure: Error, Sendable {
    public var status: Status
    public var message: String
    public var limit: String?
    public var allow: [UInt8]?

    public init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }

    var body: [UInt8] {
        var members: [Document.Member] = [
            .init("code", .integer(Int64(status.code))), .init("message", .string(message)),
        ]
        if let limit { members.append(.init("limit", .string(limit))) }
        return JSONWriter.write(.object([.init("error", .object(members))])) + [0x0a]
    }

    func send(_ response: ServerResponse) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "application/json")
        if status == .serviceUnavailable { try head.fields.append("Retry-After", "1") }
        if let allow { try head.fields.append("Allow", allow) }
        try await response.respond(head, body)
    }
}

/// A surface that is made of a table of operations: routes, scopes, 404, 405 and the OpenAPI
/// document come from the same rows, so that they cannot differ.
public final class RoutedSurface: Surface {
    public typealias Handler = @Sendable (RoutedRequest) async throws -> Void

    public struct Row: Sendable {
        public var operation: APIOperation
        public var handler: Handler

        public init(_ operation: APIOperation, _ handler: @escaping Handler) {
            self.operation = operation
            self.handler = handler
        }
    }

    public let name: StaticString
    /// The operations, for the OpenAPI document and for tests.
    public let operations: [APIOperation]
    private let handlers: [Handler]
    private let purposes: [Purpose]
    /// For methods that a path does not take: whoever may use nothing learns nothing.
    private let other: Purpose
    private let router: Router<Int>
    /// What all paths begin with, to find out quickly that a path is not one of them.
    private let beginnings: [[UInt8]]

    /// What needs a scope is the whole server's: tokens of tenants may not use it.
    public init(_ name: StaticString, _ rows: [Row]) {
        self.name = name
        operations = rows.map(\.operation)
        handlers = rows.map(\.handler)
        purposes = rows.map { row in
            let scope = row.operation.scope
            return Purpose(
                name, row.operation.path, needs: scope,
                tenants: scope == nil ? .admitted : .refused)
        }
        let scopes = rows.compactMap(\.operation.scope)
        let isOpen = scopes.count < rows.count
        other = Purpose(
            name, "(other method)", needs: isOpen ? nil : scopes[0],
            tenants: isOpen ? .admitted : .refused)
        var router = Router<Int>()
        var beginnings: Set<[UInt8]> = []
        for (index, row) in rows.enumerated() {
            // The table is the program's own; a row that is there twice is found by a test.
            try? router.add(row.operation.method, row.operation.pattern, index)
            let first = row.operation.path.utf8.dropFirst().prefix { $0 != UInt8(ascii: "/") }
            beginnings.insert([UInt8(ascii: "/")] + Array(first))
        }
        self.router = router
        self.beginnings = beginnings.sorted { $0.count > $1.count }
    }

    public func purpose(of head: RequestHead) -> Purpose? {
        let bytes = head.target.path
        guard beginnings.contains(where: { bytes.starts(with: $0) }),
            let path = try? Path(bytes)
        else { return nil }
        switch router.match(head.method, path) {
        case .found(let index, _): return purposes[index]
        case .methodNotAllowed, .options: return other
        case .notFound: return nil
        }
    }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        do {
            guard let path = try? Path(request.target.path) else {
                throw APIFailure(.notFound, "there is nothing at this path")
            }
            switch router.match(request.method, path) {
            case .found(let index, let parameters):
                try await handlers[index](
                    RoutedRequest(
                        request: request, response: response, requester: requester,
                        parameters: parameters))
            case .options(let allow):
                var head = ResponseHead(.noContent)
                try head.fields.append("Allow", allow)
                try await response.respond(head)
            case .methodNotAllowed(let allow):
                var failure = APIFailure(
                    .methodNotAllowed,
                    "this path takes \(String(decoding: allow, as: UTF8.self))")
                failure.allow = allow
                throw failure
            case .notFound: throw APIFailure(.notFound, "there is nothing at this path")
            }
        } catch let failure as APIFailure where !response.hasBegun {
            try await failure.send(response)
        } catch LoopError.tooManyCalls where !response.hasBegun {
            try await APIFailure(.serviceUnavailable, "the server is busy").send(response)
        }
    }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        var failure = APIFailure(refusal.status, refusal.message)
        failure.limit = refusal.limit
        try await refusal.respond(response, failure.body, type: "application/json")
    }
}
