import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdGuests

/// A socket that listens for a service: kept open by the host, so that connections wait while the
/// module is started again.
public final class ServiceSocket: Sendable {
    private let descriptor: Int32
    public let address: SystemAddress?

    /// - Throws: `SystemError` if the address is in use, or is none of this machine.
    public init(_ address: SystemAddress) throws(SystemError) {
        descriptor = try Kernel.listen(address)
        self.address = try? Kernel.localAddress(descriptor)
    }

    deinit { try? Kernel.close(descriptor) }

    /// A listener for one run of the module. On the loop's thread.
    ///
    /// - Parameter accepts: called when the guest accepts, or waits for a connection, for the first
    ///   time.
    func listener(
        _ limits: GuestSocketLimits, on guests: GuestLoop,
        accepts: @escaping @Sendable () -> Void
    ) throws(SystemError) -> ServiceListener {
        let copy = FileDescriptor(owning: try Kernel.duplicate(descriptor))
        return ServiceListener(
            try KernelListener(adopting: copy, limits, on: guests), accepts: accepts)
    }
}

/// A listener that says when its guest is ready to accept.
final class ServiceListener: StreamListener {
    private let listener: KernelListener
    private let accepts: Mutex<(@Sendable () -> Void)?>

    init(_ listener: KernelListener, accepts: @escaping @Sendable () -> Void) {
        self.listener = listener
        self.accepts = Mutex(accepts)
    }

    private func note() { accepts.withLock { $0.take() }?() }

    var changes: WakeSource { listener.changes }

    func accept() throws(Errno) -> any StreamSocket {
        note()
        return try listener.accept()
    }

    var readableByteCount: Int? {
        note()
        return listener.readableByteCount
    }

    var writableByteCount: Int? { listener.writableByteCount }

    func guestDidClose(_ directions: Wait.Directions) { listener.guestDidClose(directions) }
}
