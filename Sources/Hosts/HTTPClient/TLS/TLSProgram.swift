import Synchronization
import WasmSystem
import WasmdEventLoop

/// The program that speaks TLS for connections of clients: `openssl s_client`, or one that takes the
/// same arguments. It may be used by the clients of all loops.
///
///     var options = HTTPClientOptions()
///     options.resolver = .ofSystem()
///     options.tls = TLSProgram()
///
/// Each connection has a process of its own (7.6 MB of memory), which is killed when the connection
/// is closed. It gets an empty environment, the checked address of the server, and no shell.
public final class TLSProgram: Sendable {
    /// The file of the program.
    public let path: [UInt8]
    /// A file of certificates in PEM, which alone are trusted; nil for those of the system.
    public let trusted: [UInt8]?
    /// The most processes at a time. More connections wait for one to end.
    public let limit: Int
    private let starter: any ProgramStarter
    private let state = Mutex(State())

    private struct State: Sendable {
        var running = 0
        /// Tasks that sleep until there may be room.
        var waiting: [(number: UInt64, sleep: LoopTask<Bool>)] = []
        var lastNumber: UInt64 = 0
        /// Make a client close a connection that it does not use.
        var relievers: [ObjectIdentifier: @Sendable () -> Void] = [:]
    }

    /// - Parameters:
    ///   - path: OpenSSL 1.1.1 or later.
    ///   - starter: how the program is started. A restricted process needs a `LoopSpawner`.
    public init(
        path: [UInt8] = Array("/usr/bin/openssl".utf8), trusted: [UInt8]? = nil, limit: Int = 16,
        starter: any ProgramStarter = DirectStarter()
    ) {
        self.path = path
        self.trusted = trusted
        self.limit = max(limit, 1)
        self.starter = starter
    }

    /// Processes that run now.
    public var runningCount: Int { state.withLock { $0.running } }

    // MARK: The limit

    /// The right to run one process; given back when it is released.
    final class Slot: Sendable {
        private let program: TLSProgram

        fileprivate init(_ program: TLSProgram) { self.program = program }

        deinit {
            program.state.withLock { $0.running -= 1 }
            program.wakeNext()
        }
    }

    /// A slot; nil if none is free.
    func takeSlot() -> Slot? {
        let isFree = state.withLock { state in
            guard state.running < limit else { return false }
            state.running += 1
            return true
        }
        return isFree ? Slot(self) : nil
    }

    var isContended: Bool { state.withLock { !$0.waiting.isEmpty } }

    /// Adds a task that is cancelled when there may be room, once; returns its number.
    func add(waiting sleep: LoopTask<Bool>) -> UInt64 {
        let (number, isFree) = state.withLock { state in
            state.lastNumber += 1
            state.waiting.append((state.lastNumber, sleep))
            return (state.lastNumber, state.running < limit)
        }
        if isFree { wakeNext() }
        return number
    }

    func remove(waiting number: UInt64) {
        state.withLock { $0.waiting.removeAll { $0.number == number } }
    }

    func wakeNext() {
        let next = state.withLock { state in
            state.running < limit && !state.waiting.isEmpty ? state.waiting.removeFirst() : nil
        }
        next?.sleep.cancel()
    }

    /// Asks all clients to close a connection that is not in use.
    func askForRoom() {
        for reliever in state.withLock({ Array($0.relievers.values) }) { reliever() }
    }

    func setReliever(_ client: AnyObject, _ body: (@Sendable () -> Void)?) {
        let key = ObjectIdentifier(client)
        state.withLock { $0.relievers[key] = body }
    }

    // MARK: Connections

    /// Starts a process, and waits until its handshake is complete.
    func connect(
        _ target: TLSTarget, _ slot: Slot, on loop: EventLoop, deadline: LoopInstant
    ) async throws(TLSError) -> (ByteStream, TLSSession) {
        var target = target
        target.trusted = trusted
        let (arguments, environment) = try target.command()
        let (near, session) = try await start(arguments, environment, slot, loop)
        do throws(TLSError) {
            try await session.establish(until: deadline)
            do throws(LoopError) { try near.attach(session) } catch { throw TLSError(error) }
        } catch {
            near.close()
            throw error
        }
        return (near, session)
    }

    private func start(
        _ arguments: [[UInt8]], _ environment: [[UInt8]], _ slot: Slot, _ loop: EventLoop
    ) async throws(TLSError) -> (ByteStream, TLSSession) {
        let ends = try Self.makeEnds(loop)
        do throws(LoopError) {
            let running = try await starter.start(
                path: path, arguments: [Array("openssl".utf8)] + arguments,
                environment: environment,
                streams: [
                    (0, ends.inside.number), (1, ends.inside.number),
                    (2, ends.insideErrors.number),
                ],
                on: loop)
            return (ends.near, TLSSession(running, ends.errors, slot))
        } catch {
            ends.near.close()
            if case .system(let reason) = error { throw .program(path: path, reason) }
            throw TLSError(error)
        }
    }

    private static func makeEnds(_ loop: EventLoop) throws(TLSError) -> Ends {
        do throws(SystemError) {
            return try Ends(on: loop)
        } catch {
            throw .loop(.system(error))
        }
    }

    /// The streams to a process, and their ends that it gets: a socket for both directions, so that
    /// the stream is like that of a connection without TLS.
    private final class Ends {
        let near: ByteStream
        let inside: FileDescriptor
        let errors: ByteStream
        let insideErrors: FileDescriptor

        init(on loop: EventLoop) throws(SystemError) {
            let pair = try Kernel.makeSocketPair(isNonblocking: false)
            inside = FileDescriptor(owning: pair.1)
            near = try ByteStream(adopting: FileDescriptor(owning: pair.0), on: loop)
            let pipe = try Kernel.makePipe()
            insideErrors = FileDescriptor(owning: pipe.write)
            errors = try ByteStream(adopting: FileDescriptor(owning: pipe.read), on: loop)
        }
    }
}
