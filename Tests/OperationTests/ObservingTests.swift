import Synchronization
import Testing
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer

@testable import WasmdOperation

/// What a text of metrics is, as a scraper reads it.
struct ScrapedMetrics {
    /// Family to type.
    var types: [String: String] = [:]
    /// Name with labels to value.
    var samples: [String: Double] = [:]
    var problems: [String] = []

    init(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        var helps: Set<String> = []
        if !text.hasSuffix("\n") { problems.append("no line feed at the end") }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            if line.hasPrefix("# HELP ") {
                helps.insert(String(words[2]))
                if words.count < 4 || words[3].isEmpty { problems.append("no help: \(line)") }
                continue
            }
            if line.hasPrefix("# TYPE ") {
                let name = String(words[2])
                if types[name] != nil { problems.append("type twice: \(name)") }
                if !helps.contains(name) { problems.append("type before help: \(name)") }
                types[name] = String(words[3])
                if words[3] == "counter", !name.hasSuffix("_total") {
                    problems.append("a counter without _total: \(name)")
                }
                if words[3] != "counter", name.hasSuffix("_total") {
                    problems.append("_total without a counter: \(name)")
                }
                for unit in ["_milliseconds", "_ms", "_kb", "_mb", "_minutes"]
                where name.contains(unit) {
                    problems.append("no base unit: \(name)")
                }
                continue
            }
            guard let space = line.lastIndex(of: " "),
                let value = Double(
                    line[line.index(after: space)...].replacing("+Inf", with: "inf"))
            else {
                problems.append("no value: \(line)")
                continue
            }
            let series = String(line[..<space])
            if samples[series] != nil { problems.append("twice: \(series)") }
            samples[series] = value
            let name = series.prefix { $0 != "{" }
            let isKnown =
                types[String(name)] != nil
                || ["_bucket", "_sum", "_count"].contains { suffix in
                    name.hasSuffix(suffix)
                        && types[String(name.dropLast(suffix.count))] == "histogram"
                }
            if !isKnown { problems.append("no type: \(series)") }
        }
    }
}

@Suite struct ObservingTests {
    private func request(
        _ purpose: Purpose, status: UInt16, path: String = "/wasm/1",
        method: WasmdHTTP.Method = .get,
        run: RunID? = nil, trace: TraceParent? = nil, error: (any Error)? = nil
    ) throws -> ServedRequest {
        ServedRequest(
            purpose: purpose,
            requester: Requester(
                account: Account(token: "ci", scopes: .all),
                peer: .ipv4([10, 0, 0, 7], port: 5), request: RequestID(255), trace: trace),
            head: try RequestHead(method: method, target: Array(path.utf8)), status: status,
            byteCount: 100, start: 1_795_867_200_000_000_000, duration: 412_345, error: error,
            run: run)
    }

    @Test func requestsAreCountedByRouteAndClass() throws {
        let registry = MetricRegistry()
        let metrics = RequestMetrics(registry)
        let purpose = Purpose("executor", "/wasm/{id}", needs: nil, tenants: .admitted)
        for status in [200, 202, 404, 500, 0, 200] as [UInt16] {
            metrics.began(purpose)
            metrics.ended(try request(purpose, status: status))
        }
        metrics.began(purpose)
        let scraped = ScrapedMetrics(registry.text())
        #expect(scraped.problems == [])
        func count(_ status: String) -> Double? {
            scraped.samples[
                "wasmd_http_requests_total{surface=\"executor\",route=\"/wasm/{id}\","
                    + "status=\"\(status)\"}"]
        }
        #expect(count("2xx") == 3)
        #expect(count("4xx") == 1)
        #expect(count("5xx") == 1)
        #expect(count("none") == 1)
        #expect(count("3xx") == nil)
        #expect(scraped.samples["wasmd_http_requests_active{surface=\"executor\"}"] == 1)
        #expect(scraped.samples["wasmd_http_sent_bytes_total{surface=\"executor\"}"] == 600)
        let series = "{surface=\"executor\",route=\"/wasm/{id}\"}"
        #expect(scraped.samples["wasmd_http_request_duration_seconds_count" + series] == 6)
    }

