import Synchronization
import WasmSystem

/// Counts the requests of all listeners: by surface, route and class of status.
///
/// The series of a route are found by the number of its `Purpose`: to count a request takes a few
/// atomic additions, no lock and no memory.
public final class RequestMetrics: ServingObserver {
    /// The upper bounds of latencies, in seconds.
    public static let latencyBounds = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
        10,
    ]

    /// The series of one route.
    private final class Route: Sendable {
        let surface: String
        let name: String
        let active: Gauge
        let latency: Histogram
        let sent: Counter
        /// By the first digit of the status; 0 for a client that went away. Made when the first
        /// such response was sent.
        let responses = InlineArray<6, OnceReference<Counter>> { _ in OnceReference() }

        init(_ purpose: Purpose, _ metrics: RequestMetrics) {
            surface = "\(purpose.surface)"
            name = purpose.route
            active = metrics.active[surface]
            sent = metrics.sent[surface]
            latency = metrics.latency[surface, name]
        }
    }

    private let requests: MetricFamily<Counter>
    private let latency: MetricFamily<Histogram>
    private let active: MetricFamily<Gauge>
    private let sent: MetricFamily<Counter>
    private let routes = InlineArray<512, OnceReference<Route>> { _ in OnceReference() }
    /// Those of purposes beyond the number of slots.
    private let others = Mutex<[Int: Route]>([:])

    public init(_ registry: MetricRegistry) {
        requests = registry.counters(
            "wasmd_http_requests_total",
            "Requests that were answered; status is 2xx and so on, or none if the client left.",
            labels: ["surface", "route", "status"])
        latency = registry.histograms(
            "wasmd_http_request_duration_seconds",
            "Time from the head of a request to the end of its response.",
            bounds: Self.latencyBounds, labels: ["surface", "route"])
        active = registry.gauges(
            "wasmd_http_requests_active", "Requests that are being answered.", labels: ["surface"])
        sent = registry.counters(
            "wasmd_http_sent_bytes_total", "Bytes of responses with their heads.",
            labels: ["surface"])
    }

    private func route(_ purpose: Purpose) -> Route {
        guard purpose.number < routes.count, purpose.number >= 0 else {
            return others.withLock { others in
                if let known = others[purpose.number] { return known }
                let made = Route(purpose, self)
                others[purpose.number] = made
                return made
            }
        }
        if let known = routes[purpose.number].load() { return known }
        return routes[purpose.number].storeIfNil(Route(purpose, self))
    }

    public func began(_ purpose: Purpose) { route(purpose).active.add() }

    public func ended(_ request: borrowing ServedRequest) {
        let route = route(request.purpose)
        route.active.subtract()
        route.latency.observe(nanoseconds: request.duration)
        route.sent.add(request.byteCount)
        let kind = Int(request.status / 100)
        let index = kind < 6 ? kind : 0
        let counter =
            route.responses[index].load()
            ?? route.responses[index].storeIfNil(
                requests[route.surface, route.name, index == 0 ? "none" : "\(index)xx"])
        counter.add()
    }
}
