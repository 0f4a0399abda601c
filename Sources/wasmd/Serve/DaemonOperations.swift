import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdExecutor
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// What operators see and do of a daemon: metrics, health, logs, and the admin interface on the
/// console's listener and on the socket of the data folder.
///
/// Made before the process restricts itself, since it opens files of /proc and the socket.
final class DaemonOperations: Sendable {
    let metrics = MetricRegistry()
    let readiness = Readiness()
    let log: Log
    let access: AccessLog
    private let requests: RequestMetrics
    private let runs: RunMetrics
    private let use = ProcessUse()
    private let spans: SpanExporter?
    private let servers = Mutex<[(name: String, address: String, server: HTTPServer)]>([])
    /// Advances when the admin interface ends the server.
    private let shutDowns = Feed<Void>(capacity: 1)

    /// - Parameters:
    ///   - logsRequests: whether each request is a line of the log.
    ///   - collector: where spans go to; nil for nowhere.
    init(_ log: Log, logsRequests: Bool, collector: URL? = nil) {
        self.log = log
        access = AccessLog(log, isOn: logsRequests)
        requests = RequestMetrics(metrics)
        runs = RunMetrics(metrics)
        if let collector {
            spans = SpanExporter(
                SpanExporter.Options(collector), version: Version.number, metrics)
        } else {
            spans = nil
        }
        readiness.set(.starting, true)
        ProcessMetrics.watch(metrics, version: Version.number, use)
    }

    /// What is told of the requests of all listeners.
    var observer: any ServingObserver {
        ServingObservers([requests, access] + (spans.map { [$0 as any ServingObserver] } ?? []))
    }

    /// Called with the record of each run.
    var runObserver: @Sendable (RunRecord) -> Void {
        let (runs, spans) = (runs, spans)
        return { record in
            runs.observe(record)
            spans?.observe(record)
        }
    }

    // MARK: Surfaces

    /// Health, metrics, the document of the interface, and the admin interface; and the families
    /// of what they show. To be called once.
    ///
    /// - Parameter reload: reads the configuration again; nil without one.
    func surfaces(
        _ executor: Executor, _ store: WasmdStorage.Store, folder: [UInt8],
        reload: (@Sendable () async throws -> Document)? = nil
    ) -> [any Surface] {
        runs.watch(executor.runs)
        runs.watch(executor.cache)
        StoreMetrics.watch(metrics, store)
        metrics.collected("wasmd_writes_active", "Writes that wait or are carried out.", .gauge) {
            [MetricSample(executor.writeCount)]
        }
        metrics.collected(
            "wasmd_http_connections", "Connections of clients.", .gauge, labels: ["listener"]
        ) { [self] in listeners.map { MetricSample($0.connections, $0.name, $0.address) } }
        metrics.collected("wasmd_ready", "1 if the server wants requests, else 0.", .gauge) {
            [readiness] in [MetricSample(readiness.obstacles.isEmpty ? 1 : 0)]
        }
        readiness.add { store.writeFailure.map { "\($0)" } }
        var house = Administration(
            version: Version.number, startTime: use.read()?.startTime ?? 0, runs: executor.runs,
            cache: executor.cache, store: store, folder: folder, modules: executor,
            readiness: readiness)
        house.listeners = { [self] in listeners }
        house.reload = reload
        house.shutDown = { [shutDowns] in shutDowns.append(()) }
        let document = OpenAPIDocument.make(
            title: "wasmd", version: Version.number,
            [ModuleSurface.api, AdminSurface.api, HealthSurface.api])
        return [
            HealthSurface.make(readiness, metrics) { document }, AdminSurface.make(house),
        ]
    }

    private var listeners: [Administration.Listener] {
        servers.withLock { $0 }.map {
            .init(name: $0.name, address: $0.address, connections: $0.server.connectionCount)
        }
    }

    /// Notes a listener, for metrics and the status.
    func add(_ name: String, _ address: String, _ server: HTTPServer) {
        servers.withLock { $0.append((name, address, server)) }
    }

    // MARK: Start and end

    /// Everything serves.
    func started(on loop: EventLoop) {
        spans?.start(on: loop)
        readiness.set(.starting, false)
    }

    /// Requests are not wanted any more; event streams end.
    func stopping() { readiness.set(.stopping, true) }

    func finish(on loop: EventLoop) async { await spans?.finish(on: loop) }

    /// Waits until the admin interface ends the server, or the task is cancelled.
    func waitForShutDown() async {
        var events = shutDowns.subscribe(recent: 1)
        _ = await events.next()
    }

    // MARK: The socket

    /// The socket of a data folder, for this user's processes alone; nil if another daemon has it,
    /// or if its path is too long.
    static func socket(in folder: [UInt8], loopCount: Int) throws -> ListeningSockets? {
        do throws(SystemError) {
            return try CurrentProcess.withFileMask(0o177) { () throws(SystemError) in
                try ListeningSockets(.unix(socketPath(in: folder)), loopCount: loopCount)
            }
        } catch {
            // The store tells who has the folder.
            if error == .addrinuse { return nil }
            if error == .nametoolong {
                ServeMessages.write(
                    "the path of the data folder is too long for the admin socket: "
                        + "'wasmd ctl' needs --server")
                return nil
            }
            // A folder that cannot be written is served all the same, to be read.
            if error == .rofs || error == .acces || error == .nospc { return nil }
            throw Refusal(
                file: printable(Word(bytes: socketPath(in: folder)).text),
                reason: "cannot listen: \(error.text)")
        }
    }

    static func socketPath(in folder: [UInt8]) -> [UInt8] {
        (folder.last == UInt8(ascii: "/") ? folder : folder + [UInt8(ascii: "/")])
            + Array("wasmd.sock".utf8)
    }

    /// Serves the socket: surfaces without tokens, for the user that the server belongs to, and for
    /// root.
    func serve(
        _ sockets: ListeningSockets, _ surfaces: [any Surface], _ options: HTTPServerOptions,
        on loops: [EventLoop]
    ) async throws -> HTTPServer {
        var options = options
        let user = CurrentProcess.effectiveUser
        options.admits = { $0.user == user || $0.user == 0 }
        let listener = SurfaceListener(surfaces, observer: observer)
        let server = HTTPServer(options) { try await listener.answer($0, $1) }
        try await server.serve(sockets, on: loops)
        add("socket", "unix", server)
        return server
    }

    /// Removes the socket at the end.
    static func removeSocket(in folder: [UInt8]) {
        try? unsafe Kernel.unlink(CString(path: socketPath(in: folder)))
    }
}
