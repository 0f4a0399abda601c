/// The connection to a process that executes programs for this one, which may not do so itself once
/// it is restricted (`Confinement`).
///
/// The process is the same program again, started before the restrictions with a verb that calls
/// `SpawnerProcess.run`. It executes nothing but the files that it was started for, and ends, with
/// all programs that it started, when the connection closes. The caller chooses the identifiers of
/// programs.
///
///     let spawner = try Spawner(programs: ["/usr/bin/openssl"])
///     try spawner.start(program, streams: [(0, pipe.input.number)])
///     ... when `spawner.socket` is readable: try spawner.receive()
public struct Spawner: ~Copyable, Sendable {
    /// Readable when there is a reply.
    public let socket: FileDescriptor
    /// The process, for waiting and tests.
    public let process: Int32

    /// Starts the process.
    ///
    /// - Parameters:
    ///   - executable: the program whose verb calls `SpawnerProcess.run`: this one.
    ///   - verb: the arguments before the programs.
    ///   - programs: the only files that may be executed, by absolute paths.
    public init(
        executable: [UInt8] = Array("/proc/self/exe".utf8),
        verb: [[UInt8]] = [Array("wasmd".utf8), Array(SpawnerProcess.verb.utf8)],
        programs: [[UInt8]]
    ) throws(SystemError) {
        let ends = try Kernel.messagePair()
        let near = FileDescriptor(owning: ends.0)
        let far = FileDescriptor(owning: ends.1)
        process = try Self.begin(executable, verb + programs, far.number)
        socket = near
    }

    private static func begin(
        _ executable: [UInt8], _ words: [[UInt8]], _ socket: Int32
    ) throws(SystemError) -> Int32 {
        try unsafe ChildProcess(
            CString(path: executable), words, environment: [],
            descriptors: [
                (Kernel.standardError, Kernel.standardError),
                (SpawnerProcess.socketNumber, socket),
            ]
        ).identifier
    }

    /// Asks for a program. Streams that are not named are `/dev/null`.
    ///
    /// - Parameter streams: numbers of the program's streams, 0 to 2, and descriptors of this
    ///   process, which it keeps.
    /// - Throws: `E2BIG` for a program whose strings are longer than 160 KiB together; `EAGAIN`
    ///   when the process has too many unread messages; `EPIPE` when it has ended.
    public func start(
        _ program: SpawnedProgram, streams: [(stream: Int32, descriptor: Int32)]
    ) throws(SystemError) {
        try send(.start(program), streams)
    }

    /// Sends a signal to a program.
    public func signal(_ signal: Int32, identifier: UInt64) throws(SystemError) {
        try send(.signal(identifier: identifier, signal), [])
    }

    private func send(
        _ request: SpawnerRequest, _ streams: [(stream: Int32, descriptor: Int32)]
    ) throws(SystemError) {
        let bytes = SpawnerCoding.bytes(of: request, streams: streams.map(\.stream))
        guard bytes.count <= SpawnerCoding.messageLimit else { throw .tooBig }
        try Kernel.sendMessage(
            socket.number, bytes, descriptors: streams.map(\.descriptor), waits: false)
    }

    /// Receives a reply; nil if there is none.
    ///
    /// - Throws: `EPIPE` when the process has ended.
    public func receive(waits: Bool = false) throws(SystemError) -> SpawnerReply? {
        do throws(SystemError) {
            let message = try Kernel.receiveMessage(
                socket.number, byteCount: 64, descriptorCount: 0, waits: waits)
            if message.bytes.isEmpty { throw SystemError.pipe }
            return SpawnerCoding.reply(message.bytes)
        } catch .again {
            return nil
        } catch .connreset {
            throw .pipe
        }
    }
}
