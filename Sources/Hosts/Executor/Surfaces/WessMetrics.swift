import Synchronization
import WasmSystem
import WasmdGuests
import WasmdOperation

/// The metrics of *wess*, by its names, with its buckets and labels.
///
/// `path` is the route and never the path itself, so that clients cannot make series. The queues
/// hold what waits; *wess* reports the room that is left. Other values of labels are those of
/// stored modules, of which the registry keeps a bounded number apart.
final class WessMetrics: Sendable {
    let registry = MetricRegistry()
    private let requests: [WessSurface.Route: Counter]
    private let concurrent: Gauge
    private let errors: Counter
    private let latency: Histogram
    private let databaseTime: Histogram
    private let reads: Counter
    private let writes: Counter
    private let compileTime: MetricFamily<Histogram>
    private let executionTime: MetricFamily<Histogram>

    init(_ executor: Executor) {
        func bounds(from start: Double) -> [Double] {
            Histogram.bounds(from: start, factor: 2, count: 12)
        }
        let paths = registry.counters(
            "wess_http_requests_total", "HTTP requests, by route.", labels: ["path"])
        requests = Dictionary(
            uniqueKeysWithValues: WessSurface.Route.allCases.map { ($0, paths[$0.rawValue]) })
        concurrent = registry.gauge(
            "wess_concurrent_connections", "Requests that are being answered.")
        registry.observed(
            "wess_reader_channel_queue", "Reads that wait; reads do not wait for each other."
        ) { 0 }
        registry.observed(
            "wess_writer_channel_queue", "Writes that wait to become durable."
        ) { [weak executor] in Double(executor?.writeCount ?? 0) }
        registry.observed(
            "wess_runner_channel_queue", "Runs that wait for a place."
        ) { [weak executor] in Double(executor?.runs.queue.total.waitingCount ?? 0) }
        latency = registry.histogram(
            "wess_http_request_latency_seconds", "Time to answer a request.",
            bounds: bounds(from: 0.00005))
        errors = registry.counter("wess_error_count_total", "Answers that report an error.")
        let operations = registry.counters(
            "wess_database_operations_total", "Operations on the store.", labels: ["operation"])
        reads = operations["read"]
        writes = operations["write"]
        databaseTime = registry.histogram(
            "wess_database_operation_duration_seconds", "Time of an operation on the store.",
            bounds: bounds(from: 0.000005))
        let load = ProcessLoad()
        registry.observed(
            "wess_cpu_usage", "Processor time of the process since the last reading, in percent."
        ) { load.percentage }
        registry.observed("wess_memory_usage", "Resident memory of the process, in bytes.") {
            Double(CurrentProcess.residentMemory ?? 0)
        }
        registry.observed("wess_database_size_bytes", "Bytes of the records in the store.") {
            [weak executor] in Double(executor?.modules.byteCount ?? 0)
        }
        compileTime = registry.histograms(
            "wess_wasm_compile_time_seconds",
            "Time until the module of a run was compiled; short if it was before.",
            bounds: bounds(from: 0.0005), labels: ["wasm_module"])
        executionTime = registry.histograms(
            "wess_wasm_execution_time_seconds", "Time of a function, without its module's start.",
            bounds: bounds(from: 0.000005), labels: ["function_name"])
    }

    // MARK: Requests

    /// - Parameter route: nil for a path that does not exist, which is not counted.
    func began(_ route: WessSurface.Route?) {
        if let route { requests[route]?.add() }
        concurrent.add()
    }

    func ended(since start: UInt64) {
        concurrent.subtract()
        latency.observe(Self.seconds(since: start))
    }

    func failed() { errors.add() }

    // MARK: The store and runs

    func read(since start: UInt64) {
        reads.add()
        databaseTime.observe(Self.seconds(since: start))
    }

    func wrote(since start: UInt64) {
        writes.add()
        databaseTime.observe(Self.seconds(since: start))
    }

    func compiled(_ id: ModuleID, since start: UInt64) {
        compileTime[id.description].observe(Self.seconds(since: start))
    }

    func ran(_ function: String, nanoseconds: UInt64) {
        executionTime[function].observe(Double(nanoseconds) * 1e-9)
    }

    private static func seconds(since start: UInt64) -> Double {
        Double(SystemClock.monotonic.now &- start) * 1e-9
    }
}

/// The processor time of the process between two readings.
private final class ProcessLoad: Sendable {
    private struct Reading: Sendable {
        var time = SystemClock.monotonic.now
        var processor = SystemClock.processCPUTime.now
        var percentage = 0.0
    }

    private let last = Mutex(Reading())

    /// Of one processor, in whole percent; at most one new reading a second.
    var percentage: Double {
        last.withLock { last in
            let time = SystemClock.monotonic.now &- last.time
            guard time >= 1_000_000_000 else { return last.percentage }
            let processor = SystemClock.processCPUTime.now
            let share = Double(processor &- last.processor) / Double(time) * 100
            last.time = last.time &+ time
            last.processor = processor
            last.percentage = share.rounded()
            return last.percentage
        }
    }
}
