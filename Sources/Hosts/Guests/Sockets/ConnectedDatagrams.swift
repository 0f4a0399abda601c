// Soundness: buffers are passed to one call of the kernel at a time. Everything is used on the loop's
// thread only.

import WasmSystem
import WasmdEventLoop

extension GuestDatagrams {
    /// A socket for datagrams to one address and from it, with a descriptor of the kernel. On the
    /// loop's thread. That nobody listens there is no error: datagrams are lost then.
    ///
    /// - Throws: `GuestSocketError` at the loop's limit, `SystemError`.
    public static func connected(
        to address: SystemAddress, _ form: Form, _ limits: GuestSocketLimits = .init(),
        counts: DatagramCounts, on guests: GuestLoop
    ) throws -> GuestDatagrams {
        let link = try DatagramLink(to: address, on: guests)
        let socket = unsafe GuestDatagrams(form, limits, counts: counts, on: guests) { bytes in
            unsafe link.send(bytes)
        }
        try link.start { [weak socket] bytes in socket?.deliver(bytes) }
        socket.whenClosed = { link.end() }
        return socket
    }

    /// Two ends of a connection in memory: what is written to one is read from the other.
    public static func makePair(
        _ limits: GuestSocketLimits = .init(), counts: DatagramCounts, on guests: GuestLoop
    ) -> (GuestDatagrams, GuestDatagrams) {
        let (there, back) = (Weak(), Weak())
        let one = unsafe GuestDatagrams(.whole, limits, counts: counts, on: guests) { bytes in
            unsafe there.socket?.deliver([UInt8](bytes)) ?? false
        }
        let two = unsafe GuestDatagrams(.whole, limits, counts: counts, on: guests) { bytes in
            unsafe back.socket?.deliver([UInt8](bytes)) ?? false
        }
        there.socket = two
        back.socket = one
        return (one, two)
    }

    private final class Weak {
        weak var socket: GuestDatagrams?
    }
}

/// A connected socket of UDP.
private final class DatagramLink {
    private var descriptor: Int32
    private var watch: DescriptorWatch?
    private let guests: GuestLoop

    /// Datagrams that are taken between two polls of the loop.
    private static let batch = 64

    init(to address: SystemAddress, on guests: GuestLoop) throws {
        try guests.addSocket()
        self.guests = guests
        do {
            descriptor = try Kernel.connectDatagrams(address)
        } catch {
            guests.removeSocket()
            throw error
        }
    }

    deinit {
        // The socket was released without being closed, which happens on its loop or after it.
        guard descriptor >= 0 else { return }
        if guests.loop.isCurrent { return end() }
        try? Kernel.close(descriptor)
    }

    func start(_ deliver: @escaping ([UInt8]) -> Void) throws(SystemError) {
        watch = try DescriptorWatch(descriptor, .reading, on: guests.loop) { [weak self] _ in
            self?.receive(deliver)
        }
    }

    private func receive(_ deliver: ([UInt8]) -> Void) {
        unsafe withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { room in
            for _ in 0..<Self.batch {
                guard descriptor >= 0 else { return }
                do throws(SystemError) {
                    let count = try unsafe Kernel.receiveDatagram(descriptor, room).byteCount
                    unsafe deliver([UInt8](room[..<min(count, room.count)]))
                } catch {
                    if error == .again { break }
                    // Says that an earlier datagram did not arrive.
                }
            }
        }
        if descriptor >= 0 { try? watch?.arm(.reading) }
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard descriptor >= 0 else { return false }
        // An error may be that of an earlier datagram.
        for _ in 0..<2 {
            do throws(SystemError) {
                try unsafe Kernel.sendDatagram(descriptor, bytes)
                return true
            } catch {
                if error == .again || error == .msgsize { return false }
            }
        }
        return false
    }

    func end() {
        guard descriptor >= 0 else { return }
        watch?.end()
        watch = nil
        try? Kernel.close(descriptor)
        descriptor = -1
        guests.removeSocket()
    }
}