    @Test func purposesBeyondTheSlotsAreCountedToo() throws {
        let registry = MetricRegistry()
        let metrics = RequestMetrics(registry)
        for number in 0..<700 {
            let purpose = Purpose("executor", "/\(number)", needs: nil, tenants: .admitted)
            metrics.began(purpose)
            metrics.ended(try request(purpose, status: 200))
        }
        let scraped = ScrapedMetrics(registry.text())
        #expect(scraped.problems == [])
        let all = scraped.samples.filter { $0.key.hasPrefix("wasmd_http_requests_total") }
        #expect(all.values.reduce(0, +) == 700)
        #expect(all.count == 700)
    }

    @Test func histogramsAreCumulative() {
        let registry = MetricRegistry()
        let histogram = registry.histogram(
            "a_seconds", "A.", bounds: Array(repeating: 0, count: 40).indices.map { Double($0) })
        for value in [0, 0.5, 22, 23, 1e9, -1] as [Double] { histogram.observe(value) }
        histogram.observe(nanoseconds: 1_500_000_000)
        let scraped = ScrapedMetrics(registry.text())
        #expect(scraped.problems == [])
        #expect(scraped.samples["a_seconds_bucket{le=\"0.0\"}"] == 2)
        #expect(scraped.samples["a_seconds_bucket{le=\"1.0\"}"] == 3)
        #expect(scraped.samples["a_seconds_bucket{le=\"2.0\"}"] == 4)
        #expect(scraped.samples["a_seconds_bucket{le=\"22.0\"}"] == 5)
        #expect(scraped.samples["a_seconds_bucket{le=\"23.0\"}"] == nil)
        #expect(scraped.samples["a_seconds_bucket{le=\"+Inf\"}"] == 7)
        #expect(scraped.samples["a_seconds_count"] == 7)
        #expect(scraped.samples["a_seconds_sum"] == 1e9 + 46)
    }

