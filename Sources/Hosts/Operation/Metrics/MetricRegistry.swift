import Synchronization

/// What a process counts about itself, as text for Prometheus.
///
/// ```swift
/// let metrics = MetricRegistry()
/// let requests = metrics.counters(
///     "wasmd_http_requests_total", "Requests answered.", labels: ["route"])
/// requests["/wasm/{id}"].add()
/// let page = metrics.text()
/// ```
///
/// Families are made when the process starts. A series is found by the values of its labels once,
/// and kept where it is used: to count is then one atomic addition.
///
/// Format: Prometheus text exposition format, version 0.0.4.
public final class MetricRegistry: Sendable {
    /// The media type of `text()`.
    public static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    private let families = Mutex<[any AnyMetricFamily]>([])

    public init() {}

    /// A family of counters.
    ///
    /// - Parameters:
    ///   - name: letters, digits, `_` and `:`; ends with `_total` by convention.
    ///   - help: one sentence.
    ///   - labels: the names of the labels.
    public func counters(
        _ name: String, _ help: String, labels: [String] = []
    ) -> MetricFamily<Counter> {
        add(MetricFamily(name, help, labels) { Counter() })
    }

    /// A counter without labels.
    public func counter(_ name: String, _ help: String) -> Counter {
        counters(name, help).series([])
    }

    /// A family of gauges.
    public func gauges(
        _ name: String, _ help: String, labels: [String] = []
    ) -> MetricFamily<Gauge> {
        add(MetricFamily(name, help, labels) { Gauge() })
    }

    /// A gauge without labels.
    public func gauge(_ name: String, _ help: String) -> Gauge {
        gauges(name, help).series([])
    }

    /// A number that is read when the text is made.
    public func observed(
        _ name: String, _ help: String, _ read: @escaping @Sendable () -> Double
    ) {
        _ = add(MetricFamily(name, help, []) { ObservedGauge(read) }).series([])
    }

    /// A family of histograms.
    ///
    /// - Parameter bounds: the upper bounds of the buckets, ascending, without infinity.
    public func histograms(
        _ name: String, _ help: String, bounds: [Double], labels: [String] = []
    ) -> MetricFamily<Histogram> {
        add(MetricFamily(name, help, labels) { Histogram(bounds: bounds) })
    }

    /// A histogram without labels.
    public func histogram(_ name: String, _ help: String, bounds: [Double]) -> Histogram {
        histograms(name, help, bounds: bounds).series([])
    }

    /// Numbers that are read when the text is made, such as counters that another part of the
    /// program keeps.
    ///
    /// - Parameter read: called on the thread that makes the text; must not wait.
    public func collected(
        _ name: String, _ help: String, _ kind: MetricKind, labels: [String] = [],
        _ read: @escaping @Sendable () -> [MetricSample]
    ) {
        families.withLock { $0.append(CollectedFamily(name, help, kind, labels, read)) }
    }

    private func add<Series: MetricSeries>(
        _ family: MetricFamily<Series>
    ) -> MetricFamily<Series> {
        families.withLock { $0.append(family) }
        return family
    }

    /// All families in the order in which they were made. Families without series are there with
    /// their help and type.
    public func text() -> [UInt8] {
        var text = ""
        for family in families.withLock({ $0 }) { family.append(to: &text) }
        return Array(text.utf8)
    }
}

/// A value of a family, which knows how it is written.
public protocol MetricSeries: AnyObject, Sendable {
    static var type: String { get }
    /// Appends the lines of the series.
    ///
    /// - Parameter labels: as `a="b",c="d"`, empty without labels.
    func append(name: String, labels: String, to text: inout String)
}

protocol AnyMetricFamily: Sendable {
    func append(to text: inout String)
}

/// Metrics of one name, told apart by the values of their labels.
public final class MetricFamily<Series: MetricSeries>: AnyMetricFamily {
    /// How many series a family has at most. Label values beyond it share one series, whose labels
    /// are all `other`, so that those who choose the values cannot fill the memory.
    public static var seriesLimit: Int { 1000 }

    public let name: String
    private let help: String
    private let labels: [String]
    private let make: @Sendable () -> Series

    private struct Contents: Sendable {
        var series: [[String]: Series] = [:]
        var order: [[String]] = []
    }
    private let contents = Mutex(Contents())

    init(
        _ name: String, _ help: String, _ labels: [String], _ make: @escaping @Sendable () -> Series
    ) {
        self.name = name
        self.help = help
        self.labels = labels
        self.make = make
    }

    /// The series with these label values, in the order of the labels; missing ones are empty.
    public subscript(values: String...) -> Series { series(values) }

    /// The series with these label values.
    public func series(_ values: [String]) -> Series {
        var key = Array(values.prefix(labels.count))
        while key.count < labels.count { key.append("") }
        return contents.withLock { contents in
            if let known = contents.series[key] { return known }
            if contents.order.count >= Self.seriesLimit {
                key = labels.map { _ in "other" }
                if let known = contents.series[key] { return known }
            }
            let made = make()
            contents.series[key] = made
            contents.order.append(key)
            return made
        }
    }

    func append(to text: inout String) {
        text.appendHead(name, help, Series.type)
        let contents = contents.withLock { $0 }
        for values in contents.order {
            let labels = MetricText.labels(labels, values)
            contents.series[values]?.append(name: name, labels: labels, to: &text)
        }
    }
}
