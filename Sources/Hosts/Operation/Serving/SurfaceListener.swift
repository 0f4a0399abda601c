import Synchronization
import WasmSystem
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer

/// Stands between a server and its surfaces: finds the surface of a request and who sends it,
/// refuses what may not pass, and tells an observer.
///
/// ```swift
/// let listener = SurfaceListener([console, modules], rules: rules, observer: metrics)
/// let server = HTTPServer { try await listener.answer($0, $1) }
/// ```
///
/// The first surface that owns a path answers. A request that is admitted without a token, and that
/// nobody observes, allocates nothing here.
public final class SurfaceListener: Sendable {
    private let surfaces: [any Surface]
    private let current: Mutex<AccessRules>
    private let observer: (any ServingObserver)?
    private let requests: Atomic<UInt64>

    /// - Parameter surfaces: at least one; the last words the answer for paths of none.
    public init(
        _ surfaces: [any Surface], rules: AccessRules = AccessRules(),
        observer: (any ServingObserver)? = nil
    ) {
        self.surfaces = surfaces
        self.observer = observer
        current = Mutex(rules)
        // Ids of a server that was started again differ from those before, in all likelihood.
        requests = Atomic(UInt64.random(in: 0...UInt64.max))
    }

    /// Who may use the surfaces. A new value holds for the next request of each connection.
    public var rules: AccessRules {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    /// A handler of `HTTPServer`.
    public func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        guard let observer else {
            let (surface, purpose) = find(request.head)
            _ = try await serve(request, response, surface, purpose)
            return
        }
        let (surface, purpose) = find(request.head)
        let (time, start) = (SystemClock.realtime.now, SystemClock.monotonic.now)
        observer.began(purpose)
        var thrown: (any Error)?
        var requester: Requester?
        do {
            requester = try await serve(request, response, surface, purpose)
        } catch let failure as ServingFailure {
            (thrown, requester) = (failure.error, failure.requester)
        } catch {
            thrown = error
        }
        observer.ended(
            ServedRequest(
                purpose: purpose,
                requester: requester ?? Requester(account: .nobody, peer: request.peer),
                head: request.head, status: response.status(after: thrown),
                byteCount: response.byteCount, start: time,
                duration: SystemClock.monotonic.now &- start, error: thrown,
                run: RunID(words: response.mark)))
        if let thrown { throw thrown }
    }

    private func find(_ head: RequestHead) -> ((any Surface)?, Purpose) {
        // `OPTIONS *` is about none of them.
        if head.target.form == .asterisk { return (nil, .unknown) }
        for surface in surfaces {
            if let purpose = surface.purpose(of: head) { return (surface, purpose) }
        }
        return (nil, .unknown)
    }

    /// Returns who sent the request.
    private func serve(
        _ request: ServerRequest, _ response: ServerResponse, _ surface: (any Surface)?,
        _ purpose: Purpose
    ) async throws -> Requester {
        let rules = rules
        var forwarding: Forwarding?
        let id = RequestID(requests.wrappingAdd(1, ordering: .relaxed).newValue)
        let trace = request.fields.first("traceparent").flatMap(TraceParent.init)
        let account: Account
        do throws(AccessRefusal) {
            account = try rules.admit(
                request.head, purpose, peer: { request.peer }, pages: { surface?.pages },
                &forwarding)
            if surface == nil, request.target.form != .asterisk {
                throw AccessRefusal(.notFound, "there is nothing at this path")
            }
        } catch {
            let requester = Requester(
                account: .nobody, peer: request.peer, forwarding: forwarding, request: id,
                trace: trace)
            try await (surface ?? surfaces.last)?.refuse(error, response, on: request.loop)
            return requester
        }
        if request.target.form == .asterisk { try await response.respondToServerOptions() }
        let requester = Requester(
            account: account, peer: request.peer, forwarding: forwarding, request: id,
            trace: trace, span: observer?.span(under: trace))
        do {
            if let context = requester.context {
                // Requests to others that are caused by this one say so.
                try await HTTPClient.$traceParent.withValue(context.text) {
                    try await surface?.answer(request, response, for: requester)
                }
            } else {
                try await surface?.answer(request, response, for: requester)
            }
        } catch {
            guard observer != nil else { throw error }
            throw ServingFailure(error: error, requester: requester)
        }
        return requester
    }
}

/// Carries who sent a request to its observer.
private struct ServingFailure: Error {
    let error: any Error
    let requester: Requester
}
