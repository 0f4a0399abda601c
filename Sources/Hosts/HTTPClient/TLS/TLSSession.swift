import WasmSystem
import WasmdEventLoop

/// A process that speaks TLS for one connection. It is killed when this object is released, which
/// the stream of the connection keeps until it is closed.
final class TLSSession: Sendable {
    private let program: any RunningProgram
    private let errors: ByteStream
    private let slot: TLSProgram.Slot

    /// Bytes on standard error after the handshake; with more, the program is killed.
    private static let errorLimit = 1 << 20
    /// How long a program may take to end after it has closed its output.
    private static let endTime = Duration.seconds(1)

    init(_ program: any RunningProgram, _ errors: ByteStream, _ slot: TLSProgram.Slot) {
        self.program = program
        self.errors = errors
        self.slot = slot
    }

    deinit { errors.close() }

    /// Waits until the handshake is complete; from then on discards what the program writes to its
    /// standard error.
    func establish(until deadline: LoopInstant) async throws(TLSError) {
        errors.deadline = deadline
        var report = TLSReport()
        while true {
            guard let bytes = try await read() else { throw report.end(await end()) }
            switch report.take(bytes) {
            case .established?:
                errors.deadline = .never
                discardErrors()
                return
            case .failed(let error)?: throw error
            case nil: continue
            }
        }
    }

    /// The next bytes of the program's standard error; nil at its end.
    private func read() async throws(TLSError) -> [UInt8]? {
        var buffer = errors.loop.takeBuffer()
        do throws(LoopError) {
            let count = try await errors.read(into: &buffer)
            return count == 0 ? nil : buffer.take()
        } catch {
            throw TLSError(error)
        }
    }

    private func discardErrors() {
        let errors = errors
        errors.loop.spawn { [weak self] in
            var rest = Self.errorLimit
            var buffer = InputBuffer(capacity: 1024)
            // A program must not wait for room in the pipe.
            while let count = try? await errors.read(into: &buffer), count > 0 {
                rest -= buffer.take().count
                guard rest < 0 else { continue }
                try? self?.program.send(Signals.kill)
                return
            }
        }
    }

    /// How the program ended; nil if it still runs after a second.
    private func end() async -> ChildProcess.End? {
        let program = program
        return try? await errors.loop.withDeadline(.after(Self.endTime)) {
            try await program.wait()
        }
    }

    /// Whether the peer has ended the connection as TLS requires, after the stream has ended: a
    /// message without a length could otherwise be cut off by anybody on the way.
    func hasEndedCleanly() async -> Bool { await end() == .status(0) }
}
