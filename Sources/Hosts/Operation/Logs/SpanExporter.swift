import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient

/// Sends a span for each request, and for each run, to a collector: OTLP over HTTP with JSON
/// (opentelemetry-proto, `ExportTraceServiceRequest`).
///
/// Spans wait in a bounded queue and go in batches. If the collector is slow or away, spans are
/// dropped and counted: requests never wait.
public final class SpanExporter: ServingObserver {
    public struct Options: Sendable {
        /// Where to send to, for example `http://127.0.0.1:4318/v1/traces`.
        public var url: URL
        public var serviceName = "wasmd"
        /// Spans that wait.
        public var queueLimit = 4096
        /// Spans of one request.
        public var batchLimit = 512
        /// The longest time that a span waits.
        public var interval = Duration.seconds(2)
        /// Whether requests that belong to no trace get one of their own.
        public var startsTraces = true

        public init(_ url: URL) { self.url = url }
    }

    struct Span: Sendable {
        var traceHigh: UInt64
        var traceLow: UInt64
        var id: UInt64
        var parent: UInt64?
        var name: String
        /// 2 for a server's, 1 for one inside.
        var kind: Int64
        var start: UInt64
        var end: UInt64
        var isError: Bool
        var attributes: [Document.Member]
    }

    private struct State: Sendable {
        var spans: [Span] = []
        var task: LoopTask<Void>?
    }

    private let options: Options
    private let version: String
    private let state = Mutex(State())
    private let dropped = Counter()
    private let sent = Counter()

    public init(_ options: Options, version: String, _ registry: MetricRegistry) {
        self.options = options
        self.version = version
        let (sent, dropped) = (sent, dropped)
        registry.collected(
            "wasmd_trace_spans_total", "Spans for the collector of traces.", .counter,
            labels: ["result"]
        ) { [MetricSample(sent.count, "sent"), MetricSample(dropped.count, "dropped")] }
    }

    // MARK: Spans

    public func began(_ purpose: Purpose) {}

    public func span(under parent: TraceParent?) -> TraceParent? {
        guard parent?.isSampled ?? options.startsTraces else { return nil }
        return TraceParent(
            traceHigh: parent?.traceHigh ?? .random(in: 1...UInt64.max),
            traceLow: parent?.traceLow ?? .random(in: 1...UInt64.max),
            span: .random(in: 1...UInt64.max), isSampled: true)
    }

    public func ended(_ request: borrowing ServedRequest) {
        let trace = request.requester.trace
        // A request that was refused before it began to be answered has none yet.
        guard let span = request.requester.span ?? span(under: trace) else { return }
        var attributes: [Document.Member] = [
            .init("http.request.method", .string(request.head.method.name)),
            .init("http.route", .string(request.purpose.route)),
            .init("http.response.status_code", .integer(Int64(request.status))),
            .init("wasmd.surface", .string("\(request.purpose.surface)")),
            .init("wasmd.request", .string(request.requester.request.description)),
        ]
        if let run = request.run { attributes.append(.init("wasmd.run", .string("\(run)"))) }
        if let tenant = request.requester.tenant {
            attributes.append(.init("wasmd.tenant", .string(tenant.name)))
        }
        add(
            Span(
                traceHigh: span.traceHigh, traceLow: span.traceLow, id: span.span,
                parent: trace?.span, name: "\(request.head.method.name) \(request.purpose.route)",
                kind: 2,
                start: request.start, end: request.start &+ request.duration,
                isError: request.status >= 500 || request.error != nil, attributes: attributes))
    }

    /// For `GuestRuns.Options.observer`: a span for a run that belongs to a recorded trace.
    @Sendable public func observe(_ record: RunRecord) {
        guard let trace = record.trace, let id = trace.own else { return }
        add(
            Span(
                traceHigh: trace.high, traceLow: trace.low, id: id, parent: trace.span, name: "run",
                kind: 1, start: record.start,
                end: record.start &+ record.duration, isError: record.outcome.kind != .succeeded,
                attributes: [
                    .init("wasmd.run", .string(record.id.description)),
                    .init("wasmd.module", .string(HarmlessText.text(record.moduleName.utf8))),
                    .init("wasmd.outcome", .string("\(record.outcome.kind)")),
                    .init("wasmd.fuel", .number(record.fuel)),
                ]))
    }

    private func add(_ span: Span) {
        let isAdded = state.withLock { state in
            guard state.spans.count < options.queueLimit else { return false }
            state.spans.append(span)
            return true
        }
        if !isAdded { dropped.add() }
    }

