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
///
/// To count a value takes two atomic operations, no lock and no memory.
public final class Histogram: MetricSeries {
    public static var type: String { "histogram" }

    /// The most bounds of a histogram; further ones are left out.
    public static var boundLimit: Int { 23 }

    /// Ascending.
    private let bounds: [Double]
    private let counts = InlineArray<24, Atomic<UInt64>> { _ in Atomic(0) }
    /// The bits of a double.
    private let sum = Atomic<UInt64>(0)

    /// - Parameter bounds: the upper bounds of the buckets, ascending, without infinity; at most
    ///   `boundLimit`.
    public init(bounds: [Double]) { self.bounds = Array(bounds.prefix(Self.boundLimit)) }

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
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        counts[index].wrappingAdd(1, ordering: .relaxed)
        var known = sum.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: known) + value).bitPattern
            let (isDone, found) = sum.weakCompareExchange(
                expected: known, desired: next, ordering: .relaxed)
            if isDone { return }
            known = found
        }
    }

    /// Counts a time, given in nanoseconds, in seconds.
    public func observe(nanoseconds: UInt64) { observe(Double(nanoseconds) * 1e-9) }

    /// Counts a time in seconds.
    public func observe(_ time: Duration) {
        let (seconds, attoseconds) = time.components
        observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    public func append(name: String, labels: String, to text: inout String) {
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        for index in 0...bounds.count {
            let bound = index < bounds.count ? bounds[index] : .infinity
            total &+= counts[index].load(ordering: .relaxed)
            text.appendSample(
                name + "_bucket", "\(labels)\(separator)le=\"\(bound.metricText)\"", "\(total)")
        }
        let sum = Double(bitPattern: sum.load(ordering: .relaxed))
        text.appendSample(name + "_sum", labels, sum.metricText)
        text.appendSample(name + "_count", labels, "\(total)")
    }
}
