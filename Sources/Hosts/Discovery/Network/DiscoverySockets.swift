// Soundness: the buffer that a message is received into is lent for the length of one call.

import WasmSystem
import WasmdEventLoop

/// The sockets of multicast DNS. They are opened at once, so that a process that restricts itself
/// can make them before; they belong to no loop yet.
public final class DiscoverySockets: Sendable {
    /// A socket, and whether it is one of IPv6.
    struct Socket: Sendable {
        let descriptor: Int32
        let isIPv6: Bool
    }

    let sockets: [Socket]
    let interfaces: InterfaceList?
    /// Why nothing can be advertised; nil if the port was to be had. Services of others are then
    /// asked for from another port.
    public let failure: SystemError?
    let port: UInt16

    /// Needs up to four descriptors.
    ///
    /// - Parameter port: 5353, but for tests.
    public init(port: UInt16 = 5353) {
        self.port = port
        var sockets: [Socket] = []
        var failure: SystemError?
        do throws(SystemError) {
            interfaces = try InterfaceList()
        } catch {
            interfaces = nil
            failure = error
        }
        do throws(SystemError) {
            sockets.append(try Self.socket(isIPv6: false, port: port))
        } catch {
            failure = error
            // Any port of which nobody else has to hear.
            if let socket = try? Self.socket(isIPv6: false, port: 0) { sockets.append(socket) }
        }
        // Machines without IPv6 are common.
        if let socket = try? Self.socket(isIPv6: true, port: failure == nil ? port : 0) {
            sockets.append(socket)
        }
        self.sockets = sockets
        self.failure = failure
    }

    deinit { for socket in sockets { try? Kernel.close(socket.descriptor) } }

    private static func socket(isIPv6: Bool, port: UInt16) throws(SystemError) -> Socket {
        let any = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        let descriptor = try Kernel.bindDatagrams(
            isIPv6 ? .ipv6(any, port: port) : .ipv4(any, port: port), sharesPort: port != 0)
        do throws(SystemError) {
            try Kernel.reportInterfaces(descriptor, isIPv6: isIPv6)
            // Receivers may ignore messages that a router could have passed on: RFC 6762, section
            // 11. Other programs of this host shall hear them too.
            try Kernel.setMulticast(
                descriptor, isIPv6: isIPv6, interface: 0, hops: 255, loopsBack: true)
            return Socket(descriptor: descriptor, isIPv6: isIPv6)
        } catch {
            try? Kernel.close(descriptor)
            throw error
        }
    }

    /// Receives one message; nil if there is none.
    ///
    /// - Throws: errors of earlier messages.
    func receive(_ socket: Socket) throws(SystemError) -> IncomingPacket? {
        let limit = DiscoveryMessage.byteLimit + 1
        do throws(SystemError) {
            return try unsafe withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) {
                (room) throws(SystemError) -> IncomingPacket in
                let found = try unsafe Kernel.receiveInterfaceDatagram(socket.descriptor, room)
                let group = socket.isIPv6 ? MulticastGroup.ipv6 : MulticastGroup.ipv4
                return unsafe IncomingPacket(
                    // A longer message is too long for a parser as well.
                    bytes: [UInt8](room[..<min(max(found.byteCount, 0), room.count)]),
                    sender: found.sender ?? .unix([]), isToGroup: found.destination == group,
                    interface: found.interface)
            }
        } catch .again {
            return nil
        } catch {
            throw error
        }
    }

    /// Sends a message; one that does not fit now is lost, as others are in the network.
    func send(_ packet: OutgoingPacket) throws(SystemError) {
        let (address, isIPv6): (SystemAddress, Bool)
        switch packet.destination {
        case .group(let family):
            (address, isIPv6) = (MulticastGroup.address(isIPv6: family, port: port), family)
        case .host(let host):
            if case .ipv6 = host { isIPv6 = true } else { isIPv6 = false }
            address = host
        }
        guard let socket = sockets.first(where: { $0.isIPv6 == isIPv6 }) else { return }
        try Kernel.sendInterfaceDatagram(
            socket.descriptor, packet.bytes, to: address, interface: packet.interface)
    }

    /// Receives what is sent to the group on an interface.
    func join(_ interface: UInt32, isIPv6: Bool) throws(SystemError) {
        guard let socket = sockets.first(where: { $0.isIPv6 == isIPv6 }) else { return }
        do throws(SystemError) {
            try Kernel.join(
                socket.descriptor, group: MulticastGroup.address(isIPv6: isIPv6),
                interface: interface)
        } catch .addrinuse {
            // It was joined before.
        } catch {
            throw error
        }
    }

    func leave(_ interface: UInt32, isIPv6: Bool) {
        guard let socket = sockets.first(where: { $0.isIPv6 == isIPv6 }) else { return }
        try? Kernel.leave(
            socket.descriptor, group: MulticastGroup.address(isIPv6: isIPv6), interface: interface)
    }
}
