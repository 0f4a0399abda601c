import WasmDecoder
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPServer
import WasmdPrograms

/// `wasmd serve`: answers HTTP requests by running programs.
struct ServeCommand {
    private let options: ServeOptions

    /// How long requests have to end after a signal.
    private static let grace = Duration.seconds(3)

    init(_ arguments: ParsedArguments) throws(UsageError) { options = try ServeOptions(arguments) }

    /// Serves until a signal comes, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        do {
            try ServeSandbox(options).start {
                (try Site(options), try listeners())
            } threads: { site, listeners, sandbox in
                try serve(site, listeners, sandbox)
            }
            return ExitCode.success
        } catch let refusal as Refusal {
            console.complain(refusal.text)
        } catch {
            console.complain("\(printable(options.run.file)): \(error)")
        }
        return ExitCode.refused
    }

    /// The sockets of all addresses. From now on connections wait.
    private func listeners() throws -> [Bound] {
        _ = CurrentProcess.raiseDescriptorLimit()
        let count = options.loopCount ?? availableProcessors()
        return try options.addresses.map { address in
            do throws(SystemError) {
                return Bound(
                    wanted: address,
                    sockets: try ListeningSockets(address.system, loopCount: count))
            } catch {
                throw Refusal(file: "\(address)", reason: "cannot listen: \(error.text)")
            }
        }
    }

    private func serve(
        _ site: Site, _ listeners: [Bound], _ sandbox: AppliedSandbox
    ) throws {
        ServeMessages.output.start()
        defer { ServeMessages.output.finish() }
        let group = try LoopGroup(count: options.loopCount)
        try group.run { loop in
            let log = site.printLog(on: loop)
            defer { log.finish() }
            let handler = try await site.handler(on: loop)
            let server = HTTPServer(site.serverOptions, handler: handler)
            // Before, a signal ends the process at once.
            let signals = try SignalStream([Signals.termination, Signals.interrupt], on: loop)
            sandbox.tell()
            for bound in listeners {
                try await server.serve(bound.sockets, on: group.loops)
                let place = ServeMessages.place(bound.sockets.address, bound.wanted)
                ServeMessages.write("serving at \(place)")
            }
            _ = try await signals.next()
            // A second signal ends the grace.
            loop.spawn {
                guard (try? await signals.next()) != nil else { return }
                await server.stop(grace: .zero, on: loop)
            }
            await server.stop(grace: Self.grace, on: loop)
        }
    }

    private struct Bound: Sendable {
        let wanted: SocketAddress
        let sockets: ListeningSockets
    }
}

/// What is served: a program or a folder.
private struct Site: Sendable {
    private enum Content: Sendable {
        case program(Module)
        case folder(FolderHandler)
    }

    private let content: Content
    private let runner: ProgramRunner
    private let name: String

    init(_ options: ServeOptions) throws {
        name = options.run.file
        runner = ProgramRunner(in: try Self.world(options), Self.settings(options))
        var configuration = Engine.Configuration()
        configuration.features = options.run.features
        let engine = Engine(configuration)
        guard Self.isFolder(options.run.path) else {
            content = .program(try Self.module(options.run, engine))
            return
        }
        do throws(SystemError) {
            content = .folder(
                try FolderHandler(options.run.path.bytes, runner) { descriptor, path in
                    try Self.program(descriptor, path, engine)
                } notice: { notice in
                    ServeMessages.write(ServeMessages.text(notice))
                })
        } catch {
            throw Refusal(file: name, reason: error.text)
        }
    }

    /// The server's own limit for bodies is that of the programs.
    var serverOptions: HTTPServerOptions {
        var options = HTTPServerOptions()
        options.limits.body = UInt64(clamping: runner.options.bodyLimit)
        return options
    }

    /// Prints what programs write to standard error.
    func printLog(on loop: EventLoop) -> GuestLogPrinter {
        GuestLogPrinter(runner.runs.log, on: loop)
    }

