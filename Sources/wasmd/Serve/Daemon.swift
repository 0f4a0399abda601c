import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdEventLoop
import WasmdExecutor
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// A daemon from its start to its end.
struct Daemon {
    private let settings: DaemonSettings
    private let file: ConfigurationFile
    private let manager = ServiceManager()

    init(_ settings: DaemonSettings, _ file: ConfigurationFile) {
        self.settings = settings
        self.file = file
    }

    private var data: Word { Word(bytes: settings.common.data) }

    /// Serves until a signal comes.
    func run() throws {
        let folder = data.bytes
        let readable =
            file.folders + TransportsService.folders(settings)
            + (settings.orchestrator.initFolder.map { [$0.bytes] } ?? [])
            + settings.services.map(\.moduleFolder)
        var folders: [(path: [UInt8], isReadOnly: Bool)] = [(folder, false)]
        for folder in settings.services.flatMap(\.folders) {
            folders.append((folder.hostPathBytes, folder.isReadOnly))
        }
        folders += TransportsService.guestFolders(settings)
        if !settings.othismo.listen.isEmpty, let name = settings.othismo.image {
            // Its journal is beside it.
            folders.append((ServedImage.folder(of: ImageFile.path(name)), false))
        }
        let writable = folders
        let sandbox: Sandbox? =
            switch settings.common.sandbox {
            case .off: nil
            case .on: .asFarAsPossible
            case .strict: .strict
            }
        // Only requests of services and bridges need it.
        let tls =
            settings.services.contains { !$0.allowedHosts.isEmpty }
                || settings.broker.bridges.contains(where: \.isSecure)
            ? try TLSHelper(isRestricted: sandbox != nil) : nil
        try ServeSandbox(sandbox, file: data.text) {
            var confinement = Confinement.serving(
                readable, folders: writable, connects: DaemonServices.connect(settings))
            if let port = settings.common.traces?.port, !DaemonServices.connect(settings) {
                // The collector of traces is the only server that it speaks to.
                confinement.landlock.connectPorts = [port]
                confinement.calls = Confinement.serverCalls(hasUnixSockets: false)
            }
            if TransportsService.usesUnixSockets(settings) {
                confinement.calls = Confinement.serverCalls(hasUnixSockets: true)
            }
            return confinement
        }.start {
            let listeners = try listen()
            let log = try open()
            let operations = try DaemonOperations(settings)
            return ((log, operations, try DaemonServices(settings, listeners, tls)), listeners)
        } spawner: {
            try tls?.begin()
        } threads: { opened, listeners, applied in
            try serve(opened.0, opened.1, opened.2, listeners, applied)
        }
    }

    /// Makes the data folder, which may hold sockets, and opens the listeners. If that fails, as at
    /// an address in use, an empty folder is not left behind.
    private func listen() throws -> DaemonListeners {
        _ = CurrentProcess.raiseDescriptorLimit()
        // Its file cannot be opened later.
        _ = CurrentProcess.residentMemory
        let isNew = (try? Kernel.status(data.cString, followsLink: true)) == nil
        try RecordStore.makeFolder(data.bytes)
        do throws(Refusal) {
            return try DaemonListeners(settings)
        } catch {
            if isNew { try? Kernel.removeDirectory(data.cString) }
            throw error
        }
    }

    /// Opens the log of wess.
    private func open() throws -> WessLog? {
        guard let path = settings.wess.log else { return nil }
        do throws(SystemError) {
            return try WessLog(path)
        } catch {
            throw Refusal(file: path.text, reason: error.text)
        }
    }

    // MARK: Serving