    @Test func collectedFamilies() {
        let registry = MetricRegistry()
        registry.collected("a_total", "A.", .counter, labels: ["x", "y"]) {
            [MetricSample(3, "1", "\"\n"), MetricSample(0.25, "2")]
        }
        registry.collected("b_bytes", "B.", .gauge) { [] }
        let text = String(decoding: registry.text(), as: UTF8.self)
        #expect(
            text == #"""
                # HELP a_total A.
                # TYPE a_total counter
                a_total{x="1",y="\"\n"} 3
                a_total{x="2",y=""} 0.25
                # HELP b_bytes B.
                # TYPE b_bytes gauge

                """#)
    }

    // MARK: Access log

    private func lines(
        _ form: Log.Form, _ body: (AccessLog, Log) throws -> Void
    ) throws -> [String] {
        try logLines(form) { try body(AccessLog($0), $0) }
    }

    @Test func accessLineAsJSON() throws {
        let purpose = Purpose("executor", "/wasm/{id}", needs: nil, tenants: .admitted)
        let run = RunID.make(at: 1)
        let trace = TraceParent(traceHigh: 1, traceLow: 2, span: 3, isSampled: true)
        let all = try lines(.json) { access, _ in
            access.ended(
                try request(
                    purpose, status: 200, path: "/wasm/1?token=secret", run: run, trace: trace)
            )
        }
        let line = try JSONReader.read(Array(try #require(all.first).utf8))
        #expect(line["message"] == "request")
        #expect(line["method"] == "GET")
        #expect(line["path"] == "/wasm/1")
        #expect(line["status"] == .integer(200))
        #expect(line["seconds"] == .double(0.000412))
        #expect(line["bytes"] == .integer(100))
        #expect(line["route"] == "/wasm/{id}")
        #expect(line["surface"] == "executor")
        #expect(line["peer"] == "10.0.0.7")
        #expect(line["token"] == "ci")
        #expect(line["request"] == "00000000000000ff")
        #expect(line["run"] == .string(run.description))
        #expect(line["trace"] == "00000000000000010000000000000002")
        #expect(!all.joined().contains("secret"))
    }

    /// Changes and refusals have lines at each level; other requests only if all have.
    @Test func auditedRequests() throws {
        let all = try lines(.json) { access, log in
            log.level = .error
            access.isAuditing = true
            for (scope, method, status): (Scopes, WasmdHTTP.Method, Int) in [
                (.write, .put, 200), (.write, .get, 200), (.admin, .post, 202),
                (.admin, .get, 200), (.run, .post, 200), (.read, .get, 401), (.run, .post, 403),
            ] {
                let purpose = Purpose(
                    "executor", "/\(scope.names[0])/\(method.name)", needs: scope,
                    tenants: .admitted)
                access.ended(
                    try request(purpose, status: UInt16(status), path: "/x", method: method))
            }
            access.isAuditing = false
            access.ended(
                try request(
                    Purpose("executor", "/off", needs: .write, tenants: .admitted), status: 200,
                    path: "/x",
                    method: .put))
        }
        let documents = try all.map { try JSONReader.read(Array($0.utf8)) }
        #expect(documents.allSatisfy { $0["message"] == "audit" && $0["token"] == "ci" })
        #expect(
            documents.map { $0["route"]?.stringValue } == [
                "/write/PUT", "/admin/POST", "/read/GET", "/run/POST",
            ])
    }

    @Test(arguments: [Log.Form.json, .text])
    func hostileBytesStayInTheirField(form: Log.Form) throws {
        let purpose = Purpose("executor", "/wasm/{id}", needs: nil, tenants: .admitted)
        let path = "/%1b[31m\u{202e}\"\\ a=b".replacing(" ", with: "%20")
        let all = try lines(form) { access, _ in
            access.ended(
                try request(
                    purpose, status: 500, path: path,
                    error: HostileError(text: "x\n{\"level\":\"error\"}\u{1b}[0m\u{9b}")))
        }
        #expect(all.count == 1)
        let line = try #require(all.first)
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e })
        #expect(!line.unicodeScalars.contains { 0x7f...0x9f ~= $0.value })
        guard form == .json else { return }
        let document = try JSONReader.read(Array(line.utf8))
        #expect(document["level"] == "info")
        #expect(document["status"] == .integer(500))
    }

    private struct HostileError: Error, CustomStringConvertible {
        let text: String
        var description: String { text }
    }

    @Test func levelsAndSwitchesHoldForAccessLines() throws {
        let purpose = Purpose("executor", "/", needs: nil, tenants: .admitted)
        let all = try lines(.text) { access, log in
            access.isWriting = false
            access.ended(try request(purpose, status: 200))
            access.isWriting = true
            log.level = .warning
            access.ended(try request(purpose, status: 200))
            log.level = .information
            access.ended(try request(purpose, status: 201))
        }
        #expect(all.count == 1)
        #expect(all.first?.contains("status=201") == true)
    }

    // MARK: Traces

    @Test func spansGoToACollectorAndNeverWait() throws {
        let registry = MetricRegistry()
        let received = Mutex<[Document]>([])
        let purpose = Purpose("executor", "/wasm/{id}", needs: nil, tenants: .admitted)
        try EventLoop().run { loop in
            let collector = HTTPServer { request, response in
                let document = try JSONReader.read(try await request.body())
                received.withLock { $0.append(document) }
                try await response.respond(.ok, "{}")
            }
            let address = try await collector.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            let url = try #require(
                URL(Array("http://127.0.0.1:\(address?.port ?? 0)/v1/traces".utf8)))
            var options = SpanExporter.Options(url)
            options.queueLimit = 3
            let exporter = SpanExporter(options, version: "1", registry)
            let trace = TraceParent(traceHigh: 1, traceLow: 2, span: 3, isSampled: true)
            let quiet = TraceParent(traceHigh: 1, traceLow: 2, span: 3, isSampled: false)
            exporter.ended(try request(purpose, status: 200, trace: quiet))
            for _ in 0..<5 {
                exporter.ended(try request(purpose, status: 500, method: .post, trace: trace))
            }
            await exporter.finish(on: loop)
        }
        let document = try #require(received.withLock { $0.first })
        let scope = document["resourceSpans"]?[0]?["scopeSpans"]?[0]
        let spans = try #require(scope?["spans"]?.arrayValue)
        #expect(spans.count == 3)
        let span = spans[0]
        #expect(span["traceId"] == "00000000000000010000000000000002")
        #expect(span["parentSpanId"] == "0000000000000003")
        #expect(span["spanId"]?.stringValue?.utf8.count == 16)
        #expect(span["name"] == "POST /wasm/{id}")
        #expect(span["startTimeUnixNano"] == "1795867200000000000")
        #expect(span["endTimeUnixNano"] == "1795867200000412345")
        #expect(span["status"]?["code"] == .integer(2))
        let scraped = ScrapedMetrics(registry.text())
        #expect(scraped.samples["wasmd_trace_spans_total{result=\"sent\"}"] == 3)
        #expect(scraped.samples["wasmd_trace_spans_total{result=\"dropped\"}"] == 2)
    }

    @Test func aSpanBeginsBeforeItsRequestIsAnswered() throws {
        let url = try #require(URL(Array("http://127.0.0.1:1/v1/traces".utf8)))
        var options = SpanExporter.Options(url)
        let starting = SpanExporter(options, version: "1", MetricRegistry())
        options.startsTraces = false
        let following = ServingObservers([
            SpanExporter(options, version: "1", MetricRegistry())
        ])
        let trace = TraceParent(traceHigh: 1, traceLow: 2, span: 3, isSampled: true)
        let quiet = TraceParent(traceHigh: 1, traceLow: 2, span: 3, isSampled: false)
        let below = try #require(following.span(under: trace))
        #expect(below.traceHigh == 1 && below.traceLow == 2 && below.span != 3 && below.isSampled)
        #expect(following.span(under: quiet) == nil && starting.span(under: quiet) == nil)
        #expect(following.span(under: nil) == nil && starting.span(under: nil) != nil)
        #expect(Requester(trace: trace).context == trace)
        #expect(Requester(trace: trace, span: below).context == below)
    }

    @Test func aCollectorThatIsAwayCostsSpansOnly() throws {
        let registry = MetricRegistry()
        let purpose = Purpose("executor", "/", needs: nil, tenants: .admitted)
        try EventLoop().run { loop in
            let url = try #require(URL(Array("http://127.0.0.1:1/v1/traces".utf8)))
            let exporter = SpanExporter(SpanExporter.Options(url), version: "1", registry)
            exporter.ended(try request(purpose, status: 200))
            await exporter.finish(on: loop)
        }
        let scraped = ScrapedMetrics(registry.text())
        #expect(scraped.samples["wasmd_trace_spans_total{result=\"dropped\"}"] == 1)
    }

    // MARK: Readiness

    @Test func readinessTellsAllReasons() {
        let readiness = Readiness()
        #expect(readiness.obstacles == [])
        let failure = Mutex<String?>(nil)
        let holder = FailureHolder(failure)
        readiness.add { holder.text }
        readiness.set(.draining, true)
        holder.text = "the store is read-only"
        #expect(
            readiness.obstacles == [
                Readiness.Reason.draining.rawValue, "the store is read-only",
            ])
        readiness.set(.draining, false)
        holder.text = nil
        #expect(readiness.obstacles == [])
    }

    private final class FailureHolder: Sendable {
        private let state: Mutex<String?>
        init(_ state: consuming Mutex<String?>) { self.state = state }
        var text: String? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }
}
