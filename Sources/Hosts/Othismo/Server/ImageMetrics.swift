import WasmdOperation

extension ImageServer {
    /// Adds the families of metrics: to be called once for a registry.
    public func watch(_ registry: MetricRegistry) {
        func add(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (Statistics) -> Double
        ) {
            registry.collected("wasmd_othismo_" + name, help, kind) { [self] in
                [MetricSample(read(statistics))]
            }
        }
        add("deliveries_total", "Messages that were delivered.", .counter) {
            Double($0.exchange.deliveries)
        }
        add("commits_total", "Transactions of the image.", .counter) {
            Double($0.exchange.commits)
        }
        add("failures_total", "Deliveries that failed.", .counter) {
            Double($0.exchange.failures)
        }
        add("wakings_total", "Instances that were loaded.", .counter) {
            Double($0.exchange.wakings)
        }
        add("late_answers_total", "Answers whose client was gone.", .counter) {
            Double($0.late)
        }
        add("messages_waiting", "Messages that wait in the image.", .gauge) { Double($0.waiting) }
        add("requests_active", "Requests that wait for an answer.", .gauge) {
            Double($0.requests)
        }
        add("websockets", "WebSockets that are open.", .gauge) { Double($0.sockets) }
        registry.collected(
            "wasmd_othismo_image_writable", "1 if the image can be written, else 0.", .gauge
        ) { [self] in [MetricSample(failure == nil ? 1 : 0)] }
    }
}