    /// The handler of a server, when all modules were tried.
    func handler(on loop: EventLoop) async throws -> HTTPServer.Handler {
        switch content {
        case .folder(let folder):
            await folder.start(on: loop)
            return { try await folder.answer($0, $1) }
        case .program(let module):
            // Not before: starting the program once may start the thread of deadlines.
            let name = name
            let program = try await loop.blocking { try Self.program(module, name) }
            do {
                let program = try await WebProgram(program, with: runner, on: loop)
                let handler = ProgramHandler(program, runner)
                return { try await handler.answer($0, $1) }
            } catch let refusal as WebProgram.Refusal {
                throw Refusal(file: name, reason: refusal.reason)
            }
        }
    }

    private static func isFolder(_ path: Word) -> Bool {
        let status = try? Kernel.status(path.cString, followsLink: true)
        return status?.kind == .directory
    }

    private static func module(_ options: RunOptions, _ engine: Engine) throws -> Module {
        let file = try ModuleFile(options.path)
        do throws(ModuleError) {
            return try Module(file.bytes, engine: engine)
        } catch {
            throw file.refusal(error)
        }
    }

    /// A program of a served folder.
    private static func program(
        _ descriptor: Int32, _ path: [[UInt8]], _ engine: Engine
    ) throws -> ServedProgram {
        let name = Word(bytes: path.last ?? []).text
        do {
            let bytes: ModuleBytes
            do throws(FileError) {
                bytes = try ModuleBytes(descriptor: descriptor)
            } catch {
                throw Refusal(error, file: name)
            }
            if let format = bytes.foreignFormat {
                throw Refusal(file: name, reason: format.message)
            }
            let module: Module
            do throws(ModuleError) {
                module = try Module(bytes, engine: engine)
            } catch {
                throw Refusal(error, bytes: bytes, file: name)
            }
            return try program(module, name)
        } catch let refusal as Refusal {
            throw WebProgram.Refusal(refusal.explanation)
        }
    }

    private static func program(_ module: Module, _ name: String) throws -> ServedProgram {
        do {
            return try ServedProgram(module, name: name)
        } catch {
            var refusal = Refusal(instantiation: error, file: name)
            // The options that define missing imports are those of `wasmd run`.
            if error is LinkError { refusal.hint = nil }
            throw refusal
        }
    }

    private static func world(_ options: ServeOptions) throws -> WASI {
        var world = try GuestWorld.wasi(options.run)
        // Many run at once: each gets the default.
        world.limits.descriptors = WASI.Limits().descriptors
        do {
            // A folder that cannot be opened would fail each request.
            _ = try WASIGuest(world)
        } catch {
            throw Refusal(instantiation: error, file: options.run.file)
        }
        return world
    }

    private static func settings(_ options: ServeOptions) -> ProgramOptions {
        var settings = ProgramOptions()
        if let size = options.run.maximumMemory { settings.limits.memory = size }
        settings.limits.fuel = options.run.fuel
        if let timeout = options.run.timeout {
            settings.limits.time = .nanoseconds(timeout.nanoseconds)
        }
        if let limit = options.requestLimit { settings.places.running = limit }
        if let limit = options.waitingLimit { settings.places.waiting = limit }
        if let limit = options.bodyLimit { settings.bodyLimit = limit }
        settings.trustedProxies = options.trustedProxies
        settings.software = Array("wasmd/\(Version.number)".utf8)
        settings.report = { ServeMessages.write(ServeMessages.text($0, $1)) }
        settings.reportFault = { ServeMessages.write(ServeMessages.text($0, $1, $2)) }
        return settings
    }
}

extension SocketAddress {
    var system: SystemAddress {
        switch self {
        case .ipv4(let bytes, let port): .ipv4(bytes, port: port)
        case .ipv6(let bytes, let port): .ipv6(bytes, port: port)
        case .unix(let path): .unix(Array(path.utf8))
        case .unixBytes(let path): .unix(path)
        }
    }
}
