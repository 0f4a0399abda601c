import WasmSystem

/// A program that was started for a loop, and that is killed and reaped when the last reference is
/// released.
public protocol RunningProgram: AnyObject, Sendable {
    /// Waits until the program has ended; later calls return the same result.
    func wait() async throws(LoopError) -> ChildProcess.End
    /// Sends a signal; has no effect when the program has ended.
    func send(_ signal: Int32) throws(LoopError)
}

/// Starts programs: by itself (`DirectStarter`), or through a process that may do so (`LoopSpawner`).
public protocol ProgramStarter: Sendable {
    /// Starts a program without a shell. Its working directory is the root or that of this process.
    ///
    /// - Parameters:
    ///   - path: the file, by an absolute path.
    ///   - arguments: the first is by convention the program's name.
    ///   - environment: `NAME=VALUE` each; nothing is inherited.
    ///   - streams: numbers of the program's streams, 0 to 2, and descriptors of this process, which
    ///     it keeps. Streams that are not named are `/dev/null`.
    ///   - loop: that of the caller.
    /// - Throws: `.system` with `ENOENT`, `EACCES` and others of execve(2).
    func start(
        path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]],
        streams: [(stream: Int32, descriptor: Int32)], on loop: EventLoop
    ) async throws(LoopError) -> any RunningProgram
}

/// Starts programs as children of this process, which must not be restricted.
public struct DirectStarter: ProgramStarter {
    public init() {}

    public func start(
        path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]],
        streams: [(stream: Int32, descriptor: Int32)], on loop: EventLoop
    ) async throws(LoopError) -> any RunningProgram {
        try loop.check()
        func standard(_ number: Int32) -> LoopProcess.Standard {
            streams.first { $0.stream == number }.map { .given($0.descriptor) } ?? .none
        }
        return try system { () throws(SystemError) in
            try LoopProcess(
                path: path, arguments, environment: environment, input: standard(0),
                output: standard(1), error: standard(2), on: loop)
        }
    }
}
