import WasmSystem
import WasmdEventLoop

// Answers to the questions of others: RFC 6762, sections 5.4, 6 and 7.

extension DiscoveryEngine {
    /// Takes a question, or the rest of one's known answers.
    func takeQuery(
        _ message: DiscoveryMessage, _ packet: IncomingPacket, _ link: Link, isOwn: Bool,
        at now: LoopInstant
    ) {
        guard !link.claims.isEmpty else { return }
        if !isOwn, !message.authorities.isEmpty { compareProbes(message, link, at: now) }
        let isLegacy = packet.sender.port != port
        if isLegacy { return answerLegacy(message, packet, link, at: now) }
        if !isOwn, takeRest(message, packet, link, at: now) { return }
        let known = Self.known(message)
        let own = ownRecords(link)
        var records: [ServiceRecord.Key: ServiceRecord] = [:]
        var single: [ServiceRecord] = []
        var hasShared = false
        for question in message.questions {
            for record in answers(to: question, own, link) where !Self.isKnown(record, known) {
                if question.wantsUnicast, isFresh(record, link, packet.isIPv6, at: now) {
                    single.append(record)
                } else {
                    records[record.key] = record
                    if !record.isUnique { hasShared = true }
                }
            }
        }
        if !single.isEmpty { answer(packet, single, link, at: now) }
        guard !records.isEmpty else { return }
        if message.isTruncated, !isOwn {
            remember(records, packet, link, at: now)
            return
        }
        // Others may have the same records: wait for a moment, so that not all speak at once.
        let isProbe = !message.authorities.isEmpty
        let delay = hasShared && !isProbe ? random.milliseconds(20...120) : .zero
        schedule(
            records.values, link, isIPv6: packet.isIPv6, after: delay, isDefence: isProbe, at: now)
    }

    private static func known(
        _ message: DiscoveryMessage
    ) -> [ServiceRecord.Key: UInt32] {
        var known: [ServiceRecord.Key: UInt32] = [:]
        for record in message.answers { known[record.key] = record.timeToLive }
        return known
    }

    /// Whether the asker has the record for at least half of its time: RFC 6762, section 7.1.
    private static func isKnown(
        _ record: ServiceRecord, _ known: [ServiceRecord.Key: UInt32]
    ) -> Bool {
        known[record.key].map { $0 >= record.timeToLive / 2 } ?? false
    }

    /// Whether a record was sent to all lately: RFC 6762, section 5.4.
    private func isFresh(
        _ record: ServiceRecord, _ link: Link, _ isIPv6: Bool, at now: LoopInstant
    ) -> Bool {
        guard let sent = link.lanes[isIPv6]?.sent[record.key] else { return false }
        return now.since(sent) < .seconds(Int64(record.timeToLive / 4))
    }

    /// All records that are this host's on a link and were found to be free.
    private func ownRecords(_ link: Link) -> [ServiceRecord] {
        var records: [ServiceRecord] = []
        var known: Set<ServiceRecord.Key> = []
        for (id, publication) in services(on: link) {
            guard let claim = link.claims[.service(id)], !claim.isProbing else { continue }
            for record in publication.sharedRecords() + uniqueRecords(.service(id), link)
            where known.insert(record.key).inserted {
                records.append(record)
            }
        }
        if let claim = link.claims[.host], !claim.isProbing { records += hostRecords(link) }
        return records
    }

    /// The answers to a question; that there is none, if the name is this host's.
    private func answers(
        to question: DiscoveryMessage.Question, _ records: [ServiceRecord], _ link: Link
    ) -> [ServiceRecord] {
        let found = records.filter { question.matches($0) }
        if !found.isEmpty { return found }
        guard records.contains(where: { $0.isUnique && $0.name == question.name }) else {
            return []
        }
        return absence(of: question.name, link).map { [$0] } ?? []
    }

    /// Which types a name of this host has: RFC 6762, section 6.1. Of the host itself those of all
    /// its addresses, since other programs may answer for some of them.
    private func absence(of name: DomainName, _ link: Link) -> ServiceRecord? {
        if name == hostDomain {
            var types: Set<UInt16> = []
            for address in link.interface.addresses {
                types.insert(address.bytes.count == 4 ? 1 : 28)
            }
            return ServiceRecord(
                name, .types(types.sorted()), timeToLive: Publication.hostTime, isUnique: true)
        }
        return ServiceRecord(
            name, .types([16, 33]), timeToLive: Publication.otherTime, isUnique: true)
    }

    /// The same for the unique names among records.
    func absences(of records: [ServiceRecord], _ link: Link) -> [ServiceRecord] {
        var names: Set<DomainName> = []
        var result: [ServiceRecord] = []
        for record in records where record.isUnique && names.insert(record.name).inserted {
            if let absence = absence(of: record.name, link) { result.append(absence) }
        }
        return result
    }

    /// What an asker will ask for next: RFC 6763, section 12.
    private func additionals(for answers: [ServiceRecord], _ link: Link) -> [ServiceRecord] {
        let own = ownRecords(link)
        var known = Set(answers.map(\.key))
        var found: [ServiceRecord] = []
        var rest = answers[...]
        while let record = rest.popFirst() {
            let name: DomainName
            switch record.value {
            case .pointer(let target): name = target
            case .service(_, let host, _, _): name = host
            default: continue
            }
            for more in own where more.name == name && more.isUnique {
                guard known.insert(more.key).inserted else { continue }
                found.append(more)
                rest.append(more)
            }
        }
        return found + absences(of: answers.filter { $0.isUnique } + found, link)
    }

