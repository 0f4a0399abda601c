import WasmSystem

/// What the process takes of the machine, under the names that Prometheus' own clients use.
public enum ProcessMetrics {
    /// Adds the families.
    ///
    /// - Parameters:
    ///   - version: of the program.
    ///   - use: made before the process has restricted itself.
    public static func watch(_ registry: MetricRegistry, version: String, _ use: ProcessUse) {
        registry.collected(
            "wasmd_build_info", "1, with the version as a label.", .gauge, labels: ["version"]
        ) { [MetricSample(1, version)] }
        registry.collected(
            "process_cpu_seconds_total", "Processor time of all threads.", .counter
        ) { [MetricSample(Double(CurrentProcess.processorTime) * 1e-9)] }
        func gauge(
            _ name: String, _ help: String,
            _ read: @escaping @Sendable (ProcessUse.Reading) -> Double
        ) {
            registry.collected(name, help, .gauge) {
                use.read().map { [MetricSample(read($0))] } ?? []
            }
        }
        gauge("process_resident_memory_bytes", "Memory in use.") { Double($0.residentBytes) }
        gauge("process_virtual_memory_bytes", "Address space in use.") { Double($0.virtualBytes) }
        gauge("process_threads", "Threads.") { Double($0.threads) }
        gauge("process_start_time_seconds", "When the process started, in seconds since 1970.") {
            $0.startTime
        }
        registry.collected("process_open_fds", "Open descriptors.", .gauge) {
            use.openDescriptors().map { [MetricSample($0)] } ?? []
        }
        registry.collected("process_max_fds", "Descriptors that may be open.", .gauge) {
            CurrentProcess.descriptorLimit.map { [MetricSample($0)] } ?? []
        }
    }
}
