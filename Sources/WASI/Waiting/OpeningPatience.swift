import WasmInterpreter
import WasmSystem

/// Lets a guest wait to open a file where the host would wait: for the other end of a pipe, or for
/// a lease.
///
/// A guest that waits in the kernel could not be stopped. So files are opened without waiting, and
/// the guest tries again from time to time. The value is passed from attempt to attempt.
struct OpeningPatience {
    /// Nothing reports when an attempt would succeed, so intervals grow: most waits are short, and
    /// long ones need not be fast.
    private var nanoseconds: Int64 = 500_000
    private static let longest: Int64 = 10_000_000

    /// The wait until the next attempt, longer each time.
    mutating func wait() -> Wait {
        var wait = Wait()
        wait.end = .now.advanced(by: .nanoseconds(nanoseconds))
        nanoseconds = min(nanoseconds * 2, Self.longest)
        return wait
    }

    /// The same for a pipe that was opened to read, until it has a writer.
    mutating func waitForWriter(_ pipe: OpenedPipe) -> Wait {
        var wait = wait()
        // Ready if there are bytes, or the writer has closed; the probe finds a writer that has not
        // written yet.
        if let number = pipe.descriptor.hostNumber {
            wait.add(number, .reading, keeping: pipe.descriptor)
        }
        return wait
    }
}

/// A pipe that was opened for reading and may have no writer yet; a blocking open would wait for
/// one. A writer that has closed again counts.
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
/// its own: the error tells whether there are no bytes yet or no writer.
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