    /// Sends records to the group after a delay, and not more often than once a second, but for a
    /// name that another host wants: RFC 6762, section 6.
    private func schedule(
        _ records: some Sequence<ServiceRecord>, _ link: Link, isIPv6: Bool, after delay: Duration,
        isDefence: Bool, at now: LoopInstant
    ) {
        let pause = isDefence ? Duration.milliseconds(250) : .seconds(1)
        for record in records {
            guard let lane = link.lanes[isIPv6] else { return }
            var due = now + delay
            if let sent = lane.sent[record.key] { due = max(due, sent + pause) }
            link.lanes[isIPv6]?.due[record.key] = min(due, lane.due[record.key] ?? .never)
        }
    }

    func sendAnswers(_ link: Link, at now: LoopInstant) {
        for (isIPv6, lane) in link.lanes where !lane.due.isEmpty {
            let due = lane.due.filter { $0.value <= now }
            if due.isEmpty { continue }
            for key in due.keys { link.lanes[isIPv6]?.due[key] = nil }
            // Records that were changed or withdrawn since are left out.
            let own = ownRecords(link)
            var answers = own.filter { due[$0.key] != nil }
            let names = Set(due.keys.map(\.name))
            answers += absences(of: own.filter { names.contains($0.name) }, link)
                .filter { due[$0.key] != nil }
            let additionals = additionals(for: answers, link)
            for bytes in messages(answers, additionals: additionals) {
                send(bytes, link, isIPv6: isIPv6, at: now)
            }
            for record in answers { link.lanes[isIPv6]?.sent[record.key] = now }
        }
    }

    // MARK: Single hosts

    private func answer(
        _ packet: IncomingPacket, _ records: [ServiceRecord], _ link: Link, at now: LoopInstant
    ) {
        guard isNear(packet.senderBytes, link), link.unicasts.take(at: now) else { return }
        for bytes in messages(records, additionals: additionals(for: records, link)) {
            outgoing.append(
                OutgoingPacket(
                    bytes: bytes, interface: link.interface.index,
                    destination: .host(packet.sender)))
        }
    }

    /// A resolver that knows nothing of multicast asks from another port: RFC 6762, section 6.7.
    private func answerLegacy(
        _ message: DiscoveryMessage, _ packet: IncomingPacket, _ link: Link, at now: LoopInstant
    ) {
        guard isNear(packet.senderBytes, link), !message.questions.isEmpty else { return }
        let known = Self.known(message)
        let own = ownRecords(link)
        var keys: Set<ServiceRecord.Key> = []
        var answers: [ServiceRecord] = []
        for question in message.questions.prefix(16) {
            for record in self.answers(to: question, own, link)
            where !Self.isKnown(record, known) && keys.insert(record.key).inserted {
                if case .types = record.value { continue }
                answers.append(record)
            }
        }
        guard !answers.isEmpty, link.unicasts.take(at: now) else { return }
        var writer = DiscoveryMessageWriter(
            identifier: message.identifier, isResponse: true, isLegacy: true)
        for question in message.questions.prefix(16) {
            var question = question
            question.wantsUnicast = false
            _ = writer.append(question)
        }
        for record in answers { _ = writer.append(record) }
        for record in additionals(for: answers, link) {
            if case .types = record.value { continue }
            _ = writer.append(record, as: .additional)
        }
        guard let bytes = writer.message() else { return }
        outgoing.append(
            OutgoingPacket(
                bytes: bytes, interface: link.interface.index, destination: .host(packet.sender)))
    }

    // MARK: Known answers in several messages

    private func remember(
        _ records: [ServiceRecord.Key: ServiceRecord], _ packet: IncomingPacket, _ link: Link,
        at now: LoopInstant
    ) {
        guard link.truncated.count < Self.truncatedLimit else {
            return schedule(
                records.values, link, isIPv6: packet.isIPv6, after: .milliseconds(120),
                isDefence: false, at: now)
        }
        link.truncated[packet.sender] = Link.TruncatedQuery(
            records: records, isIPv6: packet.isIPv6, due: now + random.milliseconds(400...500),
            end: now + .seconds(2))
    }

    /// - Returns: whether the message is the rest of an earlier one, and nothing else.
    private func takeRest(
        _ message: DiscoveryMessage, _ packet: IncomingPacket, _ link: Link, at now: LoopInstant
    ) -> Bool {
        guard var query = link.truncated[packet.sender] else { return false }
        let known = Self.known(message)
        query.records = query.records.filter { !Self.isKnown($0.value, known) }
        if message.isTruncated {
            query.due = min(query.end, now + random.milliseconds(400...500))
        }
        link.truncated[packet.sender] = query
        return message.questions.isEmpty
    }

    func answerTruncated(_ link: Link, at now: LoopInstant) {
        for (sender, query) in link.truncated where query.due <= now {
            link.truncated[sender] = nil
            schedule(
                query.records.values, link, isIPv6: query.isIPv6, after: .zero, isDefence: false,
                at: now)
        }
    }
}