    private func serve(
        _ log: WessLog?, _ operations: DaemonOperations, _ services: DaemonServices,
        _ listeners: DaemonListeners, _ sandbox: AppliedSandbox
    ) throws {
        let store = try RecordStore(folder: data.bytes)
        defer { store.close() }
        report(store)
        ServeMessages.output.start()
        defer { ServeMessages.output.finish() }
        operations.start()
        defer { operations.end() }
        var options = settings.executorOptions
        options.runs.observer = operations.runObserver
        let executor = Executor(store, options)
        let services = try services.open(
            store,
            DaemonHouse(
                runs: executor.runs, readiness: operations.readiness,
                broker: try settings.broker.open(store)))
        let control = try DaemonControl(executor, settings, file: file)
        control.follow { operations.follow($0) }
        control.follow { services.follow($0) }
        control.prepare { (settings) throws(Refusal) in try services.prepare(settings) }
        let shared = try operations.surfaces(
            executor, store, control, services, sandbox, at: listeners)
        let group = try LoopGroup(count: settings.common.loops)
        try group.run { loop in
            let signals = try SignalStream(
                [Signals.termination, Signals.interrupt, Signals.hangup], on: loop)
            let printer = GuestLogPrinter(executor.runs.log, on: loop)
            defer { printer.finish() }
            loop.spawn {
                while (try? await loop.sleep(for: .seconds(60))) != nil {
                    executor.trim()
                    await executor.collectUnused(on: loop)
                }
            }
            var servers: [HTTPServer] = []
            for bound in listeners.bound {
                if try await services.serve(bound, on: group.loops) { continue }
                let listener = control.listener(
                    shared.of(bound.personality)
                        + surfaces(bound.personality, executor, log, services),
                    observer: operations.observer)
                let server = HTTPServer(
                    serverOptions, fixed: try shared.fixedAnswers(of: bound.personality)
                ) { try await listener.answer($0, $1) }
                try await server.serve(bound.sockets, on: group.loops)
                servers.append(server)
                operations.add(bound.personality.rawValue, bound.place, server)
                if bound.personality != .console {
                    ServeMessages.write("\(bound.personality.rawValue) at \(bound.place)")
                }
                if !shared.of(bound.personality).isEmpty {
                    let page = bound.place.hasPrefix("http") ? "console" : ""
                    ServeMessages.write("console at \(bound.place)\(page)")
                }
            }
            if let server = try await operations.serveSocket(
                shared.all + [ModuleSurface(executor)], serverOptions, on: group.loops)
            {
                servers.append(server)
            }
            try await services.serve(on: group.loops, loop)
            operations.started(on: loop)
            sandbox.tell()
            ServeMessages.write("data in \(printable(data.text))")
            try await services.start(on: loop)
            watch(on: loop)
            manager.send("READY=1", "STATUS=serving")
            // The admin interface ends the server as a signal does.
            let ending = loop.spawn { try? await waitForEnd(signals, control, loop) }
            let shutDown = loop.spawn {
                if await operations.waitForShutDown() { ending.cancel() }
            }
            await ending.value
            shutDown.cancel()
            operations.stopping()
            services.sayGoodbye()
            manager.send("STOPPING=1", "STATUS=requests in flight end")
            let stopping = servers
            let grace = control.settings.common.grace
            // Runs are tasks of their own, which the end of a connection does not end.
            let overtime = loop.spawn {
                _ = try? await loop.sleep(for: grace)
                services.endRuns()
            }
            loop.spawn {
                while let number = try? await signals.next() {
                    guard number != Signals.hangup else { continue }
                    overtime.cancel()
                    for server in stopping { await server.stop(grace: .zero, on: loop) }
                    return
                }
            }
            let ends = loop.spawn { await services.stop(on: loop) }
            await stop(servers, grace, loop)
            await ends.value
            await services.finish(on: loop)
            await operations.finish(on: loop)
        }
    }

    /// Stops all servers at the same time.
    private func stop(
        _ servers: [HTTPServer], _ grace: Duration, _ loop: EventLoop
    ) async {
        let tasks = servers.map { server in
            loop.spawn { await server.stop(grace: grace, on: loop) }
        }
        for task in tasks { await task.value }
    }

    /// Reloads for each SIGHUP; returns at another signal.
    private func waitForEnd(
        _ signals: SignalStream, _ control: DaemonControl, _ loop: EventLoop
    ) async throws {
        while try await signals.next() == Signals.hangup {
            manager.send(
                "RELOADING=1", "MONOTONIC_USEC=\(SystemClock.monotonic.now / 1000)")
            // A pool that is full is no reason to end.
            guard let result = try? await loop.blocking({ control.reload() }) else {
                ServeMessages.write("not reloaded: too much waits for the disk", .error)
                manager.send("READY=1")
                continue
            }
            switch result {
            case .changed([]): ServeMessages.write("reloaded: nothing has changed")
            case .changed(let paths):
                ServeMessages.write("reloaded: \(printable(paths.joined(separator: ", ")))")
            case .refused(let lines):
                for line in lines { ServeMessages.write("not reloaded: \(line)", .error) }
            }
            manager.send("READY=1")
        }
    }

    /// Gives the manager a sign of life, at half of the time after which it ends the process.
    private func watch(on loop: EventLoop) {
        guard let time = manager.watchdog, time > 0 else { return }
        let pause = Duration.microseconds(Int64(clamping: max(time / 2, 1000)))
        let manager = manager
        loop.spawn {
            repeat { manager.send("WATCHDOG=1") } while (try? await loop.sleep(for: pause)) != nil
        }
    }

    private func report(_ store: RecordStore) {
        if let tail = store.report.tail {
            ServeMessages.write(
                "\(tail.file): \(tail.byteCount) bytes that were never acknowledged were cut off")
        }
        for damage in store.report.damage {
            let lost =
                damage.transactions > 0
                ? "at least \(damage.transactions) writes are lost" : "what was there is lost"
            ServeMessages.write(
                "\(damage.file): damaged: \(damage.byteCount) bytes at \(damage.offset); \(lost)",
                .error)
        }
        for numbers in store.report.missingSegments {
            ServeMessages.write(
                "files \(numbers.lowerBound) to \(numbers.upperBound) of the log are missing; what "
                    + "was there is lost", .error)
        }
        for file in store.report.setAside {
            ServeMessages.write(
                "\(file): a damaged file that was set aside; nothing reads it", .error)
        }
        if let failure = store.writeFailure { ServeMessages.write("\(failure)", .error) }
    }

    private var serverOptions: HTTPServerOptions {
        var options = HTTPServerOptions()
        // Each surface limits the bodies that it reads, by limits that may change.
        options.limits.body = .max
        options.connectionLimit = settings.common.limits.connections
        return options
    }

    private func surfaces(
        _ personality: DaemonSettings.Personality, _ executor: Executor, _ log: WessLog?,
        _ services: OpenServices
    ) -> [any Surface] {
        switch personality {
        case .executor: [QuerySurface(executor), ModuleSurface(executor)]
        case .legacy: [QuerySurface(executor, isAlone: true)]
        case .wess: [WessSurface(executor, observer: log)]
        case .console: [ModuleSurface(executor)]
        case .orchestrator, .supervisor, .othismo, .broker: services.surfaces(personality)
        }
    }
}
