import Glibc

// Invariants: the lists of strings end with nil, and live until the call returns, as do the objects of
// `posix_spawn` between their `init` and `destroy`.

/// A program that this process has started, and waits for.
public struct ChildProcess: ~Copyable, Sendable {
    public let identifier: Int32

    /// How a child ended: wait(2).
    public enum End: Hashable, Sendable {
        case status(Int32)
        case signal(Int32)
    }

    /// Starts a program: posix_spawn(3). It begins with no signal blocked and all as by default, and
    /// with no descriptors but those that are named.
    ///
    /// - Parameters:
    ///   - path: the file of the program; not looked for in `PATH`.
    ///   - arguments: the first of them is by custom the program's name.
    ///   - environment: `NAME=VALUE` each; nothing is inherited.
    ///   - descriptors: numbers of this process by the numbers that they get in the child.
    ///   - folder: where the child works; nil for where this process does.
    ///   - leadsGroup: whether the child begins a process group of its own, which signals of the
    ///     terminal do not reach.
    /// - Throws: `ENOENT`, `EACCES` and others of execve(2).
    public init(
        _ path: UnsafePointer<CChar>, _ arguments: [[UInt8]], environment: [[UInt8]],
        descriptors: [(inside: Int32, outside: Int32)], folder: CString? = nil,
        leadsGroup: Bool = false
    ) throws(SystemError) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        if leadsGroup { flags |= POSIX_SPAWN_SETPGROUP }
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

        // A number that one of the children's takes may be one that another is made of: all move out
        // of the way first. The copies are closed on exec.
        var copies: [Int32] = []
        defer { for copy in copies { try? Kernel.close(copy) } }
        let highest = descriptors.reduce(2) { max($0, $1.inside) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (inside, outside) in descriptors {
            let copy = try retrying { fcntl(outside, F_DUPFD_CLOEXEC, highest + 1) }
            copies.append(copy)
            posix_spawn_file_actions_adddup2(&actions, copy, inside)
        }
        if let folder {
            let error = symbol_posix_spawn_file_actions_addchdir_np(&actions, folder)
            guard error == 0 else { throw SystemError(code: error) }
        }
        var process = pid_t()
        let error = Self.withList(arguments) { arguments in
            Self.withList(environment) { environment in
                posix_spawn(&process, path, &actions, &attributes, arguments, environment)
            }
        }
        guard error == 0 else { throw SystemError(code: error) }
        identifier = process
    }

    /// Waits until the child has ended: waitpid(2).
    public consuming func wait() throws(SystemError) -> End {
        var status: Int32 = 0
        let identifier = identifier
        try retrying { waitpid(identifier, &status, 0) }
        return End(status)
    }

    /// How the child ended; nil if it still runs. To be asked no more when it has ended.
    public borrowing func endIfOver() throws(SystemError) -> End? {
        var status: Int32 = 0
        let identifier = identifier
        let result = try retrying { waitpid(identifier, &status, WNOHANG) }
        return result == 0 ? nil : End(status)
    }

    /// Sends a signal to the child: kill(2).
    public borrowing func send(_ signal: Int32) throws(SystemError) {
        try Signals.send(signal, toProcess: identifier)
    }

    private static func withList<Result>(
        _ texts: [[UInt8]], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let list = texts.map { text in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count + 1)
            for (index, byte) in text.enumerated() { copy[index] = CChar(bitPattern: byte) }
            copy[text.count] = 0
            return copy
        }
        defer { for text in list { text.deallocate() } }
        return body(list + [nil])
    }
}

extension ChildProcess.End {
    init(_ status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
    }
}
