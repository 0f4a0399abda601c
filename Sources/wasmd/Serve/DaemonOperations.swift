import Synchronization
import WasmSystem
import WasmdConsole
import WasmdDocuments
import WasmdEventLoop
import WasmdExecutor
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdServices
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
    /// The output of the log, if that is not standard error.
    private let file: LogOutput?
    private let folder: [UInt8]
    private let socket: ListeningSockets?
    private let servers = Mutex<[(name: String, address: String, server: HTTPServer)]>([])
    /// Advances when the admin interface ends the server.
    private let shutDowns = Feed<Void>(capacity: 1)

    /// Opens the log, the socket and files of /proc.
    ///
    /// - Throws: `Refusal`
    init(_ settings: DaemonSettings) throws {
        let common = settings.common
        folder = common.data
        file = try common.log.file.map { try Self.output($0) }
        log = Log(
            file ?? ServeMessages.output, level: common.log.level,
            form: Self.form(common.log, hasFile: file != nil))
        access = AccessLog(log, isOn: common.log.requests, isAuditing: common.log.audit)
        socket = try Self.socket(in: folder, loopCount: common.loops ?? availableProcessors())
        let collector = common.traces
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

    /// Text for a terminal, JSON for programs, unless the configuration says which.
    private static func form(_ log: Configuration.LogSettings, hasFile: Bool) -> Log.Form {
        log.form ?? (!hasFile && Kernel.isTerminal(Kernel.standardError) ? .text : .json)
    }

    /// Opens a file for more lines; makes it with its folders.
    private static func output(_ path: String) throws -> LogOutput {
        let bytes = Array(path.utf8)
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "/") && index > 0 {
            try? Kernel.createDirectory(CString(path: Array(bytes[..<index])), permissions: 0o777)
        }
        do throws(SystemError) {
            let opened = FileDescriptor(
                owning: try Kernel.open(
                    CString(path: bytes), [.writeOnly, .create, .append], permissions: 0o666))
            return LogOutput(opened.release())
        } catch {
            throw Refusal(file: path, reason: error.text)
        }
    }

    /// What a reload changes.
    func follow(_ settings: DaemonSettings) {
        let log = settings.common.log
        self.log.level = log.level
        self.log.form = Self.form(log, hasFile: file != nil)
        ServeMessages.form = log.form ?? .text
        access.isWriting = log.requests
        access.isAuditing = log.audit
    }

    // MARK: Surfaces

    /// The surfaces of operators, and where they are.
    struct Surfaces: Sendable {
        let all: [any Surface]
        /// Whether a listener of the console has them; else those of the executor do.
        let isOnConsole: Bool
        fileprivate let sandbox: AppliedSandbox

        private func has(_ personality: DaemonSettings.Personality) -> Bool {
            personality == (isOnConsole ? .console : .executor)
        }

        func of(_ personality: DaemonSettings.Personality) -> [any Surface] {
            has(personality) ? all : []
        }

        func fixedAnswers(
            of personality: DaemonSettings.Personality
        ) throws -> HTTPServer.FixedAnswers? {
            has(personality) ? try HealthSurface.fixedAnswers("\(sandbox)") : nil
        }
    }

    /// Health, metrics, the document of the interface, and the admin interface; and the families
    /// of what they show. To be called once.
    ///
    func surfaces(
        _ executor: Executor, _ store: RecordStore, _ control: DaemonControl,
        _ services: OpenServices, _ sandbox: AppliedSandbox, at opened: DaemonListeners
    ) throws -> Surfaces {
        runs.watch(executor.runs)
        runs.watch(executor.cache)
        StoreMetrics.watch(metrics, store)
        services.watch(metrics)
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
        house.reload = { loop in
            switch try await loop.blocking({ control.reload() }) {
            case .changed(let paths):
                return .object([.init("changed", .array(paths.map { .string($0) }))])
            case .refused(let lines):
                throw APIFailure(.conflict, "nothing was changed: " + lines.joined(separator: "; "))
            }
        }
        house.settings = { [self] in settings(executor, control, services) }
        house.services = { [.init("sandbox", sandbox.document)] + services.status }
        house.shutDown = { [shutDowns] in shutDowns.append(()) }
        let others: [any Surface] =
            [AdminSurface.make(house), CodeSurface.make(executor), try ConsoleSurface()]
            + services.operatorSurfaces
        let here = others + [ModuleSurface(executor)]
        let document = OpenAPIDocument.make(
            title: "wasmd", version: Version.number,
            [ModuleSurface.api, AdminSurface.api, CodeSurface.api, HealthSurface.api]
                + services.apis
        ) { table, operation in
            if table.tag == HealthSurface.api.tag || operation.isServed(by: here) { return .here }
            return opened.url(of: table.tag).map { .at($0) } ?? .nowhere
        }
        return Surfaces(
            all: [HealthSurface.make(readiness, metrics, "\(sandbox)") { document }] + others,
            isOnConsole: opened.bound.contains { $0.personality == .console }, sandbox: sandbox)
    }

    /// Limits of the executor, and of the broker where there is one, with what is used of them.
    private func settings(
        _ executor: Executor, _ control: DaemonControl, _ services: OpenServices
    ) -> Document {
        let settings = control.settings
        var report = SettingsReport(settings.common, control.rules)
        let total = executor.runs.queue.total
        report.used = [
            "limits.runs": Int64(total.runningCount), "limits.waiting": Int64(total.waitingCount),
            "limits.writes": Int64(executor.writeCount),
            "limits.connections": Int64(listeners.map(\.connections).max() ?? 0),
        ]
        // Of the run that uses most; those of services have limits of their own.
        let limits = settings.common.limits
        let active = executor.runs.active.all.filter { !Service.isCaller($0.caller) }
        report.used["limits.memory"] = Int64(
            clamping: active.filter { $0.memoryLimit == limits.memory }.map(\.memory).max() ?? 0)
        if let time = limits.runTime {
            report.used["limits.run_time"] = Int64(
                clamping: (active.filter { $0.timeLimit == time }.map(\.age).max() ?? 0)
                    / 1_000_000_000)
        }
        if let broker = services.status.first(where: { $0.name == "broker" })?.value {
            report.facts += settings.broker.facts.filter { $0.path.hasPrefix("broker.limits.") }
            for name in ["messages", "bytes", "topics", "subscribers"] {
                report.used["broker.limits.\(name)"] = broker[name]?.integerValue
            }
        }
        report.others = services.limits
        return report.document
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

    /// Starts the thread of the log's file; after the process has restricted itself.
    func start() { file?.start() }

    func end() {
        if socket != nil { Self.removeSocket(in: folder) }
        file?.finish()
    }

    /// Everything serves.
    func started(on loop: EventLoop) {
        spans?.start(on: loop)
        readiness.set(.starting, false)
    }

    /// Requests are not wanted any more; event streams end.
    func stopping() { readiness.set(.stopping, true) }

    func finish(on loop: EventLoop) async { await spans?.finish(on: loop) }

    /// Waits until the admin interface ends the server; false if the task was cancelled.
    func waitForShutDown() async -> Bool {
        var events = shutDowns.subscribe(recent: 1)
        return await events.next() != nil
    }

    // MARK: The socket

    /// The socket of a data folder, for this user's processes alone; nil if another daemon has it,
    /// or if its path is too long.
    private static func socket(in folder: [UInt8], loopCount: Int) throws -> ListeningSockets? {
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
    /// root. Nil if there is none.
    func serveSocket(
        _ surfaces: [any Surface], _ options: HTTPServerOptions, on loops: [EventLoop]
    ) async throws -> HTTPServer? {
        guard let socket else { return nil }
        var options = options
        let user = CurrentProcess.effectiveUser
        options.admits = { $0.user == user || $0.user == 0 }
        let listener = SurfaceListener(surfaces, observer: observer)
        let server = HTTPServer(options) { try await listener.answer($0, $1) }
        try await server.serve(socket, on: loops)
        add("socket", "unix", server)
        return server
    }

    /// Removes the socket at the end.
    private static func removeSocket(in folder: [UInt8]) {
        try? unsafe Kernel.unlink(CString(path: socketPath(in: folder)))
    }
}

extension APIOperation {
    /// Whether one of the surfaces has its path.
    fileprivate func isServed(by surfaces: [any Surface]) -> Bool {
        guard let head = try? RequestHead(method: method, target: path.utf8) else { return false }
        return surfaces.contains { $0.purpose(of: head) != nil }
    }
}

extension DaemonListeners {
    /// The URL of the first listener of a personality, without a slash at the end; nil if there is
    /// none, or it has a path in the file system.
    fileprivate func url(of personality: String) -> String? {
        let found = bound.first {
            $0.personality.rawValue == personality && $0.place.hasPrefix("http")
        }
        return found.map { String($0.place.dropLast()) }
    }
}
