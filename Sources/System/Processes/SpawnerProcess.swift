import Glibc

// Invariant: the handler of the signal does nothing; its only purpose is that signals interrupt
// waiting.

/// The process that executes programs: see `Spawner`. It holds no secret of the process that
/// started it, and trusts none of its messages.
public struct SpawnerProcess {
    /// The argument after the program's name that selects this process; no command of users.
    public static let verb = "execute-programs"
    /// The number of the connection's descriptor.
    public static let socketNumber: Int32 = 3

    private let socket: Int32
    private let programs: Set<[UInt8]>
    private let limit: Int
    /// Processes that were started and have not ended, by identifier.
    private var children: [UInt64: Int32] = [:]

    /// Runs until the other end of the connection closes; then kills the programs that still run.
    ///
    /// - Parameters:
    ///   - programs: the only files that may be executed.
    ///   - limit: how many may run at a time; more are refused with `EAGAIN`.
    /// - Returns: false if there is no connection: this is not the process that `Spawner` starts.
    public static func run(
        socket: Int32 = SpawnerProcess.socketNumber, programs: [[UInt8]], limit: Int = 256
    ) -> Bool {
        guard (try? Kernel.status(socket))?.kind == .socket else { return false }
        // Signals of a terminal are for the process at the other end of the connection.
        for number in [SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGPIPE] { Signals.ignore(number) }
        Signals.handle(SIGCHLD) { _ in }
        var child = sigset_t()
        unsafe sigemptyset(&child)
        unsafe sigaddset(&child, SIGCHLD)
        unsafe pthread_sigmask(SIG_BLOCK, &child, nil)
        // Closes the inherited descriptors after that of the connection: close_range(2).
        _ = symbol_syscall(SYS_close_range, Int(socket) + 1, Int(Int32.max), 0, 0, 0, 0)
        Kernel.fillStandardStreams()
        setFlag(closeOnExec: socket)
        var process = SpawnerProcess(
            socket: socket, programs: Set(programs.filter { $0.first == UInt8(ascii: "/") }),
            limit: limit)
        while process.turn() {}
        process.end()
        return true
    }

    private init(socket: Int32, programs: Set<[UInt8]>, limit: Int) {
        self.socket = socket
        self.programs = programs
        self.limit = limit
    }

    private static func setFlag(closeOnExec descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    /// Waits for a request or the end of a child; false when the connection is closed.
    private mutating func turn() -> Bool {
        var entry = pollfd(fd: socket, events: Int16(truncatingIfNeeded: POLLIN), revents: 0)
        var none = sigset_t()
        unsafe sigemptyset(&none)
        let count = unsafe symbol_ppoll(&entry, 1, nil, &none)
        if count < 0, errno != EINTR { return false }
        guard reap() else { return false }
        if count <= 0 { return true }
        let message: Kernel.ReceivedMessage
        do throws(SystemError) {
            message = try Kernel.receiveMessage(
                socket, byteCount: SpawnerCoding.messageLimit, descriptorCount: 3, waits: false)
        } catch {
            return error == .again
        }
        if message.bytes.isEmpty { return false }
        let answer = answer(message)
        for descriptor in message.descriptors { try? Kernel.close(descriptor) }
        return reply(answer)
    }

    private mutating func answer(_ message: Kernel.ReceivedMessage) -> SpawnerReply? {
        guard !message.isCut, let (request, streams) = SpawnerCoding.request(message.bytes),
            streams.count == message.descriptors.count
        else {
            return .failed(identifier: SpawnerCoding.identifier(message.bytes), .inval)
        }
        switch request {
        case .start(let program):
            do throws(SystemError) {
                let process = try start(program, Array(zip(streams, message.descriptors)))
                children[program.identifier] = process
                return .started(identifier: program.identifier, process: process)
            } catch {
                return .failed(identifier: program.identifier, error)
            }
        case .signal(let identifier, let signal):
            guard let process = children[identifier] else {
                return .failed(identifier: identifier, .srch)
            }
            guard (1...64).contains(signal) else {
                return .failed(identifier: identifier, .inval)
            }
            // It leads a group, except for a moment after its start.
            if kill(-process, signal) != 0 { kill(process, signal) }
            return nil
        }
    }

    private func start(
        _ program: SpawnedProgram, _ streams: [(Int32, Int32)]
    ) throws(SystemError) -> Int32 {
        guard programs.contains(program.path) else { throw .acces }
        guard children[program.identifier] == nil else { throw .exist }
        guard children.count < limit else { throw .again }
        let null = unsafe FileDescriptor(owning: try Kernel.open("/dev/null", .readWrite))
        var descriptors: [(inside: Int32, outside: Int32)] = []
        for stream in 0...2 as ClosedRange<Int32> {
            let given = streams.first { $0.0 == stream }?.1
            descriptors.append((stream, given ?? null.number))
        }
        let child = try unsafe ChildProcess(
            CString(path: program.path), program.arguments, environment: program.environment,
            descriptors: descriptors, folder: CString(path: program.folder ?? [UInt8(ascii: "/")]),
            leadsGroup: true)
        return child.identifier
    }

    /// Reports the children that have ended; false if a report cannot be sent.
    private mutating func reap() -> Bool {
        while true {
            var status: Int32 = 0
            let process = unsafe waitpid(-1, &status, WNOHANG)
            guard process > 0 else { return true }
            guard let entry = children.first(where: { $0.value == process }) else { continue }
            children[entry.key] = nil
            let end = ChildProcess.End(status)
            guard reply(.ended(identifier: entry.key, end)) else { return false }
        }
    }

    private func reply(_ reply: SpawnerReply?) -> Bool {
        guard let reply else { return true }
        do throws(SystemError) {
            try Kernel.sendMessage(socket, SpawnerCoding.bytes(of: reply), descriptors: [])
            return true
        } catch {
            return false
        }
    }

    private func end() {
        for process in children.values {
            if kill(-process, SIGKILL) != 0 { kill(process, SIGKILL) }
        }
        for process in children.values { waitpid(process, nil, 0) }
    }
}
