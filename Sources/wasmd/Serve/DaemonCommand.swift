import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdExecutor
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// `wasmd serve` without a path: a server that stores modules and runs them.
struct DaemonCommand {
    private let options: DaemonOptions

    private static let grace = Duration.seconds(3)

    init(_ arguments: ParsedArguments) throws(UsageError) { options = try DaemonOptions(arguments) }

    /// Serves until a signal comes, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        do {
            let data = options.data.bytes
            try ServeSandbox(options.sandbox, file: options.data.text) {
                .serving([], folders: [(data, false)])
            }.start {
                let log = try open()
                let operations = DaemonOperations(
                    Log(ServeMessages.output, form: .json), logsRequests: false)
                let socket = try DaemonOperations.socket(
                    in: data, loopCount: options.loopCount ?? availableProcessors())
                return (Opened(log: log, operations: operations, socket: socket), try listeners())
            } threads: { opened, listeners in
                try serve(opened, listeners)
            }
            return ExitCode.success
        } catch let refusal as Refusal {
            console.complain(refusal.text)
        } catch let error as StorageError {
            console.complain(Refusal(storage: error, folder: options.data.text).text)
        } catch {
            console.complain("\(options.data.text): \(error)")
        }
        return ExitCode.refused
    }

    // MARK: Before the restrictions

    /// Makes the data folder, and opens the log of wess.
    private func open() throws -> WessLog? {
        try WasmdStorage.Store.makeFolder(options.data.bytes)
        guard let path = options.wessLog else { return nil }
        do throws(SystemError) {
            return try WessLog(path)
        } catch {
            throw Refusal(file: path.text, reason: error.text)
        }
    }

    private enum Personality: Sendable { case executor, wess }

    private struct Opened: Sendable {
        let log: WessLog?
        let operations: DaemonOperations
        let socket: ListeningSockets?
    }

    private struct Bound: Sendable {
        let surface: Personality
        let wanted: SocketAddress
        let sockets: ListeningSockets
    }

    private func listeners() throws -> [Bound] {
        _ = CurrentProcess.raiseDescriptorLimit()
        let count = options.loopCount ?? availableProcessors()
        let wanted =
            options.executor.map { (Personality.executor, $0) } + options.wess.map { (.wess, $0) }
        return try wanted.map { surface, address in
            do throws(SystemError) {
                return Bound(
                    surface: surface, wanted: address,
                    sockets: try ListeningSockets(address.system, loopCount: count))
            } catch {
                throw Refusal(file: "\(address)", reason: "cannot listen: \(error.text)")
            }
        }
    }

    // MARK: Serving

    private func serve(_ opened: Opened, _ listeners: [Bound]) throws {
        let store = try WasmdStorage.Store(folder: options.data.bytes)
        defer { store.close() }
        report(store)
        ServeMessages.output.start()
        defer { ServeMessages.output.finish() }
        let operations = opened.operations
        var settings = settings
        settings.runs.observer = operations.runObserver
        let executor = Executor(store, settings)
        let surfaces = operations.surfaces(executor, store, folder: options.data.bytes)
        defer { if opened.socket != nil { DaemonOperations.removeSocket(in: options.data.bytes) } }
        let group = try LoopGroup(count: options.loopCount)
        try group.run { loop in
            let signals = try SignalStream([Signals.termination, Signals.interrupt], on: loop)
            let printer = GuestLogPrinter(executor.runs.log, on: loop)
            defer { printer.finish() }
            loop.spawn {
                while (try? await loop.sleep(for: .seconds(60))) != nil { executor.trim() }
            }
            var servers: [HTTPServer] = []
            for bound in listeners {
                let server = HTTPServer(
                    serverOptions, fixed: try HealthSurface.fixedAnswers(),
                    handler: handler(bound.surface, executor, opened, surfaces))
                try await server.serve(bound.sockets, on: group.loops)
                servers.append(server)
                let place = ServeMessages.place(bound.sockets.address, bound.wanted)
                operations.add("\(bound.surface)", place, server)
                ServeMessages.write("\(bound.surface) at \(place)")
            }
            if let socket = opened.socket {
                servers.append(
                    try await operations.serve(
                        socket, surfaces + [ModuleSurface(executor)], serverOptions,
                        on: group.loops))
            }
            operations.started(on: loop)
            ServeMessages.write("data in \(printable(options.data.text))")
            let shutDown = loop.spawn { await operations.waitForShutDown() }
            let signalled = loop.spawn {
                _ = try? await signals.next()
                shutDown.cancel()
            }
            await shutDown.value
            signalled.cancel()
            operations.stopping()
            let stopping = servers
            loop.spawn {
                guard (try? await signals.next()) != nil else { return }
                for server in stopping { await server.stop(grace: .zero, on: loop) }
            }
            for server in servers { await server.stop(grace: Self.grace, on: loop) }
            await operations.finish(on: loop)
        }
    }

    private func report(_ store: WasmdStorage.Store) {
        if let tail = store.report.tail {
            ServeMessages.write(
                "\(tail.file): \(tail.byteCount) bytes that were never acknowledged were cut off")
        }
        for damage in store.report.damage {
            ServeMessages.write("\(damage.file): damaged at \(damage.offset)")
        }
    }

    private var serverOptions: HTTPServerOptions {
        var options = HTTPServerOptions()
        options.limits.body = UInt64(clamping: settings.moduleLimit * 5 + (1 << 20))
        return options
    }

    private var settings: Executor.Options {
        var settings = Executor.Options()
        if let memory = options.memory { settings.limits.memory = memory }
        if let timeout = options.timeout { settings.limits.time = timeout }
        settings.limits.fuel = options.fuel
        if let limit = options.requestLimit { settings.runs.places.running = limit }
        if let limit = options.waitingLimit { settings.runs.places.waiting = limit }
        return settings
    }

    private func handler(
        _ surface: Personality, _ executor: Executor, _ opened: Opened, _ operation: [any Surface]
    ) -> HTTPServer.Handler {
        let surfaces: [any Surface]
        switch surface {
        case .wess: surfaces = [WessSurface(executor, observer: opened.log)]
        case .executor: surfaces = operation + [QuerySurface(executor), ModuleSurface(executor)]
        }
        let listener = SurfaceListener(surfaces, observer: opened.operations.observer)
        return { try await listener.answer($0, $1) }
    }
}
