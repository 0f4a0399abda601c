import WasmSystem
import WasmdEventLoop

// The names of this host and its services: asking whether they are free, announcing, goodbyes. RFC
// 6762, sections 8 and 10.1.

extension DiscoveryEngine {
    /// The services that are advertised on a link, in the order in which they came.
    func services(on link: Link) -> [(id: Int, publication: Publication)] {
        let all = links.values.map(\.interface)
        return publications.sorted { $0.key < $1.key }
            .filter { $0.value.belongs(on: link.interface, among: all) }
            .map { ($0.key, $0.value) }
    }

    /// The addresses of this host on a link at which it has services.
    func hostRecords(_ link: Link) -> [ServiceRecord] {
        guard let host = hostDomain else { return [] }
        var known: Set<[UInt8]> = []
        var records: [ServiceRecord] = []
        for (_, publication) in services(on: link) {
            for address in publication.addresses(on: link.interface)
            where known.insert(address).inserted {
                records.append(
                    ServiceRecord(
                        host, .address(address), timeToLive: Publication.hostTime, isUnique: true))
            }
        }
        // IPv4 first; else as the interface has them.
        return records.filter { $0.type == .a } + records.filter { $0.type == .aaaa }
    }

    /// The records of a claim that no other host may have.
    func uniqueRecords(_ id: ClaimID, _ link: Link) -> [ServiceRecord] {
        switch id {
        case .host: hostRecords(link)
        case .service(let id):
            if let host = hostDomain, let publication = publications[id] {
                publication.uniqueRecords(on: link.interface, host: host)
            } else {
                []
            }
        }
    }

    func name(of id: ClaimID) -> DomainName? {
        switch id {
        case .host: hostDomain
        case .service(let id): publications[id]?.fullName
        }
    }

    /// Starts what is missing on each link, and ends what is too much.
    func updateClaims(at now: LoopInstant) {
        guard !isOneShot else { return }
        for link in links.values {
            let services = services(on: link)
            var wanted = Set(services.map { ClaimID.service($0.id) })
            if !wanted.isEmpty { wanted.insert(.host) }
            for id in link.claims.keys where !wanted.contains(id) {
                if case .service(let number) = id { sayGoodbye(number, link, at: now) }
                link.claims[id] = nil
            }
            // One delay for all, so that they are asked in one message.
            let start = now + random.milliseconds(0...250)
            for id in wanted where link.claims[id] == nil { link.claims[id] = Claim(next: start) }
        }
    }

    /// Announces again what has changed, if it was announced.
    func announceAgain(_ id: ClaimID, _ link: Link, at now: LoopInstant) {
        guard let claim = link.claims[id], !claim.isProbing else { return }
        link.claims[id]?.phase = .announcing(sent: 0)
        link.claims[id]?.next = now + .milliseconds(20)
    }

    func advanceClaims(_ link: Link, at now: LoopInstant) {
        var probes: [ClaimID] = []
        var announced: [ClaimID] = []
        var claimed: [Int] = []
        // The host's name first: services need it.
        let order = link.claims.keys.sorted { one, other in
            switch (one, other) {
            case (.host, .service): true
            case (.service(let one), .service(let other)): one < other
            default: false
            }
        }
        for id in order {
            guard var claim = link.claims[id], claim.next <= now else { continue }
            switch claim.phase {
            case .probing(let sent) where sent < Claim.probeCount:
                probes.append(id)
                claim.phase = .probing(sent: sent + 1)
                claim.next = now + Claim.probeInterval
            case .probing:
                if id != .host, link.claims[.host]?.isProbing ?? true {
                    claim.next = now + Claim.probeInterval
                } else {
                    announced.append(id)
                    claim.phase = .announcing(sent: 1)
                    claim.next = now + .seconds(1)
                    if case .service(let number) = id { claimed.append(number) }
                }
            case .announcing(let sent):
                announced.append(id)
                let isLast = sent + 1 >= Claim.announcements
                claim.phase = isLast ? .settled : .announcing(sent: sent + 1)
                claim.next = isLast ? .never : now + .seconds(sent == 0 ? 1 : 2)
            case .settled: claim.next = .never
            }
            link.claims[id] = claim
        }
        if !probes.isEmpty { probe(probes, link, at: now) }
        announce(announced, link, at: now)
        for number in claimed { publications[number]?.noteAnnouncement() }
    }

