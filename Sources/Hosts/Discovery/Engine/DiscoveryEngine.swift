import WasmSystem
import WasmdEventLoop

/// Multicast DNS as a state machine: packets and times in, packets and events out. It has no clock
/// and no socket, so that tests can run many of them on one simulated network.
///
/// - `receive` takes a packet, `advance` does what is due; `nextTime` is when to call it again.
/// - Both append to `outgoing` what is to be sent.
///
/// Everything that packets can make it keep is bounded: `RecordCache`, `truncatedLimit`, and our own
/// records. Used by one thread.
///
/// Specification: RFC 6762 and RFC 6763.
final class DiscoveryEngine {
    var links: [UInt32: Link] = [:]
    var publications: [Int: Publication] = [:]
    var browses: [Int: Browse] = [:]
    var hostName: ContestedName
    var random: DelayGenerator
    var outgoing: [OutgoingPacket] = []
    private var lastID = 0
    /// Whether only questions of single hosts are sent, from another port: when 5353 is taken.
    let isOneShot: Bool
    /// What was sent lately: multicast messages come back.
    var sentPackets: [Int: LoopInstant] = [:]
    /// Addresses of this host that were lost lately.
    var formerAddresses: [[UInt8]: LoopInstant] = [:]
    /// When names were found to be taken lately.
    var conflicts: [LoopInstant] = []

    static let truncatedLimit = 16

    /// 5353, but for tests.
    let port: UInt16

    init(
        hostName: [UInt8], seed: UInt64, isOneShot: Bool = false,
        port: UInt16 = MulticastGroup.port
    ) {
        self.isOneShot = isOneShot
        self.port = port
        let label = hostName.prefix { $0 != UInt8(ascii: ".") }
        self.hostName = ContestedName(label.isEmpty ? Array("wasmd".utf8) : Array(label))
        random = DelayGenerator(seed: seed)
    }

    /// Such as `machine.local`.
    var hostDomain: DomainName? {
        DomainName(labels: [hostName.label, Array("local".utf8)])
    }

    // MARK: What is asked of it

    /// Starts to advertise a service.
    func publish(
        _ service: AdvertisedService, at now: LoopInstant,
        onRename: @escaping ([UInt8]) -> Void, onAnnounce: @escaping ([UInt8]) -> Void = { _ in }
    ) -> Int {
        lastID += 1
        publications[lastID] = Publication(service, onRename: onRename, onAnnounce: onAnnounce)
        updateClaims(at: now)
        return lastID
    }

    /// Says goodbye for a service.
    func withdraw(_ id: Int, at now: LoopInstant) {
        for link in links.values { sayGoodbye(id, link, at: now) }
        publications[id] = nil
        updateClaims(at: now)
    }

    /// Changes what a service says about itself.
    func update(_ id: Int, text: TextRecord, at now: LoopInstant) {
        guard let publication = publications[id], publication.text != text else { return }
        publication.text = text
        for link in links.values { announceAgain(.service(id), link, at: now) }
    }

    /// Starts to look for services of a type.
    func browse(
        _ type: ServiceType, at now: LoopInstant, onEvent: @escaping (DiscoveryEvent) -> Void
    ) -> Int {
        lastID += 1
        browses[lastID] = Browse(type, onEvent)
        for link in links.values { startAsking(type, link, at: now) }
        // Another browse of the type may have found some.
        var names: Set<DomainName> = []
        for link in links.values {
            for entry in link.cache.records(type.name, .pointer) {
                if case .pointer(let name) = entry.record.value { names.insert(name) }
            }
        }
        report(names)
        return lastID
    }

    func endBrowse(_ id: Int) {
        browses[id] = nil
        let types = Set(browses.values.map(\.type.name))
        for link in links.values {
            link.asks = link.asks.filter {
                $0.value.remaining != nil || types.contains($0.key.name)
            }
            forgetUseless(link)
        }
    }

    /// Asks again, as at the start.
    func refresh(_ id: Int, at now: LoopInstant) {
        guard let browse = browses[id] else { return }
        for link in links.values { startAsking(browse.type, link, at: now) }
    }

    // MARK: Interfaces