    // MARK: Sending

    /// Sends until the loop ends.
    public func start(on loop: EventLoop) {
        let task = loop.spawn { [self] in
            var clientOptions = HTTPClientOptions()
            clientOptions.connectTimeout = .seconds(5)
            clientOptions.responseTimeout = .seconds(10)
            clientOptions.redirectLimit = 0
            let client = HTTPClient(clientOptions, on: loop)
            while (try? await loop.sleep(for: options.interval)) != nil {
                while await send(client) {}
            }
        }
        state.withLock { $0.task = task }
    }

    /// Sends what waits, at the end, for at most two seconds and a batch.
    public func finish(on loop: EventLoop) async {
        state.withLock { $0.task }?.cancel()
        var clientOptions = HTTPClientOptions()
        clientOptions.connectTimeout = .milliseconds(300)
        clientOptions.responseTimeout = .milliseconds(700)
        let client = HTTPClient(clientOptions, on: loop)
        let end = LoopInstant.after(.seconds(2))
        while await send(client, isEnding: true), .now < end {}
        let rest = state.withLock { state in
            defer { state.spans = [] }
            return state.spans.count
        }
        dropped.add(UInt64(rest))
    }

    /// Sends a batch; returns whether more wait.
    ///
    /// - Parameter isEnding: whether fewer than a batch count.
    private func send(_ client: HTTPClient, isEnding: Bool = false) async -> Bool {
        let batch = state.withLock { state in
            let batch = Array(state.spans.prefix(options.batchLimit))
            state.spans.removeFirst(batch.count)
            return batch
        }
        guard !batch.isEmpty else { return false }
        let body = JSONWriter.write(
            Self.document(batch, service: options.serviceName, version: version))
        var isSent = false
        do {
            var request = ClientRequest(.post, options.url, body: .bytes(body))
            try request.fields.append("Content-Type", "application/json")
            let response = try await client.send(request)
            _ = try? await response.body(limit: 1 << 20)
            isSent = (200..<300).contains(response.status.code)
        } catch {
            isSent = false
        }
        if isSent { sent.add(UInt64(batch.count)) } else { dropped.add(UInt64(batch.count)) }
        return isSent && state.withLock { $0.spans.count >= (isEnding ? 1 : options.batchLimit) }
    }

    /// `ExportTraceServiceRequest` in the JSON form of OTLP: ids are hexadecimal, 64-bit integers
    /// are text.
    static func document(_ spans: [Span], service: String, version: String) -> Document {
        func attribute(_ member: Document.Member) -> Document {
            let value: Document =
                switch member.value {
                case .integer(let number):
                    .object([.init("intValue", .string("\(number)"))])
                case .boolean: .object([.init("boolValue", member.value)])
                default: .object([.init("stringValue", .string(member.value.stringValue ?? ""))])
                }
            return .object([.init("key", .string(member.name)), .init("value", value)])
        }
        let list = spans.map { span -> Document in
            var members: [Document.Member] = [
                .init(
                    "traceId",
                    .string(RunTrace.digits(span.traceHigh) + RunTrace.digits(span.traceLow))),
                .init("spanId", .string(RunTrace.digits(span.id))),
            ]
            if let parent = span.parent {
                members.append(.init("parentSpanId", .string(RunTrace.digits(parent))))
            }
            members += [
                .init("name", .string(span.name)), .init("kind", .integer(span.kind)),
                .init("startTimeUnixNano", .string("\(span.start)")),
                .init("endTimeUnixNano", .string("\(span.end)")),
                .init("attributes", .array(span.attributes.map(attribute))),
                .init("status", .object(span.isError ? [.init("code", .integer(2))] : [])),
            ]
            return .object(members)
        }
        let resource = Document.object([
            .init(
                "attributes",
                .array([
                    attribute(.init("service.name", .string(service))),
                    attribute(.init("service.version", .string(version))),
                ]))
        ])
        return .object([
            .init(
                "resourceSpans",
                .array([
                    .object([
                        .init("resource", resource),
                        .init(
                            "scopeSpans",
                            .array([
                                .object([
                                    .init(
                                        "scope",
                                        .object([
                                            .init("name", "wasmd"),
                                            .init("version", .string(version)),
                                        ])),
                                    .init("spans", .array(list)),
                                ])
                            ])),
                    ])
                ]))
        ])
    }
}
