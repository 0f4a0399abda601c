import WasmdOperation
import WasmdSupervisor

/// What a device of *wasmiot* adds to the metrics. Its runs are among those of the process.
enum SupervisorMetrics {
    /// To be called once for a registry.
    static func watch(_ registry: MetricRegistry, _ supervisor: Supervisor) {
        func add(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (Supervisor.Statistics) -> Double
        ) {
            registry.collected("wasmd_supervisor_" + name, help, kind) {
                [MetricSample(read(supervisor.statistics))]
            }
        }
        add("deployments", "Present deployments.", .gauge) { Double($0.deployments) }
        add("instances", "Instances that are loaded.", .gauge) { Double($0.instances) }
        add("instance_bytes", "Bytes of loaded instances.", .gauge) { Double($0.instanceBytes) }
        add("history_entries", "Runs that have ended and are kept.", .gauge) { Double($0.history) }
        add("runs_pending", "Runs that have not ended.", .gauge) { Double($0.pending) }
        add("state_saves_total", "States of instances that were saved by themselves.", .counter) {
            Double($0.saves)
        }
        add("evictions_total", "Instances that were saved and released.", .counter) {
            Double($0.evictions)
        }
        add("moves_total", "Instances that moved to another device.", .counter) {
            Double($0.moves)
        }
        registry.collected(
            "wasmd_supervisor_runs_total", "Runs that ended, by result.", .counter,
            labels: ["result"]
        ) {
            let numbers = supervisor.statistics
            return [
                MetricSample(numbers.succeeded, "success"), MetricSample(numbers.failed, "failure"),
            ]
        }
    }
}
