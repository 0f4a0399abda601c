import WasmDecoder
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPServer
import WasmdPrograms

/// `wasmd serve`: answers HTTP requests by running a program.
struct ServeCommand {
    private let options: RunOptions
    private let addresses: [SocketAddress]
    private let requestLimit: Int?
    private let bodyLimit: Int?
    private let loopCount: Int?

    /// How long requests have to end after a signal.
    private static let grace = Duration.seconds(3)

    init(_ arguments: ParsedArguments) throws(UsageError) {
        options = try RunOptions(arguments)
        let listeners = try arguments.readAll(
            .listen, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH"
        ) { (word: Word) in SocketAddress(word.bytes) }
        addresses = listeners.isEmpty ? [.ipv4([127, 0, 0, 1], port: 8080)] : listeners
        requestLimit = try arguments.read(.maxRequests, expected: "a number above zero") { text in
            Quantity.count(text).flatMap { $0 > 0 ? Int(clamping: $0) : nil }
        }
        bodyLimit = try arguments.read(.maxBody, expected: "a size, for example 8MiB") { text in
            Quantity.bytes(text).map { Int(clamping: $0) }
        }
        loopCount = try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
            Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
        }
    }

    /// Serves until a signal comes, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        do {
            let handler = try makeHandler()
            _ = CurrentProcess.raiseDescriptorLimit()
            let group = try LoopGroup(count: loopCount)
            let server = HTTPServer { try await handler.answer($0, $1) }
            let addresses = addresses
            nonisolated(unsafe) let console = console
            try group.run { loop in
                let signals = try SignalStream(
                    [Signals.termination, Signals.interrupt], on: loop)
                for address in addresses {
                    let bound: SystemAddress?
                    do {
                        bound = try await server.listen(address.system, on: group.loops)
                    } catch let error as SystemError {
                        throw Refusal(
                            file: "\(address)", reason: "cannot listen: \(error)")
                    }
                    console.error.writeLine("wasmd: serving at \(Self.place(bound, address))")
                    console.error.flush()
                }
                _ = try await signals.next()
                await server.stop(grace: Self.grace, on: loop)
            }
            return ExitCode.success
        } catch let refusal as Refusal {
            console.complain(refusal.text)
        } catch {
            console.complain("\(printable(options.file)): \(error)")
        }
        return ExitCode.refused
    }

    private func makeHandler() throws -> ProgramHandler {
        let file = try ModuleFile(options.path)
        var configuration = Engine.Configuration()
        configuration.features = options.features
        let module: Module
        do throws(ModuleError) {
            module = try Module(file.bytes, engine: Engine(configuration))
        } catch {
            throw file.refusal(error)
        }
        let program: GuestProgram
        do {
            program = try GuestProgram(module)
        } catch {
            throw Refusal(instantiation: error, file: options.file)
        }
        var settings = ProgramHandler.Options()
        if let size = options.maximumMemory {
            settings.limits.store.totalBytes = size
            settings.limits.store.memoryBytes = size
        }
        settings.limits.fuel = options.fuel
        if let timeout = options.timeout {
            settings.limits.time = .nanoseconds(timeout.nanoseconds)
        }
        if let requestLimit { settings.runLimit = requestLimit }
        if let bodyLimit { settings.bodyLimit = bodyLimit }
        settings.software = Array("wasmd/\(Version.number)".utf8)
        settings.report = { request, outcome in
            let line =
                "wasmd: \(request.method.name) \(Self.text(request.target.path)): \(Self.text(outcome))\n"
            _ = Array(line.utf8).withUnsafeBytes { writeAll($0, to: Kernel.standardError) }
        }
        return ProgramHandler(program, in: try GuestWorld.wasi(options), settings)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        printable(String(decoding: bytes, as: UTF8.self))
    }

    private static func text(_ outcome: GuestProgram.Outcome) -> String {
        switch outcome {
        case .exited(let code): "the program ended with \(code)"
        case .trapped(let trap): "trap: \(trap)"
        case .threw(let backtrace): "uncaught exception\n\(backtrace)"
        case .failed(let error): "\(error)"
        }
    }

    private static func place(_ bound: SystemAddress?, _ wanted: SocketAddress) -> String {
        switch bound {
        case .ipv4(let bytes, let port)?:
            "http://\(bytes.map(String.init).joined(separator: ".")):\(port)/"
        case .ipv6(let bytes, let port)?: "http://[\(SystemAddress.ipv6Text(bytes))]:\(port)/"
        default: "\(wanted)"
        }
    }
}

extension SocketAddress {
    fileprivate var system: SystemAddress {
        switch self {
        case .ipv4(let bytes, let port): .ipv4(bytes, port: port)
        case .ipv6(let bytes, let port): .ipv6(bytes, port: port)
        case .unix(let path): .unix(Array(path.utf8))
        case .unixBytes(let path): .unix(path)
        }
    }
}
