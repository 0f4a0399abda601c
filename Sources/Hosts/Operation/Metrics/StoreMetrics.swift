import WasmdStorage

/// What a store has, takes and did.
public enum StoreMetrics {
    /// Adds the families: to be called once.
    public static func watch(_ registry: MetricRegistry, _ store: RecordStore) {
        func gauge(
            _ name: String, _ help: String,
            _ read: @escaping @Sendable (RecordStore.Statistics) -> Int
        ) {
            registry.collected(name, help, .gauge) { [MetricSample(read(store.statistics))] }
        }
        gauge("wasmd_store_records", "Records.") { $0.records }
        gauge("wasmd_store_log_bytes", "Bytes of the log on the disk.") { $0.logBytes }
        gauge("wasmd_store_live_bytes", "Bytes of the log that records take, about.") {
            $0.liveBytes
        }
        gauge("wasmd_store_segments", "Files of the log.") { $0.segments }
        registry.collected(
            "wasmd_store_commits_total", "Transactions that became durable.", .counter
        ) { [MetricSample(store.activity.commits)] }
        registry.collected(
            "wasmd_store_syncs_total", "Waits for the disk; transactions share them.", .counter
        ) { [MetricSample(store.activity.syncs)] }
        registry.collected(
            "wasmd_store_sync_seconds_total", "Time of waits for the disk.", .counter
        ) { [MetricSample(Double(store.activity.syncNanoseconds) * 1e-9)] }
        registry.collected(
            "wasmd_store_written_bytes_total", "Bytes that were written to the log.", .counter
        ) { [MetricSample(store.activity.writtenBytes)] }
        registry.collected("wasmd_store_writable", "1 if it can be written, else 0.", .gauge) {
            [MetricSample(store.writeFailure == nil ? 1 : 0)]
        }
        registry.collected(
            "wasmd_store_damage", "Damaged places and missing files that opening it found.", .gauge
        ) { [MetricSample(store.report.damage.count + store.report.missingSegments.count)] }
        registry.collected(
            "wasmd_store_lost_transactions", "Transactions that damage has cost.", .gauge
        ) {
            [MetricSample(store.report.damage.reduce(0) { $0 + Double($1.transactions) })]
        }
    }
}
