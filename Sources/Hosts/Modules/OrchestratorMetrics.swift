import WasmdDocuments
import WasmdOperation

/// What operators see of an orchestrator.
extension Orchestrator {
    /// Adds the families of metrics: to be called once.
    public func watch(_ registry: MetricRegistry) {
        registry.collected(
            "wasmd_orchestrator_devices", "Devices.", .gauge, labels: ["status"]
        ) { [self] in
            let counts = deviceCounts
            return [
                MetricSample(counts.active, "active"), MetricSample(counts.inactive, "inactive"),
            ]
        }
        registry.collected("wasmd_orchestrator_modules", "Modules.", .gauge) { [self] in
            [MetricSample(self.registry.modules.count)]
        }
        registry.collected(
            "wasmd_orchestrator_deployments", "Deployments.", .gauge, labels: ["state"]
        ) { [self] in
            let counts = deploymentCounts
            return [
                MetricSample(counts.active, "active"),
                MetricSample(counts.all - counts.active, "inactive"),
            ]
        }
        registry.collected(
            "wasmd_orchestrator_executions_active", "Executions that run.", .gauge
        ) { [self] in [MetricSample(executions.runningCount)] }
        registry.collected(
            "wasmd_orchestrator_executions_total", "Executions that have ended.", .counter,
            labels: ["status"]
        ) { [self] in
            [Execution.Status.succeeded, .failed, .cancelled].map {
                MetricSample(executions.count($0), $0.rawValue)
            }
        }
    }

    private var deviceCounts: (active: Int, inactive: Int) {
        let all = devices.all().filter { !$0.isOrchestrator }
        let active = all.count { $0.status == .active }
        return (active, all.count - active)
    }

    private var deploymentCounts: (active: Int, all: Int, failing: Int) {
        let all = deployments.all()
        return (
            all.count { $0.document["active"] == .boolean(true) }, all.count,
            all.count { $0.document["deployError"] != nil }
        )
    }

    /// For the status of the server.
    public var status: Document {
        let devices = deviceCounts
        let deployments = deploymentCounts
        func count(_ number: Int) -> Document { .integer(Int64(number)) }
        return .object([
            .init("modules", count(registry.modules.count)),
            .init("devices_active", count(devices.active)),
            .init("devices_inactive", count(devices.inactive)),
            .init("deployments", count(deployments.all)),
            .init("deployments_active", count(deployments.active)),
            .init("deployments_failing", count(deployments.failing)),
            .init("executions_active", count(executions.runningCount)),
        ])
    }
}
