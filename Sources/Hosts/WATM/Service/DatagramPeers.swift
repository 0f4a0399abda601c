// Soundness: everything is used on the loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdGuests

/// The peers of a socket for datagrams: each has a session of a service from its first datagram on,
/// until none came or went for a while.
///
/// The address of a datagram may be forged. So a peer that has not sent again after it was sent
/// something is forgotten earlier, and there are no more peers than the service has connections.
@safe final class DatagramPeers: @unchecked Sendable {
    private let socket: DatagramSocket
    private let guests: GuestLoop
    private let service: TransportService
    private let house: TransportLoop
    private var peers: [SystemAddress: Peer] = [:]
    private var toldTime: LoopInstant?

    private final class Peer {
        let number: UInt64
        let socket: GuestDatagrams
        /// Whether it was sent something.
        var wasAnswered = false
        /// Whether it has sent again after that.
        var isConfirmed = false
        /// When it sent the last time.
        var lastSent = LoopInstant.now
        var isEnding = false

        init(_ number: UInt64, _ socket: GuestDatagrams) {
            self.number = number
            self.socket = socket
        }
    }

    /// For how long a peer that is not confirmed is kept at most.
    private static let unconfirmedTime = Duration.seconds(10)
    /// Between two messages that there is no room for peers.
    private static let messageInterval = Duration.seconds(10)

    init(
        _ socket: DatagramSocket, _ guests: GuestLoop, _ service: TransportService,
        _ house: TransportLoop
    ) {
        self.socket = socket
        self.guests = guests
        self.service = service
        self.house = house
    }

    /// Receives until the socket is closed or the task is cancelled.
    func serve() async throws(LoopError) {
        let sweeping = guests.loop.spawn { [self] in
            let idle = service.datagramIdleTime
            let interval = max(min(idle, Self.unconfirmedTime) / 4, .milliseconds(10))
            while (try? await guests.loop.sleep(for: interval)) != nil { sweep() }
        }
        defer {
            sweeping.cancel()
            for peer in peers.values { _ = house.cancel(peer.number) }
        }
        while true {
            let message: DatagramSocket.Message
            do throws(LoopError) {
                message = try await socket.receive()
            } catch {
                switch error {
                case .closed, .cancelled: return
                // Says that an earlier datagram did not arrive. The pause is for what lasts, such as
                // memory that the kernel does not have.
                case .system:
                    try? await guests.loop.sleep(for: .milliseconds(1))
                    continue
                default: throw error
                }
            }
            guard let sender = message.sender else { continue }
            take(message.bytes, from: sender)
        }
    }

    private func take(_ bytes: [UInt8], from sender: SystemAddress) {
        if let peer = peers[sender] {
            if peer.wasAnswered { peer.isConfirmed = true }
            peer.lastSent = guests.loop.turnTime
            peer.socket.deliver(bytes)
            return
        }
        guard let socket = begin(sender) else { return service.datagrams.countDropped() }
        socket.deliver(bytes)
    }

    /// Begins a session for a peer; nil if there is no room for it.
    private func begin(_ address: SystemAddress) -> GuestDatagrams? {
        let chain = service.chain
        guard let transport = service.role == .listen ? chain.last : chain.first else { return nil }
        // A reload may have brought another module; it was checked.
        let form: GuestDatagrams.Form = transport.carriesDatagrams ? .whole : .framed
        guard form == .whole || service.framesDatagrams else { return nil }
        let number: UInt64
        switch service.admitPeer() {
        case .success(let admitted): number = admitted
        case .failure(let refusal):
            let now = LoopInstant.now
            if toldTime.map({ now.since($0) >= Self.messageInterval }) ?? true {
                toldTime = now
                service.tellRefusal("\(refusal); datagrams of further peers are dropped")
            }
            return nil
        }
        let guestSocket = unsafe GuestDatagrams(
            form, transport.options.sockets, counts: service.datagrams, on: guests
        ) { [weak self] bytes in
            guard let self else { return false }
            peers[address]?.wasAnswered = true
            return (try? unsafe socket.trySend(bytes, to: address)) ?? false
        }
        guestSocket.whenClosed = { [weak self] in self?.peers[address] = nil }
        peers[address] = Peer(number, guestSocket)
        house.begin(
            guestSocket, peer: "udp:" + TransportAddress.text(of: address), number: number,
            for: service)
        return guestSocket
    }

    /// Ends sessions that were idle for too long.
    private func sweep() {
        let now = LoopInstant.now
        let idle = service.datagramIdleTime
        for peer in peers.values where !peer.isEnding {
            // What is sent to an address that may be forged does not keep it.
            let isIdle =
                peer.isConfirmed
                ? now.since(peer.socket.lastUse) >= idle
                : now.since(peer.lastSent) >= min(idle, Self.unconfirmedTime)
            guard isIdle else { continue }
            peer.isEnding = true
            _ = house.cancel(peer.number)
        }
    }
}
