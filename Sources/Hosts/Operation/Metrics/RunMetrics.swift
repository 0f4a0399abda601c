import WasmdGuests

/// Counts the runs of guests, the module cache and queues.
///
/// ```swift
/// let metrics = RunMetrics(registry)
/// options.runs.observer = metrics.observe
/// metrics.watch(executor.runs)
/// ```
public final class RunMetrics: Sendable {
    /// The upper bounds of durations, in seconds.
    public static let durationBounds = [
        0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
        0.05,
        0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    private let registry: MetricRegistry
    private let durations: Histogram
    private let waits: Histogram

    public init(_ registry: MetricRegistry) {
        self.registry = registry
        durations = registry.histogram(
            "wasmd_run_duration_seconds", "Time of runs from begin to end.",
            bounds: Self.durationBounds)
        waits = registry.histogram(
            "wasmd_run_queue_seconds", "Time that runs waited for their place.",
            bounds: Self.durationBounds)
    }

    /// For `GuestRuns.Options.observer`.
    @Sendable public func observe(_ record: RunRecord) {
        durations.observe(nanoseconds: record.duration)
        waits.observe(nanoseconds: record.queueTime)
    }

    /// Adds the families of runs: to be called once.
    public func watch(_ runs: GuestRuns) {
        let total = runs.queue.total
        func counter(
            _ name: String, _ help: String, _ read: @escaping @Sendable (RunTotals) -> Double
        ) {
            registry.collected(name, help, .counter) { [MetricSample(read(total.totals))] }
        }
        registry.collected(
            "wasmd_runs_total", "Runs that ended, by outcome.", .counter, labels: ["outcome"]
        ) {
            let totals = total.totals
            return RunOutcome.Kind.allCases.map {
                MetricSample(totals.count(of: $0), "\($0)")
            }
        }
        counter("wasmd_runs_refused_total", "Runs that were refused before they began.") {
            Double($0.refused)
        }
        registry.collected(
            "wasmd_run_limits_total", "Runs that a limit ended or refused, by limit.", .counter,
            labels: ["limit"]
        ) {
            let totals = total.totals
            return RunLimit.allCases.map { MetricSample(totals.count(of: $0), $0.name) }
        }
        counter("wasmd_run_fuel_total", "Units of fuel that runs used.") { Double($0.fuel) }
        counter("wasmd_run_computing_seconds_total", "Time in which guests computed.") {
            Double($0.computingTime) * 1e-9
        }
        counter("wasmd_run_input_bytes_total", "Bytes of standard input that guests read.") {
            Double($0.bytesIn)
        }
        counter("wasmd_run_output_bytes_total", "Bytes of standard output that guests wrote.") {
            Double($0.bytesOut)
        }
        counter("wasmd_run_log_bytes_total", "Bytes of standard error that guests wrote.") {
            Double($0.logBytes)
        }
        registry.collected("wasmd_runs_active", "Runs that have begun and not ended.", .gauge) {
            [MetricSample(total.runningCount)]
        }
        registry.collected("wasmd_runs_waiting", "Runs that wait for a place.", .gauge) {
            [MetricSample(total.waitingCount)]
        }
        registry.collected("wasmd_runs_active_limit", "Runs that may be active.", .gauge) {
            [MetricSample(total.places.running)]
        }
    }

    /// Adds the families of a cache of modules: to be called once.
    public func watch(_ cache: ModuleCache) {
        func counter(
            _ name: String, _ help: String,
            _ read: @escaping @Sendable (ModuleCache.Counters) -> UInt64
        ) {
            registry.collected(name, help, .counter) { [MetricSample(read(cache.counters))] }
        }
        counter("wasmd_module_cache_hits_total", "Modules that were found compiled.") { $0.hits }
        counter("wasmd_module_cache_misses_total", "Modules that were compiled.") { $0.misses }
        counter("wasmd_module_cache_refusals_total", "Modules that were refused.") { $0.failures }
        counter(
            "wasmd_module_cache_refusal_hits_total", "Modules that were known to be refused."
        ) { $0.failureHits }
        counter("wasmd_module_cache_drops_total", "Modules that were dropped.") { $0.drops }
        registry.collected("wasmd_module_cache_modules", "Modules that are compiled.", .gauge) {
            [MetricSample(cache.counters.modules)]
        }
        registry.collected(
            "wasmd_module_cache_bytes", "Bytes of compiled modules, about.", .gauge
        ) { [MetricSample(cache.counters.bytes)] }
        registry.collected(
            "wasmd_module_cache_limit_bytes", "Bytes of compiled modules that are kept.", .gauge
        ) { [MetricSample(cache.options.byteLimit)] }
    }
}
