import WasmdEventLoop
import WasmdOperation
import WasmdWATM

/// What the transports of a daemon add to the metrics.
enum TransportMetrics {
    /// Bounds of ages of open connections, in seconds.
    private static let ages: [Int] = [1, 10, 60, 600, 3600]

    /// To be called once for a registry.
    static func watch(_ registry: MetricRegistry, _ transports: [ServedTransport]) {
        func add(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (TransportService) -> Double
        ) {
            registry.collected(
                "wasmd_transport_" + name, help, kind, labels: ["transport", "role"]
            ) {
                transports.map {
                    MetricSample(read($0.service), $0.name, $0.service.role.rawValue)
                }
            }
        }
        add("connections", "Open connections through transports.", .gauge) {
            Double($0.statistics.live)
        }
        add("connections_limit", "The most open connections.", .gauge) {
            Double($0.connectionLimit)
        }
        add("accepted_total", "Connections that were accepted.", .counter) {
            Double($0.statistics.accepted)
        }
        add("replacements_total", "Times that the modules were replaced.", .counter) {
            Double($0.statistics.replacements)
        }
        add("oldest_connection_seconds", "The age of the oldest open connection.", .gauge) {
            ($0.ages.max() ?? .zero).inSeconds
        }
        add("connections_age_seconds", "The ages of all open connections together.", .gauge) {
            $0.ages.reduce(0) { $0 + $1.inSeconds }
        }
        registry.collected(
            "wasmd_transport_ended_total", "Connections that ended, by result.", .counter,
            labels: ["transport", "result"]
        ) {
            transports.flatMap { transport in
                let counts = transport.service.statistics
                return [
                    MetricSample(counts.ended, transport.name, "clean"),
                    MetricSample(counts.failed, transport.name, "failed"),
                    MetricSample(counts.refused, transport.name, "refused"),
                ]
            }
        }
        registry.collected(
            "wasmd_transport_bytes_total",
            "Bytes from accepted sides (forth) and to them (back).", .counter,
            labels: ["transport", "direction"]
        ) {
            transports.flatMap { transport in
                let counts = transport.service.statistics
                return [
                    MetricSample(counts.bytesForth, transport.name, "forth"),
                    MetricSample(counts.bytesBack, transport.name, "back"),
                ]
            }
        }
        registry.collected(
            "wasmd_transport_datagrams_total",
            "Datagrams that came, that were sent, and that were dropped.", .counter,
            labels: ["transport", "result"]
        ) {
            transports.flatMap { transport in
                let counts = transport.service.statistics
                return [
                    MetricSample(counts.datagramsReceived, transport.name, "received"),
                    MetricSample(counts.datagramsSent, transport.name, "sent"),
                    MetricSample(counts.datagramsDropped, transport.name, "dropped"),
                ]
            }
        }
        registry.collected(
            "wasmd_transport_connections_by_age", "Open connections that are at most as old.",
            .gauge, labels: ["transport", "at_most_seconds"]
        ) {
            transports.flatMap { transport in
                let found = transport.service.ages.map(\.inSeconds)
                return ages.map { bound in
                    MetricSample(
                        found.count { $0 <= Double(bound) }, transport.name, "\(bound)")
                } + [MetricSample(found.count, transport.name, "+Inf")]
            }
        }
    }
}

extension Duration {
    var inSeconds: Double {
        let parts = components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
}