    /// Asks who has names, and says which records are meant. The answer is to come by multicast:
    /// one to this host would reach only one of the sockets that share the port.
    private func probe(_ ids: [ClaimID], _ link: Link, at now: LoopInstant) {
        var rest = ids[...]
        while !rest.isEmpty {
            var writer = DiscoveryMessageWriter(isResponse: false)
            // Few enough that the records fit as well, if they are of a usual size.
            let some = rest.prefix(8)
            rest = rest.dropFirst(8)
            for id in some {
                guard let name = name(of: id) else { continue }
                _ = writer.append(DiscoveryMessage.Question(name, .any))
            }
            for id in some {
                for record in uniqueRecords(id, link) { _ = writer.append(record, as: .authority) }
            }
            if let bytes = writer.message() { send(bytes, link, at: now) }
        }
    }

    /// Sends all records of services: listeners that keep nothing need them in one message.
    private func announce(_ ids: [ClaimID], _ link: Link, at now: LoopInstant) {
        guard !ids.isEmpty else { return }
        var groups: [[ServiceRecord]] = []
        let host = hostRecords(link)
        for id in ids {
            guard case .service(let number) = id, let publication = publications[number] else {
                continue
            }
            groups.append(publication.sharedRecords() + uniqueRecords(id, link) + host)
        }
        if groups.isEmpty { groups = [host] }
        for group in groups {
            for bytes in messages(group, additionals: absences(of: group, link)) {
                send(bytes, link, at: now)
            }
            for record in group { remember(record, link, at: now) }
        }
    }

    /// Counts a record as sent on all families of a link.
    private func remember(_ record: ServiceRecord, _ link: Link, at now: LoopInstant) {
        for isIPv6 in link.lanes.keys {
            // Records of texts that were changed since.
            if let sent = link.lanes[isIPv6]?.sent, sent.count > 1024 {
                link.lanes[isIPv6]?.sent = sent.filter { now.since($0.value) < .seconds(2) }
            }
            link.lanes[isIPv6]?.sent[record.key] = now
            link.lanes[isIPv6]?.due[record.key] = nil
        }
    }

    /// As many messages as records need, with as many additional ones as fit.
    func messages(
        _ answers: [ServiceRecord], additionals: [ServiceRecord], timeToLive: UInt32? = nil
    ) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var writer = DiscoveryMessageWriter(isResponse: true)
        for record in answers {
            if writer.append(record, timeToLive: timeToLive) { continue }
            if let bytes = writer.message() { messages.append(bytes) }
            writer = DiscoveryMessageWriter(isResponse: true)
            _ = writer.append(record, timeToLive: timeToLive)
        }
        for record in additionals { _ = writer.append(record, as: .additional) }
        if let bytes = writer.message() { messages.append(bytes) }
        return messages
    }

    /// Says that a service is gone from a link, if it was announced there. The addresses of the host
    /// stay: other programs may use its name.
    func sayGoodbye(_ id: Int, _ link: Link, at now: LoopInstant) {
        guard let claim = link.claims[.service(id)], !claim.isProbing,
            let publication = publications[id], let pointer = publication.sharedRecords().first
        else { return }
        let records = [pointer] + uniqueRecords(.service(id), link)
        for bytes in messages(records, additionals: [], timeToLive: 0) {
            send(bytes, link, at: now)
        }
        for isIPv6 in link.lanes.keys {
            for record in records {
                link.lanes[isIPv6]?.due[record.key] = nil
                link.lanes[isIPv6]?.sent[record.key] = nil
            }
        }
        link.claims[.service(id)] = nil
    }
}
