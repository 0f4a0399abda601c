// Soundness: the child is used on the loop's thread only.

import WasmSystem

/// A program that this process has started, with pipes to it as streams of a loop.
///
/// A process that is dropped is killed and reaped.
public final class LoopProcess: RunningProgram, @unchecked Sendable {
    /// What a standard stream of the child is connected to.
    public enum Standard: Sendable {
        /// `/dev/null`
        case none
        /// The same as this process's.
        case inherited
        /// A pipe to this process.
        case piped
        /// A descriptor of this process, which keeps it.
        case given(Int32)
    }

    public let loop: EventLoop
    public let identifier: Int32
    /// The writing end of the child's standard input.
    public let input: ByteStream?
    /// What the child writes to its standard output.
    public let output: ByteStream?
    /// What the child writes to its standard error.
    public let error: ByteStream?
    private let channel: Channel
    private var child: Child
    private var end: ChildProcess.End?

    /// Owns the child, so that it is reaped.
    private final class Child: @unchecked Sendable {
        let process: ChildProcess
        var isOver = false

        init(_ process: consuming ChildProcess) { self.process = process }
    }

    /// Starts a program. It begins with no signal blocked and no descriptors but its standard
    /// streams.
    ///
    /// - Parameters:
    ///   - path: the file of the program; not searched in `PATH`.
    ///   - arguments: the first is by convention the program's name.
    ///   - environment: `NAME=VALUE` each; nothing is inherited.
    /// - Throws: `ENOENT`, `EACCES` and others of execve(2).
    public convenience init(
        _ path: String, _ arguments: [[UInt8]], environment: [[UInt8]] = [],
        input: Standard = .none, output: Standard = .none, error: Standard = .none,
        on loop: EventLoop
    ) throws(SystemError) {
        try self.init(
            path: Array(path.utf8), arguments, environment: environment, input: input,
            output: output, error: error, on: loop)
    }

    /// The same with a path of bytes.
    ///
    /// - Throws: `EINVAL` for one with a NUL.
    public init(
        path: [UInt8], _ arguments: [[UInt8]], environment: [[UInt8]] = [],
        input: Standard = .none, output: Standard = .none, error: Standard = .none,
        on loop: EventLoop
    ) throws(SystemError) {
        // A string of the C library would end there.
        if ([path] + arguments + environment).contains(where: { $0.contains(0) }) { throw .inval }
        let null = FileDescriptor(owning: try unsafe Kernel.open("/dev/null", .readWrite))
        let ends = (
            try Ends(input, isInput: true, Kernel.standardInput),
            try Ends(output, isInput: false, Kernel.standardOutput),
            try Ends(error, isInput: false, Kernel.standardError)
        )
        let process = try unsafe ChildProcess(
            CString(path: path), arguments, environment: environment,
            descriptors: [
                (0, ends.0.number(null.number)), (1, ends.1.number(null.number)),
                (2, ends.2.number(null.number)),
            ])
        let child = Child(process)
        self.child = child
        self.loop = loop
        identifier = child.process.identifier
        do throws(SystemError) {
            self.input = try ends.0.stream(loop)
            self.output = try ends.1.stream(loop)
            self.error = try ends.2.stream(loop)
            channel = Channel(try Kernel.openProcess(identifier), loop)
        } catch {
            Self.end(child, loop)
            throw error
        }
    }

    /// Both ends of a standard stream of the child.
    private final class Ends {
        private let inside: Int32
        private var outside: Int32
        private let inherited: Int32?

        init(_ standard: Standard, isInput: Bool, _ number: Int32) throws(SystemError) {
            inherited =
                switch standard {
                case .inherited: number
                case .given(let number): number
                case .none, .piped: nil
                }
            guard case .piped = standard else {
                (inside, outside) = (-1, -1)
                return
            }
            let pipe = try Kernel.makePipe()
            (inside, outside) = isInput ? (pipe.read, pipe.write) : (pipe.write, pipe.read)
        }

        deinit {
            if inside >= 0 { try? Kernel.close(inside) }
            if outside >= 0 { try? Kernel.close(outside) }
        }

        func number(_ null: Int32) -> Int32 { inherited ?? (inside >= 0 ? inside : null) }

        func stream(_ loop: EventLoop) throws(SystemError) -> ByteStream? {
            guard outside >= 0 else { return nil }
            defer { outside = -1 }
            return try ByteStream(adopting: FileDescriptor(owning: outside), on: loop)
        }
    }

    deinit {
        channel.close()
        if !child.isOver { Self.end(child, loop) }
    }

    private static func end(_ child: Child, _ loop: EventLoop) {
        try? child.process.send(9)
        // The child dies within microseconds; a thread of the pool waits for it.
        let reap: @Sendable () -> Void = { Self.reap(child) }
        if loop.pool.add(reap, cancel: {}) == nil { reap() }
    }

    private static func reap(_ child: Child) {
        while (try? child.process.endIfOver()) == .some(nil) { CurrentProcess.yield() }
        child.isOver = true
    }

    /// Waits until the child has ended; later calls return the same result.
    public func wait() async throws(LoopError) -> ChildProcess.End {
        while true {
            if let end { return end }
            _ = try channel.opened()
            let child = child
            let result = try system { () throws(SystemError) in try child.process.endIfOver() }
            if let result {
                end = result
                child.isOver = true
                return result
            }
            channel.mayRead = false
            try await channel.ready(.reading)
        }
    }

    /// Sends a signal to the child; has no effect when it has ended.
    public func send(_ signal: Int32) throws(LoopError) {
        try loop.check()
        guard end == nil else { return }
        try system { () throws(SystemError) in try child.process.send(signal) }
    }
}
