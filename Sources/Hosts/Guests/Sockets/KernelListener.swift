// Soundness: everything is used on the loop's thread only; functions that others may call compare the
// thread first.

import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

/// A listening socket that is given to a guest: `sock_accept` gives it a `KernelSocket` for each
/// connection, with everything that `GuestSocket` does for guests.
public final class KernelListener: StreamListener, @unchecked Sendable {
    public let changes = WakeSource()
    private let guests: GuestLoop
    private let limits: GuestSocketLimits
    private var descriptor: Int32
    private var watch: DescriptorWatch?
    /// Whether a connection may wait; false after an attempt that found none.
    private var mayAccept = true

    /// Takes ownership of a listening socket, which is made nonblocking. On the loop's thread.
    ///
    /// - Throws: `SystemError` if it cannot be watched.
    public init(
        adopting descriptor: consuming FileDescriptor, _ limits: GuestSocketLimits = .init(),
        on guests: GuestLoop
    ) throws(SystemError) {
        let flags = try Kernel.flags(descriptor.number)
        if !flags.contains(.nonblock) {
            try Kernel.setFlags(descriptor.number, flags.union(.nonblock))
        }
        self.guests = guests
        self.limits = limits
        self.descriptor = descriptor.release()
        watch = try DescriptorWatch(
            self.descriptor, .reading, reporting: .changes, on: guests.loop
        ) { [weak self] _ in
            guard let self else { return }
            mayAccept = true
            self.guests.signal(changes)
        }
    }

    deinit {
        guard descriptor >= 0 else { return }
        let owner = Remains(descriptor: descriptor, watch: watch)
        if guests.loop.isCurrent { return owner.end() }
        _ = guests.loop.callOnLoop { owner.end() }
    }

    /// What is left of a listener whose last reference was released.
    private final class Remains: @unchecked Sendable {
        private var descriptor: Int32
        private let watch: DescriptorWatch?

        init(descriptor: Int32, watch: DescriptorWatch?) {
            self.descriptor = descriptor
            self.watch = watch
        }

        deinit { if descriptor >= 0 { try? Kernel.close(descriptor) } }

        func end() {
            watch?.end()
            try? Kernel.close(descriptor)
            descriptor = -1
        }
    }

    public func accept() throws(Errno) -> any StreamSocket {
        guard guests.loop.isCurrent else { throw .io }
        guard descriptor >= 0 else { throw .badf }
        guard mayAccept else { throw .again }
        do throws(SystemError) {
            let number = try Kernel.acceptAtOnce(descriptor)
            do {
                return try KernelSocket(
                    adopting: FileDescriptor(owning: number), limits, on: guests)
            } catch {
                throw SystemError.mfile
            }
        } catch {
            if error == .again { mayAccept = false }
            throw Errno(error)
        }
    }

    public var readableByteCount: Int? {
        guard guests.loop.isCurrent, descriptor >= 0 else { return 0 }
        guard mayAccept else { return nil }
        if (try? Kernel.isReady(descriptor, isReading: true)) == true { return 1 }
        mayAccept = false
        return nil
    }

    public var writableByteCount: Int? { nil }

    /// Whether the guest has waited for connections by `poll_oneoff`. It accepts until there are none
    /// then: a call that waited would stop everything else that it does.
    public private(set) var isPolled = false

    public func poll(isReading: Bool) -> Int? {
        guard isReading else { return nil }
        if guests.loop.isCurrent { isPolled = true }
        return readableByteCount
    }

    public func guestDidClose(_ directions: Wait.Directions) {
        _ = guests.loop.callOnLoop { [self] in
            guard descriptor >= 0 else { return }
            watch?.end()
            watch = nil
            try? Kernel.close(descriptor)
            descriptor = -1
            guests.signal(changes)
        }
    }
}