    /// Sets the interfaces; those that are left out are gone.
    func setInterfaces(_ interfaces: [NetworkInterface], at now: LoopInstant) {
        let old = machineAddresses
        var present: Set<UInt32> = []
        for interface in interfaces where !interface.addresses.isEmpty {
            present.insert(interface.index)
            guard let link = links[interface.index] else {
                addLink(interface, at: now)
                continue
            }
            let before = Set(link.interface.addresses.map(\.bytes))
            let after = Set(interface.addresses.map(\.bytes))
            link.interface = interface
            link.setLanes()
            if before == after { continue }
            if before.isDisjoint(with: after) {
                // Another network, where others may have our names.
                dropLink(interface.index)
                addLink(interface, at: now)
            } else {
                for id in link.claims.keys { announceAgain(id, link, at: now) }
                for (question, ask) in link.asks where ask.remaining == nil {
                    link.asks[question] = Ask(next: now + random.milliseconds(20...120))
                    link.nextAsk = min(link.nextAsk, now + .milliseconds(20))
                }
            }
        }
        for index in links.keys where !present.contains(index) { dropLink(index) }
        let current = machineAddresses
        formerAddresses = formerAddresses.filter { $0.value > now }
        for address in old where !current.contains(address) {
            formerAddresses[address] = now + .seconds(10)
        }
        updateClaims(at: now)
    }

    private func addLink(_ interface: NetworkInterface, at now: LoopInstant) {
        let link = Link(interface)
        links[interface.index] = link
        for browse in browses.values { startAsking(browse.type, link, at: now) }
    }

    private func dropLink(_ index: UInt32) {
        guard let link = links.removeValue(forKey: index) else { return }
        reportChanges(of: link.cache.remove { _ in true })
    }

    /// The addresses of this host.
    var machineAddresses: Set<[UInt8]> {
        var addresses: Set<[UInt8]> = []
        for link in links.values {
            for address in link.interface.addresses { addresses.insert(address.bytes) }
        }
        return addresses
    }

    // MARK: Time

    /// When `advance` has something to do.
    var nextTime: LoopInstant {
        var time = LoopInstant.never
        for link in links.values {
            for claim in link.claims.values { time = min(time, claim.next) }
            for lane in link.lanes.values { for due in lane.due.values { time = min(time, due) } }
            for query in link.truncated.values { time = min(time, query.due) }
            time = min(time, link.nextAsk, link.cache.nextTime)
        }
        return time
    }

    /// Does what is due.
    func advance(to now: LoopInstant) {
        for link in links.values {
            advanceCache(link, at: now)
            answerTruncated(link, at: now)
            advanceClaims(link, at: now)
            sendAnswers(link, at: now)
            sendQuestions(link, at: now)
        }
    }

    /// Takes a packet. Anything that is malformed or not meant for this engine is ignored.
    func receive(_ packet: IncomingPacket, at now: LoopInstant) {
        guard let link = links[packet.interface], packet.sender.port != nil else { return }
        // Before the message is read, which takes the most time. Messages to the group come from the
        // link by their nature; others may not.
        guard packet.isToGroup || isNear(packet.senderBytes, link) else { return }
        if DiscoveryMessage.saysResponse(packet.bytes) {
            guard packet.sender.port == port else { return }
        } else if isOneShot || link.claims.isEmpty {
            return
        }
        guard let message = DiscoveryMessage(packet.bytes) else { return }
        let isOwn = wasSent(packet.bytes, at: now) && isOwn(packet.senderBytes)
        if message.isResponse {
            if !isOwn { takeConflicts(message, link, at: now) }
            learn(message, link, at: now)
        } else {
            takeQuery(message, packet, link, isOwn: isOwn, at: now)
        }
    }

    func isNear(_ address: [UInt8], _ link: Link) -> Bool {
        link.reaches(address) || machineAddresses.contains(address)
    }

    private func isOwn(_ address: [UInt8]) -> Bool {
        machineAddresses.contains(address) || formerAddresses[address] != nil
    }

    // MARK: Sending

    private static let rememberedPackets = 256

    func send(_ bytes: [UInt8], _ link: Link, isIPv6: Bool, at now: LoopInstant) {
        outgoing.append(
            OutgoingPacket(
                bytes: bytes, interface: link.interface.index,
                destination: .group(isIPv6: isIPv6)))
        if sentPackets.count >= Self.rememberedPackets {
            sentPackets = sentPackets.filter { $0.value > now }
            if sentPackets.count >= Self.rememberedPackets { sentPackets = [:] }
        }
        sentPackets[bytes.hashValue] = now + .seconds(3)
    }

    /// By all families of a link.
    func send(_ bytes: [UInt8], _ link: Link, at now: LoopInstant) {
        for isIPv6 in link.lanes.keys.sorted(by: { !$0 && $1 }) {
            send(bytes, link, isIPv6: isIPv6, at: now)
        }
    }

    private func wasSent(_ bytes: [UInt8], at now: LoopInstant) -> Bool {
        sentPackets[bytes.hashValue].map { $0 > now } ?? false
    }
}
