/// Samples that are read together when the text is made.
final class CollectedFamily: AnyMetricFamily {
    private let name: String
    private let help: String
    private let kind: MetricKind
    private let labels: [String]
    private let read: @Sendable () -> [MetricSample]

    init(
        _ name: String, _ help: String, _ kind: MetricKind, _ labels: [String],
        _ read: @escaping @Sendable () -> [MetricSample]
    ) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        self.read = read
    }

    func append(to text: inout String) {
        text.appendHead(name, help, kind.rawValue)
        for sample in read().prefix(MetricFamily<Counter>.seriesLimit) {
            text.appendSample(
                name, MetricText.labels(labels, sample.labels), sample.text)
        }
    }
}

/// A type of metrics that are read when the text is made.
public enum MetricKind: String, Sendable {
    /// Never goes down, as long as the process lives.
    case counter
    case gauge
}

extension MetricSample {
    /// Counts as integers, as long as they are exact.
    fileprivate var text: String {
        guard let whole = Int64(exactly: value), whole.magnitude < 1 << 53 else {
            return value.metricText
        }
        return "\(whole)"
    }
}

/// A value and its labels.
public struct MetricSample: Sendable {
    /// The values of the labels, in the order of the family.
    public var labels: [String]
    public var value: Double

    public init(_ value: Double, _ labels: String...) {
        self.labels = labels
        self.value = value
    }

    public init(_ value: some BinaryInteger, _ labels: String...) {
        self.labels = labels
        self.value = Double(value)
    }
}
