import WasmSystem
import WasmdEventLoop

/// Advertises services in the local network, and finds those of others: multicast DNS and DNS-SD,
/// without any other program.
///
/// ```swift
/// let discovery = try LocalDiscovery(on: loop)
/// let advertiser = try discovery.advertise(
///     AdvertisedService(instance: Array("kitchen".utf8), type: type, port: 5000))
/// let browser = discovery.browse(type) { event in ... }
/// ...
/// discovery.close()  // says goodbye
/// ```
///
/// One per process: it belongs to a loop, and all its functions and those of its advertisers and
/// browsers are called on the loop's thread, as are the closures. While nothing changes in the
/// network it uses no time but for a few packets an hour. A flood of packets costs at most the time
/// for 2,000 of them a second; more are lost, as in a busy network.
///
/// Specification: RFC 6762 (multicast DNS), RFC 6763 (DNS-SD).
public final class LocalDiscovery {
    public struct Options: Sendable {
        /// The host's name, up to its first dot; `.local` is appended.
        public var hostName: [UInt8] = CurrentProcess.hostName
        /// The names of the interfaces that are used; nil for all that have groups, and loopback.
        public var interfaces: [[UInt8]]?

        public init() {}
    }

    public let loop: EventLoop
    private let sockets: DiscoverySockets
    private let options: Options
    let engine: DiscoveryEngine
    private var watches: [DescriptorWatch] = []
    private var timer: (timer: LoopTimer, time: LoopInstant)?
    private var interfaceTimer: LoopTimer?
    private var joined: [UInt32: Set<Bool>] = [:]
    private var isClosed = false
    private var packets = RateBucket(perSecond: 2000, burst: 4000)

    /// Packets that were received, for tests and statistics.
    public private(set) var receivedCount = 0
    /// Packets that the kernel did not send.
    public private(set) var unsentCount = 0

    /// Starts to listen. On the loop's thread.
    ///
    /// - Throws: `.wrongLoop`, `.system` if the loop cannot watch the sockets.
    public init(
        _ sockets: DiscoverySockets = DiscoverySockets(), on loop: EventLoop,
        options: Options = Options()
    ) throws(LoopError) {
        guard loop.isCurrent else { throw .wrongLoop }
        self.loop = loop
        self.sockets = sockets
        self.options = options
        engine = DiscoveryEngine(
            hostName: options.hostName, seed: .random(in: .min ... .max),
            isOneShot: sockets.failure != nil, port: sockets.port)
        do throws(SystemError) {
            for socket in sockets.sockets { try watch(socket) }
            if let changes = sockets.interfaces?.changeDescriptor {
                watches.append(
                    try DescriptorWatch(changes, .reading, reporting: .once, on: loop) {
                        [weak self] _ in self?.interfacesMayHaveChanged()
                    })
            }
        } catch {
            for watch in watches { watch.end() }
            throw .system(error)
        }
        readInterfaces()
    }

    deinit {
        for watch in watches { watch.end() }
        timer?.timer.cancel()
        interfaceTimer?.cancel()
    }

    /// Why nothing can be advertised; nil if it can.
    public var failure: DiscoveryError? { sockets.failure.map { .noMulticast($0) } }

    /// The indices of the interfaces that are used now.
    public var interfaces: [UInt32] { engine.links.keys.sorted() }

    /// The host's name in the network now, such as `machine.local`.
    public var hostName: DomainName? { engine.hostDomain }

    /// Advertises a service until its advertiser is stopped, or the discovery closed. It is
    /// announced when no other host has said for three quarters of a second that it has the name.
    ///
    /// - Parameters:
    ///   - onRename: called with the new name if another host had it.
    ///   - onAnnounce: called with the name when it is announced for the first time.
    public func advertise(
        _ service: AdvertisedService, onRename: @escaping ([UInt8]) -> Void = { _ in },
        onAnnounce: @escaping ([UInt8]) -> Void = { _ in }
    ) throws(DiscoveryError) -> Advertiser {
        if isClosed { throw .closed }
        if let failure { throw failure }
        guard service.type.name(of: service.instance) != nil else { throw .name }
        let id = engine.publish(
            service, at: .now, onRename: onRename, onAnnounce: onAnnounce)
        step()
        return Advertiser(self, id)
    }

    /// Looks for services of a type until the browser is stopped, or the discovery closed. Services
    /// of this process are found as well.
    public func browse(
        _ type: ServiceType, onEvent: @escaping (DiscoveryEvent) -> Void
    ) -> Browser {
        let id = isClosed ? 0 : engine.browse(type, at: .now, onEvent: onEvent)
        step()
        return Browser(self, id)
    }

    /// Says goodbye for all services and ends everything. There are no more calls of closures.
    public func close() {
        guard !isClosed else { return }
        for id in engine.publications.keys.sorted() { engine.withdraw(id, at: .now) }
        flush()
        isClosed = true
        for id in engine.browses.keys { engine.endBrowse(id) }
        for watch in watches { watch.end() }
        watches = []
        timer?.timer.cancel()
        timer = nil
        interfaceTimer?.cancel()
        interfaceTimer = nil
        for (index, families) in joined {
            for isIPv6 in families { sockets.leave(index, isIPv6: isIPv6) }
        }
        joined = [:]
    }

    // MARK: Steps

