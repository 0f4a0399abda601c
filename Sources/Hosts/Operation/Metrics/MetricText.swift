// The text form of metrics: Prometheus text exposition format, version 0.0.4.

enum MetricText {
    /// `a="b",c="d"`; missing values are empty.
    static func labels(_ names: [String], _ values: [String]) -> String {
        names.indices.map { index in
            let value = index < values.count ? values[index] : ""
            return "\(names[index])=\"\(value.escapedMetric(quotes: true))\""
        }.joined(separator: ",")
    }
}

extension String {
    mutating func appendHead(_ name: String, _ help: String, _ type: String) {
        self += "# HELP \(name) \(help.escapedMetric(quotes: false))\n# TYPE \(name) \(type)\n"
    }

    func escapedMetric(quotes: Bool) -> String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    mutating func appendSample(_ name: String, _ labels: String, _ value: String) {
        self += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}

extension Double {
    var metricText: String {
        if isNaN { return "NaN" }
        return isInfinite ? (self < 0 ? "-Inf" : "+Inf") : "\(self)"
    }
}
