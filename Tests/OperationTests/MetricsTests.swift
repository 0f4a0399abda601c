import Testing
import WasmdOperation

@Suite struct MetricsTests {
    private func lines(_ metrics: MetricRegistry) -> [String] {
        String(decoding: metrics.text(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func text() {
        let metrics = MetricRegistry()
        let requests = metrics.counters(
            "a_total", "Counts\n\"a\" \\ b.", labels: ["route", "code"])
        requests["/", "200"].add()
        requests["/", "200"].add(2)
        requests["x\"\\\n", "é"].add()
        metrics.gauge("b", "Goes down.").subtract(5)
        metrics.observed("c", "Read.") { 0.5 }
        _ = metrics.gauges("d", "None yet.", labels: ["x"])
        #expect(
            lines(metrics) == [
                #"# HELP a_total Counts\n"a" \\ b."#, "# TYPE a_total counter",
                #"a_total{route="/",code="200"} 3"#,
                #"a_total{route="x\"\\\n",code="é"} 1"#,
                "# HELP b Goes down.", "# TYPE b gauge", "b -5",
                "# HELP c Read.", "# TYPE c gauge", "c 0.5",
                "# HELP d None yet.", "# TYPE d gauge",
            ])
    }

    @Test func histogram() {
        let metrics = MetricRegistry()
        let times = metrics.histogram(
            "t_seconds", "Times.", bounds: Histogram.bounds(from: 0.25, factor: 2, count: 3))
        for value in [0.25, 0.3, 1, 7, .nan, .infinity] { times.observe(value) }
        times.observe(.milliseconds(500))
        #expect(
            lines(metrics).dropFirst(2) == [
                #"t_seconds_bucket{le="0.25"} 1"#, #"t_seconds_bucket{le="0.5"} 3"#,
                #"t_seconds_bucket{le="1.0"} 4"#, #"t_seconds_bucket{le="+Inf"} 6"#,
                "t_seconds_sum +Inf", "t_seconds_count 6",
            ])
    }

    @Test func labelsThatOthersChooseAreBounded() {
        let family = MetricRegistry().counters("a_total", "A.", labels: ["path"])
        for number in 0..<5000 { family["\(number)"].add() }
        #expect(family["other"].count == 4000)
        #expect(family["7"].count == 1)
    }

    @Test func missingAndExtraValues() {
        let family = MetricRegistry().counters("a_total", "A.", labels: ["x", "y"])
        family["1"].add()
        family["1", "", "z"].add()
        #expect(family["1", ""].count == 2)
    }
}

@Suite struct OnceReferenceTests {
    private final class Object: Sendable {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test func theFirstOneStays() {
        let reference = OnceReference<Object>()
        #expect(reference.load() == nil)
        #expect(reference.storeIfNil(Object(1)).number == 1)
        #expect(reference.storeIfNil(Object(2)).number == 1)
        #expect(reference.load()?.number == 1)
    }

    @Test func theObjectLivesAsLongAsTheReference() {
        weak var object: Object?
        do {
            let reference = OnceReference<Object>()
            do {
                let made = Object(1)
                object = made
                _ = reference.storeIfNil(made)
            }
            #expect(object != nil)
            _ = reference.load()
        }
        #expect(object == nil)
    }
}
