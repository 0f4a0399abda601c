import Synchronization
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdHTTPClient

/// Starts the program that speaks TLS, also when the process may start none itself.
///
/// Made before the process restricts itself. `begin` then starts the process that executes the
/// program; the first connection gives it a loop.
final class TLSHelper: ProgramStarter {
    private struct State: ~Copyable {
        var spawner: Spawner?
        var starter: LoopSpawner?
    }

    private static let path = Array("/usr/bin/openssl".utf8)
    /// The variable that names a file of trusted certificates, as for OpenSSL's own programs.
    private static let variable = "SSL_CERT_FILE"

    private let isRestricted: Bool
    private let trusted: [UInt8]?
    private let state = Mutex(State())

    /// - Parameter isRestricted: whether the process will not be able to start programs.
    /// - Throws: `Refusal` if the variable does not have an absolute path.
    init(isRestricted: Bool) throws(Refusal) {
        self.isRestricted = isRestricted
        let value = CurrentProcess.value(of: Self.variable).flatMap { $0.isEmpty ? nil : $0 }
        // The process that executes programs has another working folder.
        if let value, value.first != UInt8(ascii: "/") {
            throw Refusal(
                file: Self.variable, reason: "the path is not absolute",
                hint: "Write it from the root: \(Self.variable)=/path/to/certificates.pem.")
        }
        trusted = value
    }

    /// Starts the process that executes programs, if this one will not be able to. Before the
    /// restrictions, and before the first thread.
    func begin() throws(SystemError) {
        guard isRestricted else { return }
        try state.withLock { (state) throws(SystemError) in
            state.spawner = try Spawner(programs: [Self.path])
        }
    }

    /// The program, with processes of its own.
    func program() -> TLSProgram { TLSProgram(path: Self.path, trusted: trusted, starter: self) }

    func start(
        path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]],
        streams: [(stream: Int32, descriptor: Int32)], on loop: EventLoop
    ) async throws(LoopError) -> any RunningProgram {
        guard isRestricted else {
            return try await DirectStarter().start(
                path: path, arguments: arguments, environment: environment, streams: streams,
                on: loop)
        }
        return try await starter(loop).start(
            path: path, arguments: arguments, environment: environment, streams: streams, on: loop)
    }

    /// Made by the first connection, on its loop, which receives the replies from then on.
    private func starter(_ loop: EventLoop) throws(LoopError) -> LoopSpawner {
        do throws(SystemError) {
            return try state.withLock { (state) throws(SystemError) in
                if let starter = state.starter { return starter }
                guard let spawner = state.spawner.take() else { throw .perm }
                let starter = try LoopSpawner(spawner, on: loop)
                state.starter = starter
                return starter
            }
        } catch {
            throw .system(error)
        }
    }
}
