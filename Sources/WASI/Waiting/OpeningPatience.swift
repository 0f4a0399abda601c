import WasmInterpreter
import WasmSystem

/// Lets a guest wait where opening a file would let the host wait: for the other end of a pipe, or
/// for a lease.
///
/// In the kernel nobody could stop the guest. So files are opened without waiting, and what the host
/// would have waited for is waited for by the guest, which looks from time to time. Goes from one look
/// to the next.
struct OpeningPatience {
    /// Nothing tells when an attempt would succeed. Few wait long, and those need not be quick.
    private var nanoseconds: Int64 = 500_000
    private static let longest: Int64 = 10_000_000

    /// Until the next look, later each time.
    mutating func wait() -> Wait {
        var wait = Wait()
        wait.end = .now.advanced(by: .nanoseconds(nanoseconds))
        nanoseconds = min(nanoseconds * 2, Self.longest)
        return wait
    }

    /// The same for a pipe that was opened to read, until it has a writer.
    mutating func waitForWriter(_ pipe: OpenedPipe) -> Wait {
        var wait = wait()
        // Bytes, and a writer that has gone; one that has not written yet is found by the probe.
        if let number = pipe.descriptor.hostNumber {
            wait.add(number, .reading, keeping: pipe.descriptor)
        }
        return wait
    }
}

/// A pipe that was opened to read and may have no writer yet, as opening it waits for otherwise. Who
/// opened it and went again has been there.
final class OpenedPipe {
    let descriptor: Descriptor
    private let probe: PipeProbe

    init(_ descriptor: Descriptor) throws(Errno) {
        self.descriptor = descriptor
        probe = try PipeProbe()
    }

    var hasHadWriter: Bool {
        get throws(Errno) {
            guard let number = descriptor.hostNumber else { return true }
            if try probe.hasWriter(number) { return true }
            return try System.isReady(number, isReading: true)
        }
    }
}

/// Finds out whether a pipe has a writer, without taking bytes from it: by copying one to a pipe of
/// its own, which answers differently if there are none yet and if there will never be any.
private struct PipeProbe: ~Copyable {
    private let pipe: Pipe

    init() throws(Errno) {
        let pipe: Pipe
        do throws(SystemError) { pipe = try Pipe() } catch { throw Errno(error) }
        self.pipe = pipe
    }

    func hasWriter(_ number: Int32) throws(Errno) -> Bool {
        do throws(SystemError) {
            return try Kernel.tee(number, pipe.output.number, 1) > 0
        } catch .again {
            return true
        } catch {
            throw Errno(error)
        }
    }
}
