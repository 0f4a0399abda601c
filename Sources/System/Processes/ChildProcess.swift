import Glibc

// Invariants: the lists of strings end with nil, and are valid until the call returns, as are the
// objects of `posix_spawn` between their `init` and `destroy`.

/// A program that this process has started, and waits for.
public struct ChildProcess: ~Copyable, Sendable {
    public let identifier: Int32

    /// How a child ended: wait(2).
    public enum End: Hashable, Sendable {
        case status(Int32)
        case signal(Int32)
    }

    /// Starts a program: posix_spawn(3). It starts with no signal blocked, all signals in their
    /// default disposition, and only the given descriptors.
    ///
    /// - Parameters:
    ///   - path: the file of the program; not searched in `PATH`.
    ///   - arguments: the first is by convention the program's name.
    ///   - environment: `NAME=VALUE` each; no variable is inherited.
    ///   - descriptors: numbers of this process by the numbers that they get in the child.
    ///   - folder: the child's working directory; nil for that of this process.
    ///   - leadsGroup: whether the child begins a process group of its own, which signals of the
    ///     terminal do not reach.
    /// - Throws: `ENOENT`, `EACCES` and others of execve(2).
    public init(
        _ path: UnsafePointer<CChar>, _ arguments: [[UInt8]], environment: [[UInt8]],
        descriptors: [(inside: Int32, outside: Int32)], folder: CString? = nil,
        leadsGroup: Bool = false
    ) throws(SystemError) {
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        if leadsGroup { flags |= POSIX_SPAWN_SETPGROUP }
        unsafe posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

        // A number in the child may be the source of another one, so all are copied to free numbers
        // first. The copies are closed on exec.
        var copies: [Int32] = []
        defer { for copy in copies { try? Kernel.close(copy) } }
        let highest = descriptors.reduce(2) { max($0, $1.inside) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (inside, outside) in descriptors {
            let copy = try retrying { fcntl(outside, F_DUPFD_CLOEXEC, highest + 1) }
            copies.append(copy)
            unsafe posix_spawn_file_actions_adddup2(&actions, copy, inside)
        }
        if let folder {
            let error = unsafe symbol_posix_spawn_file_actions_addchdir_np(&actions, folder)
            guard error == 0 else { throw SystemError(code: error) }
        }
        var process = pid_t()
        let error = unsafe Self.withList(arguments) { arguments in
            unsafe Self.withList(environment) { environment in
                unsafe posix_spawn(&process, path, &actions, &attributes, arguments, environment)
            }
        }
        guard error == 0 else { throw SystemError(code: error) }
        identifier = process
    }

    /// Waits until the child has ended: waitpid(2).
    public consuming func wait() throws(SystemError) -> End {
        var status: Int32 = 0
        let identifier = identifier
        try retrying { unsafe waitpid(identifier, &status, 0) }
        return End(status)
    }

    /// How the child ended; nil if it still runs. Must not be called again after it has ended.
    public borrowing func endIfOver() throws(SystemError) -> End? {
        var status: Int32 = 0
        let identifier = identifier
        let result = try retrying { unsafe waitpid(identifier, &status, WNOHANG) }
        return result == 0 ? nil : End(status)
    }

    /// Sends a signal to the child: kill(2).
    public borrowing func send(_ signal: Int32) throws(SystemError) {
        try Signals.send(signal, toProcess: identifier)
    }

    private static func withList<Result>(
        _ texts: [[UInt8]], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let list = unsafe texts.map { text in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count + 1)
            for (index, byte) in text.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
            unsafe copy[text.count] = 0
            return unsafe copy
        }
        defer { unsafe list.forEach { unsafe $0.deallocate() } }
        return unsafe body(list + [nil])
    }
}

extension ChildProcess.End {
    init(_ status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
    }
}