    /// Sends what is to be sent, and sets the timer for what is due next.
    func step() {
        guard !isClosed else { return }
        flush()
        let time = engine.nextTime
        if let timer, timer.time <= time { return }
        timer?.timer.cancel()
        timer = nil
        guard time != .never else { return }
        let set = LoopTimer(at: time, on: loop) { [weak self] in
            guard let self, !self.isClosed else { return }
            self.timer = nil
            self.engine.advance(to: .now)
            self.step()
        }
        timer = (set, time)
    }

    private func flush() {
        let packets = engine.outgoing
        engine.outgoing = []
        for packet in packets {
            do throws(SystemError) { try sockets.send(packet) } catch { unsentCount += 1 }
        }
    }

    // MARK: Packets

    /// Packets of one turn of the loop.
    private static let packetsPerTurn = 32

    private func watch(_ socket: DiscoverySockets.Socket) throws(SystemError) {
        let index = watches.count
        watches.append(
            try DescriptorWatch(socket.descriptor, .reading, reporting: .once, on: loop) {
                [weak self] _ in self?.receive(socket, index)
            })
    }

    private func receive(_ socket: DiscoverySockets.Socket, _ index: Int) {
        for _ in 0..<Self.packetsPerTurn {
            guard !isClosed else { return }
            let now = LoopInstant.now
            guard packets.take(at: now) else {
                // The rest waits in the kernel, which drops what does not fit.
                _ = LoopTimer(at: now + .milliseconds(20), on: loop) { [weak self] in
                    self?.arm(index)
                }
                return step()
            }
            do throws(SystemError) {
                guard let packet = try sockets.receive(socket) else { break }
                receivedCount += 1
                engine.receive(packet, at: now)
            } catch {
                // An error of an earlier message: nothing that a receiver could mend.
                continue
            }
        }
        step()
        arm(index)
    }

    private func arm(_ index: Int) {
        guard !isClosed, watches.indices.contains(index) else { return }
        try? watches[index].arm(.reading)
    }

    // MARK: Interfaces

    private func interfacesMayHaveChanged() {
        _ = sockets.interfaces?.takeChanges()
        arm(watches.count - 1)
        // Several changes come together; addresses need a moment.
        guard interfaceTimer == nil else { return }
        setInterfaceTimer(after: .milliseconds(300))
    }

    private func setInterfaceTimer(after duration: Duration) {
        interfaceTimer = LoopTimer(at: .after(duration), on: loop) { [weak self] in
            self?.interfaceTimer = nil
            self?.readInterfaces()
        }
    }

    private func readInterfaces() {
        guard !isClosed, let list = sockets.interfaces else { return }
        // Without reports, looking again and again is all that is left.
        if list.changeDescriptor == nil { setInterfaceTimer(after: .seconds(10)) }
        guard let all = try? list.list() else { return }
        let used = all.filter { isUsed($0) }
        for interface in used {
            for isIPv6 in [false, true] {
                let size = isIPv6 ? 16 : 4
                guard interface.addresses.contains(where: { $0.bytes.count == size }),
                    joined[interface.index]?.contains(isIPv6) != true,
                    (try? sockets.join(interface.index, isIPv6: isIPv6)) != nil
                else { continue }
                joined[interface.index, default: []].insert(isIPv6)
            }
        }
        let present = Set(used.map(\.index))
        for (index, families) in joined where !present.contains(index) {
            for isIPv6 in families { sockets.leave(index, isIPv6: isIPv6) }
            joined[index] = nil
        }
        engine.setInterfaces(used, at: .now)
        step()
    }

    private func isUsed(_ interface: NetworkInterface) -> Bool {
        guard interface.isRunning, interface.hasMulticast || interface.isLoopback else {
            return false
        }
        return options.interfaces.map { $0.contains(interface.name) } ?? true
    }
}

/// A service that is advertised: see `LocalDiscovery.advertise`.
public final class Advertiser {
    private let discovery: LocalDiscovery
    private let id: Int

    init(_ discovery: LocalDiscovery, _ id: Int) {
        self.discovery = discovery
        self.id = id
    }

    /// The name under which the service is advertised; nil if it was stopped.
    public var instance: [UInt8]? { discovery.engine.publications[id]?.name.label }

    /// Whether the service was announced on at least one interface.
    public var isAnnounced: Bool {
        discovery.engine.links.values.contains { link in
            link.claims[.service(id)].map { !$0.isProbing } ?? false
        }
    }

    /// Changes what the service says about itself, and announces it.
    public func update(text: TextRecord) {
        discovery.engine.update(id, text: text, at: .now)
        discovery.step()
    }

    /// Says goodbye.
    public func stop() {
        discovery.engine.withdraw(id, at: .now)
        discovery.step()
    }
}

/// A search for services: see `LocalDiscovery.browse`.
public final class Browser {
    private let discovery: LocalDiscovery
    private let id: Int

    init(_ discovery: LocalDiscovery, _ id: Int) {
        self.discovery = discovery
        self.id = id
    }

    /// The services that are known now, in the order of their names.
    public var services: [DiscoveredService] {
        (discovery.engine.browses[id]?.reported.values.map { $0 } ?? [])
            .sorted { $0.instance.lexicographicallyPrecedes($1.instance) }
    }

    /// Asks again, as at the start: for a user who looks for a service that should be there.
    public func refresh() {
        discovery.engine.refresh(id, at: .now)
        discovery.step()
    }

    /// Ends the search; there are no more events.
    public func stop() {
        discovery.engine.endBrowse(id)
        discovery.step()
    }
}
