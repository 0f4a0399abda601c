import Synchronization

/// A number that only grows.
public final class Counter: MetricSeries {
    public static var type: String { "counter" }
    private let value = Atomic<UInt64>(0)

    public init() {}

    public var count: UInt64 { value.load(ordering: .relaxed) }

    public func add(_ count: UInt64 = 1) { value.wrappingAdd(count, ordering: .relaxed) }

    public func append(name: String, labels: String, to text: inout String) {
        text.appendSample(name, labels, "\(count)")
    }
}

/// A number that goes up and down.
public final class Gauge: MetricSeries {
    public static var type: String { "gauge" }
    private let value = Atomic<Int64>(0)

    public init() {}

    public var current: Int64 { value.load(ordering: .relaxed) }

    public func set(_ new: Int64) { value.store(new, ordering: .relaxed) }
    public func add(_ count: Int64 = 1) { value.wrappingAdd(count, ordering: .relaxed) }
    public func subtract(_ count: Int64 = 1) { value.wrappingSubtract(count, ordering: .relaxed) }

    public func append(name: String, labels: String, to text: inout String) {
        text.appendSample(name, labels, "\(current)")
    }
}

/// A number that is read when it is written.
final class ObservedGauge: MetricSeries {
    static var type: String { "gauge" }
    private let read: @Sendable () -> Double

    init(_ read: @escaping @Sendable () -> Double) { self.read = read }

    func append(name: String, labels: String, to text: inout String) {
        text.appendSample(name, labels, read().metricText)
    }
}

/// How often values were in which range, and their sum.
public final class Histogram: MetricSeries {
    public static var type: String { "histogram" }

    private struct Contents: Sendable {
        var counts: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let contents: Mutex<Contents>

    /// - Parameter bounds: the upper bounds of the buckets, ascending, without infinity.
    public init(bounds: [Double]) {
        self.bounds = bounds
        contents = Mutex(Contents(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    /// Bounds that grow by a factor: `start`, `start * factor` and so on.
    public static func bounds(from start: Double, factor: Double, count: Int) -> [Double] {
        var bound = start
        return (0..<max(count, 0)).map { _ in
            defer { bound *= factor }
            return bound
        }
    }

    /// Counts a value. NaN is not counted.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        contents.withLock {
            $0.counts[index] &+= 1
            $0.sum += value
        }
    }

    /// Counts a time in seconds.
    public func observe(_ time: Duration) {
        let (seconds, attoseconds) = time.components
        observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    public func append(name: String, labels: String, to text: inout String) {
        let contents = contents.withLock { $0 }
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        for (bound, count) in zip(bounds + [.infinity], contents.counts) {
            total &+= count
            text.appendSample(
                name + "_bucket", "\(labels)\(separator)le=\"\(bound.metricText)\"", "\(total)")
        }
        text.appendSample(name + "_sum", labels, contents.sum.metricText)
        text.appendSample(name + "_count", labels, "\(total)")
    }
}

extension String {
    fileprivate mutating func appendSample(_ name: String, _ labels: String, _ value: String) {
        self += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}

extension Double {
    fileprivate var metricText: String {
        if isNaN { return "NaN" }
        return isInfinite ? (self < 0 ? "-Inf" : "+Inf") : "\(self)"
    }
}
