import WasmInterpreter
import WasmSystem

/// Waits where opening a file would let the host wait: for the other end of a pipe, or for a lease.
///
/// In the kernel nobody could stop the guest. So files are opened without waiting, and what the host
/// would have waited for is waited for here, with the store's deadline and requests to stop.
struct OpeningPatience {
    private let store: Store
    /// Nothing tells when an attempt would succeed. Few wait long, and those need not be quick.
    private var nanoseconds: UInt64 = 500_000
    private static let longest: UInt64 = 10_000_000

    init(_ store: Store) { self.store = store }

    /// Waits a little, longer each time; a trap if the guest is stopped.
    mutating func wait() throws(Errno) -> Result<Void, Trap> {
        var wait = Wait(clock: .system)
        return try self.wait(&wait)
    }

    private mutating func wait(_ wait: inout Wait) throws(Errno) -> Result<Void, Trap> {
        try wait.add(.monotonic, nanoseconds, isAbsolute: false, userdata: 0)
        nanoseconds = min(nanoseconds * 2, Self.longest)
        if case .failure(let trap) = try wait.run(for: store) { return .failure(trap) }
        // Where there is an event, nobody has looked.
        return store.stopRequest().map { .failure(Trap($0)) } ?? .success(())
    }

    /// Waits until somebody has opened the pipe to write, as opening it to read does otherwise; a
    /// trap if the guest is stopped. Who opened it and went again has been there.
    mutating func waitForWriter(of descriptor: Descriptor) throws(Errno) -> Result<Void, Trap> {
        guard let number = descriptor.hostNumber else { return .success(()) }
        let probe = try PipeProbe()
        while try !probe.hasWriter(number) {
            var wait = Wait(clock: .system)
            // Bytes, and a writer that has gone; one that has not written yet is found by the probe.
            wait.add(descriptor, Event(userdata: 1, type: .fdRead))
            if case .failure(let trap) = try self.wait(&wait) { return .failure(trap) }
            if try System.isReady(number, isReading: true) { break }
        }
        return .success(())
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
