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
                (try open(), try listeners())
            } threads: { log, listeners in
                try serve(log, listeners)
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

    private func serve(_ log: WessLog?, _ listeners: [Bound]) throws {
        let store = try WasmdStorage.Store(folder: options.data.bytes)
        defer { store.close() }
        report(store)
        ServeMessages.output.start()
        defer { ServeMessages.output.finish() }
        let executor = Executor(store, settings)
        let group = try LoopGroup(count: options.loopCount)
        try group.run { loop in
            let signals = try SignalStream([Signals.termination, Signals.interrupt], on: loop)
            let printer = GuestLogPrinter(executor.runs.log, on: loop)
            defer { printer.finish() }
            loop.spawn {
                while (try? await loop.sleep(for: .seconds(60))) != nil {
                    executor.trim()
                    await executor.collectUnused(on: loop)
                }
            }
            var servers: [HTTPServer] = []
            for bound in listeners {
                let server = HTTPServer(
                    serverOptions, handler: handler(bound.surface, executor, log))
                try await server.serve(bound.sockets, on: group.loops)
                servers.append(server)
                let place = ServeMessages.place(bound.sockets.address, bound.wanted)
                ServeMessages.write("\(bound.surface) at \(place)")
            }
            ServeMessages.write("data in \(printable(options.data.text))")
            _ = try await signals.next()
            let stopping = servers
            loop.spawn {
                guard (try? await signals.next()) != nil else { return }
                for server in stopping { await server.stop(grace: .zero, on: loop) }
            }
            for server in servers { await server.stop(grace: Self.grace, on: loop) }
        }
    }

    private func report(_ store: WasmdStorage.Store) {
        if let tail = store.report.tail {
            ServeMessages.write(
                "\(tail.file): \(tail.byteCount) bytes that were never acknowledged were cut off")
        }
        for damage in store.report.damage {
            let lost =
                damage.transactions > 0
                ? "at least \(damage.transactions) writes are lost" : "what was there is lost"
            ServeMessages.write(
                "\(damage.file): damaged: \(damage.byteCount) bytes at \(damage.offset); \(lost)")
        }
        for numbers in store.report.missingSegments {
            ServeMessages.write(
                "files \(numbers.lowerBound) to \(numbers.upperBound) of the log are missing; what was "
                    + "there is lost")
        }
        for file in store.report.setAside {
            ServeMessages.write("\(file): a damaged file that was set aside; nothing reads it")
        }
        if let failure = store.writeFailure { ServeMessages.write("\(failure)") }
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
        _ surface: Personality, _ executor: Executor, _ log: WessLog?
    ) -> HTTPServer.Handler {
        let surfaces: [any Surface]
        switch surface {
        case .wess: surfaces = [WessSurface(executor, observer: log)]
        case .executor: surfaces = [QuerySurface(executor), ModuleSurface(executor)]
        }
        let listener = SurfaceListener(surfaces)
        return { try await listener.answer($0, $1) }
    }
}
