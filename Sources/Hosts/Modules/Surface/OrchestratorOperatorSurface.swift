import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// The orchestrator's devices, deployments and executions on the listeners of operators, so that the
/// console can show them and act on them: a page may use its own origin only.
///
/// The routes, their scopes and their answers are those of `OrchestratorSurface`; its other routes are
/// not here, since they claim paths of other hosts.
public final class OrchestratorOperatorSurface: Surface {
    public let name: StaticString = "orchestrator"
    private let whole: OrchestratorSurface

    public init(_ orchestrator: Orchestrator) { whole = OrchestratorSurface(orchestrator) }

    private static let areas: [[UInt8]] = [
        "/file/device", "/file/manifest", "/execute", "/executions",
    ].map { Array($0.utf8) }

    public func purpose(of head: RequestHead) -> Purpose? {
        let path = head.target.path
        let isHere = Self.areas.contains { area in
            path.starts(with: area)
                && (path.count == area.count
                    || path[path.startIndex + area.count] == UInt8(ascii: "/"))
        }
        return isHere ? whole.purpose(of: head) : nil
    }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        try await whole.answer(request, response, for: requester)
    }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        try await whole.refuse(refusal, response, on: loop)
    }
}
