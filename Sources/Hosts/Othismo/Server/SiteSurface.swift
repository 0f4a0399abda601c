import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// The sites of an image as a surface of a listener: all paths, for everybody.
public struct SiteSurface: Surface {
    private let handler: SiteHandler
    private static let purpose = Purpose("othismo", "/{path}", needs: nil, tenants: .admitted)

    public init(_ server: ImageServer) { handler = SiteHandler(server) }

    public var name: StaticString { "othismo" }

    public func purpose(of head: RequestHead) -> Purpose? { Self.purpose }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        try await handler.answer(request, response)
    }

    /// Sites have names of their own, and decide themselves whose pages may use them.
    public var pages: SameOriginRules? {
        var rules = SameOriginRules(machine: [])
        rules.admitsEverything = true
        return rules
    }
}
