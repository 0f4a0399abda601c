import WasmSystem
import WasmdEventLoop

// Looking for services: questions, what is kept of the answers, and events. RFC 6762, sections 5.2,
// 7.1 and 10; RFC 6763, section 4.

extension DiscoveryEngine {
    /// Starts the questions for a type afresh, in a moment.
    func startAsking(_ type: ServiceType, _ link: Link, at now: LoopInstant) {
        let question = DiscoveryMessage.Question(type.name, .pointer)
        // Not more often than each second, whatever is asked of this engine.
        let earliest = link.asks[question].map { $0.last + .seconds(1) } ?? now
        link.asks[question] = Ask(
            next: max(now + random.milliseconds(20...120), earliest), last: earliest)
        link.nextAsk = min(link.nextAsk, now + .milliseconds(20))
    }

    private static let longestInterval = Duration.seconds(3600)
    /// Of questions to single hosts, whose answers are valid only for seconds.
    private static let oneShotInterval = Duration.seconds(30)
    /// How often what is missing of a service is asked for at once.
    private static let attempts = 5

    // MARK: Questions

    func sendQuestions(_ link: Link, at now: LoopInstant) {
        guard link.nextAsk <= now else { return }
        var due: [DiscoveryMessage.Question] = []
        for (question, ask) in link.asks where ask.next <= now {
            var ask = ask
            // What was found or is no longer wanted.
            if ask.remaining != nil, !ask.isRefresh, !isOpen(question, link) {
                link.asks[question] = nil
                continue
            }
            // Those that go on for ever are few.
            guard ask.remaining == nil || link.questions.take(at: now) else {
                link.asks[question]?.next = now + .seconds(1)
                continue
            }
            due.append(question)
            ask.count += 1
            ask.last = now
            if let remaining = ask.remaining {
                ask.remaining = remaining - 1
                ask.next = remaining > 1 ? now + ask.interval : .never
            } else {
                ask.next = now + ask.interval
            }
            let longest = isOneShot ? Self.oneShotInterval : Self.longestInterval
            ask.interval = min(ask.interval * 2, longest)
            link.asks[question] = ask.isRefresh && ask.next == .never ? nil : ask
        }
        // Questions that were given up for services that are gone.
        if link.asks.count > 4096 {
            link.asks = link.asks.filter { $0.value.next != .never || isOpen($0.key, link) }
        }
        link.nextAsk = link.asks.values.map(\.next).min() ?? .never
        for bytes in queries(due, link, at: now) { send(bytes, link, at: now) }
    }

    /// Messages with the questions, and what is known of the answers.
    private func queries(
        _ questions: [DiscoveryMessage.Question], _ link: Link, at now: LoopInstant
    ) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var rest = questions[...]
        while !rest.isEmpty {
            var writer = DiscoveryMessageWriter(isResponse: false)
            var asked: [DiscoveryMessage.Question] = []
            while let question = rest.first, writer.append(question) {
                asked.append(question)
                rest = rest.dropFirst()
            }
            if asked.isEmpty { break }
            for question in asked where question.type == .pointer {
                for entry in link.cache.records(question.name, question.type) {
                    let total = min(entry.record.timeToLive, 86_400)
                    let left = UInt32(clamping: entry.end.since(now).components.seconds)
                    guard left > total / 2 else { continue }
                    var record = entry.record
                    record.isUnique = false
                    if writer.append(record, timeToLive: left) { continue }
                    if let bytes = writer.message(isTruncated: true) { messages.append(bytes) }
                    writer = DiscoveryMessageWriter(isResponse: false)
                    _ = writer.append(record, timeToLive: left)
                }
            }
            if let bytes = writer.message() { messages.append(bytes) }
        }
        return messages
    }

    // MARK: Answers

    /// Keeps the records of a message that belong to a service that is looked for.
    func learn(_ message: DiscoveryMessage, _ link: Link, at now: LoopInstant) {
        guard !browses.isEmpty else { return }
        let records = message.answers + message.additionals
        let types = Set(browses.values.map(\.type.name))
        var changed: [ServiceRecord] = []
        // What leads to other records comes first, wherever it is in the message.
        keep(records, link, at: now, &changed) { record in
            guard case .pointer(let target) = record.value else { return nil }
            guard types.contains(record.name), target.labels.count == record.name.labels.count + 1,
                DomainName(labels: Array(target.labels.dropFirst())) == record.name
            else { return nil }
            return RecordCache.manyLimit
        }
        keep(records, link, at: now, &changed) { record in
            switch record.value {
            case .service, .text: link.instances.contains(record.name) ? 4 : nil
            default: nil
            }
        }
        for record in records {
            guard case .service(_, let host, _, _) = record.value, link.hosts.count < 4096,
                link.cache.has(record.name, .service)
            else { continue }
            link.hosts.insert(host)
        }
        keep(records, link, at: now, &changed) { record in
            guard case .address = record.value, link.hosts.contains(record.name) else { return nil }
            return RecordCache.fewLimit
        }
        var names: Set<DomainName> = []
        for record in records {
            switch record.value {
            case .pointer(let name) where types.contains(record.name): names.insert(name)
            case .service, .text: names.insert(record.name)
            default: break
            }
        }
        for name in names where link.instances.contains(name) {
            askForMissing(name, link, at: now)
        }
        if !changed.isEmpty { reportChanges(of: changed) }
    }

    private func keep(
        _ records: [ServiceRecord], _ link: Link, at now: LoopInstant,
        _ changed: inout [ServiceRecord], _ limit: (ServiceRecord) -> Int?
    ) {
        var unique: [RecordCache.Key: Set<ServiceRecord.Value>] = [:]
        for var record in records {
            guard let limit = limit(record) else { continue }
            if isOneShot, record.timeToLive > 0 { record.timeToLive = max(record.timeToLive, 90) }
            if link.cache.keep(record, limit: limit, jitter: jitter(), at: now) {
                changed.append(record)
                if case .pointer(let name) = record.value { link.instances.insert(name) }
            } else if limit == RecordCache.manyLimit,
                !link.cache.has(record.name, record.value)
            {
                makeRoom(link, at: now)
            }
            if record.isUnique, record.timeToLive > 0 {
                let key = RecordCache.Key(name: record.name, type: record.type)
                unique[key, default: []].insert(record.value)
            }
        }
        for (key, values) in unique {
            link.cache.flush(key.name, key.type, except: values, at: now)
        }
    }

    private func jitter() -> Double { Double.random(in: 0...0.02, using: &random) }

    /// Names of many services that lead to nothing are removed, so that real ones find room.
    private func makeRoom(_ link: Link, at now: LoopInstant) {
        for type in Set(browses.values.map(\.type.name)) {
            guard link.cache.records(type, .pointer).count >= RecordCache.manyLimit,
                link.lastClearing.map({ now.since($0) >= .seconds(1) }) ?? true
            else { continue }
            link.lastClearing = now
            let hollow = Set(
                link.cache.records(type, .pointer).compactMap { entry -> DomainName? in
                    guard case .pointer(let name) = entry.record.value,
                        now.since(entry.received) > .seconds(10), !link.cache.has(name, .service)
                    else { return nil }
                    return name
                })
            if hollow.isEmpty { continue }
            reportChanges(
                of: link.cache.remove { record in
                    if case .pointer(let name) = record.value {
                        hollow.contains(name)
                    } else {
                        false
                    }
                })
            // Their names come at any rate: nothing of them may stay, nor questions about them.
            forgetUseless(link)
            link.asks = link.asks.filter { question, ask in
                ask.remaining == nil || ask.isRefresh || link.instances.contains(question.name)
                    || link.hosts.contains(question.name)
            }
        }
    }

    /// Asks for what is needed to use a service that was named.
    private func askForMissing(_ name: DomainName, _ link: Link, at now: LoopInstant) {
        let services = link.cache.records(name, .service)
        if services.isEmpty { ask(.init(name, .service), link, at: now) }
        if !link.cache.has(name, .text) { ask(.init(name, .text), link, at: now) }
        for service in services {
            guard case .service(_, let host, _, _) = service.record.value else { continue }
            link.hosts.insert(host)
            if link.cache.has(host, .a) || link.cache.has(host, .aaaa) { continue }
            ask(.init(host, .a), link, at: now)
            ask(.init(host, .aaaa), link, at: now)
        }
    }

    /// Asks a few times, with other questions that are due soon.
    private func ask(
        _ question: DiscoveryMessage.Question, _ link: Link, at now: LoopInstant
    ) {
        if let ask = link.asks[question] {
            guard ask.next == .never, now.since(ask.last) >= .seconds(60) else { return }
        }
        if link.batch <= now { link.batch = now + random.milliseconds(20...120) }
        link.asks[question] = Ask(next: link.batch, remaining: Self.attempts)
        link.nextAsk = min(link.nextAsk, link.batch)
    }

    /// Whether an answer is still missing.
    private func isOpen(_ question: DiscoveryMessage.Question, _ link: Link) -> Bool {
        if link.cache.has(question.name, question.type) { return false }
        switch question.type {
        case .a, .aaaa:
            return link.hosts.contains(question.name) && !link.cache.has(question.name, .a)
                && !link.cache.has(question.name, .aaaa)
        default: return link.instances.contains(question.name)
        }
    }

    // MARK: Time

    func advanceCache(_ link: Link, at now: LoopInstant) {
        guard link.cache.nextTime <= now else { return }
        let (removed, refreshes) = link.cache.advance(to: now) { jitter() }
        for key in refreshes {
            let question = DiscoveryMessage.Question(key.name, key.type)
            if let ask = link.asks[question] {
                // The next question of a series comes at once; its intervals stay.
                if ask.next > now { link.asks[question]?.next = now }
            } else {
                var ask = Ask(next: now, remaining: 1)
                ask.isRefresh = true
                link.asks[question] = ask
            }
            link.nextAsk = min(link.nextAsk, now)
        }
        guard !removed.isEmpty else { return }
        forgetUseless(link)
        for record in removed where link.instances.contains(record.name) {
            askForMissing(record.name, link, at: now)
        }
        reportChanges(of: removed)
    }

    /// Removes records that nothing leads to any more.
    func forgetUseless(_ link: Link) {
        let types = Set(browses.values.map(\.type.name))
        var names: Set<DomainName> = []
        var hosts: Set<DomainName> = []
        for type in types {
            for entry in link.cache.records(type, .pointer) {
                guard case .pointer(let name) = entry.record.value else { continue }
                names.insert(name)
                for service in link.cache.records(name, .service) {
                    if case .service(_, let host, _, _) = service.record.value {
                        hosts.insert(host)
                    }
                }
            }
        }
        _ = link.cache.remove { record in
            switch record.value {
            case .pointer: !types.contains(record.name)
            case .service, .text: !names.contains(record.name)
            case .address: !hosts.contains(record.name)
            default: true
            }
        }
        link.hosts = hosts
        link.instances = names
    }

    // MARK: Events

    /// Reports the services that some records belong to.
    func reportChanges(of records: [ServiceRecord]) {
        var names: Set<DomainName> = []
        var hosts: Set<DomainName> = []
        for record in records {
            switch record.value {
            case .pointer(let name): names.insert(name)
            case .service, .text: names.insert(record.name)
            case .address: hosts.insert(record.name)
            default: break
            }
        }
        if !hosts.isEmpty {
            for browse in browses.values {
                for link in links.values {
                    for entry in link.cache.records(browse.type.name, .pointer) {
                        guard case .pointer(let name) = entry.record.value else { continue }
                        let leads = link.cache.records(name, .service).contains { service in
                            if case .service(_, let host, _, _) = service.record.value {
                                hosts.contains(host)
                            } else {
                                false
                            }
                        }
                        if leads { names.insert(name) }
                    }
                }
                for (name, service) in browse.reported where hosts.contains(service.host) {
                    names.insert(name)
                }
            }
        }
        report(names)
    }

    /// Compares services with what was reported about them.
    func report(_ names: Set<DomainName>) {
        for browse in browses.sorted(by: { $0.key < $1.key }).map(\.value) {
            for name in names.sorted(by: { Self.precedes($0, $1) }) {
                guard name.labels.count == browse.type.name.labels.count + 1,
                    DomainName(labels: Array(name.labels.dropFirst())) == browse.type.name
                else { continue }
                let old = browse.reported[name]
                guard let service = service(name, browse.type) else {
                    if let old {
                        browse.reported[name] = nil
                        browse.onEvent(.removed(old))
                    }
                    continue
                }
                if service == old { continue }
                browse.reported[name] = service
                browse.onEvent(old == nil ? .added(service) : .changed(service))
            }
        }
    }

    private static func precedes(_ one: DomainName, _ other: DomainName) -> Bool {
        (one.labels.first ?? []).lexicographicallyPrecedes(other.labels.first ?? [])
    }

    /// What all links know of a service; nil while something is missing.
    private func service(_ name: DomainName, _ type: ServiceType) -> DiscoveredService? {
        var result: DiscoveredService?
        for link in links.values.sorted(by: { $0.interface.index < $1.interface.index }) {
            // The newest counts: a host that was started again may have another port.
            guard link.cache.has(type.name, .pointer(name)),
                let newest = link.cache.records(name, .service).max(by: {
                    $0.received < $1.received
                }), case .service(let port, let host, _, _) = newest.record.value,
                let text = link.cache.records(name, .text).max(by: { $0.received < $1.received }),
                case .text(let bytes) = text.record.value, port > 0
            else { continue }
            var addresses: [DiscoveredService.Address] = []
            for kind in [NameMessage.RecordType.a, .aaaa] {
                for entry in link.cache.records(host, kind) {
                    guard case .address(let bytes) = entry.record.value,
                        let address = HostAddress(bytes: bytes)
                    else { continue }
                    addresses.append(.init(address, interface: link.interface.index))
                }
            }
            if addresses.isEmpty { continue }
            if result == nil {
                result = DiscoveredService(
                    instance: name.labels.first ?? [], type: type, host: host, port: port,
                    text: TextRecord(bytes: bytes), addresses: addresses)
            } else if result?.host == host, result?.port == port {
                result?.addresses += addresses
            }
        }
        guard var result else { return nil }
        result.addresses = Self.ordered(result.addresses)
        return result
    }

    private static func ordered(
        _ addresses: [DiscoveredService.Address]
    ) -> [DiscoveredService.Address] {
        func rank(_ address: HostAddress) -> Int {
            switch address {
            case .ipv4(let bytes):
                if bytes[0] == 127 { return 4 }
                return bytes[0] == 169 && bytes[1] == 254 ? 2 : 0
            case .ipv6(let bytes):
                if bytes.dropLast().allSatisfy({ $0 == 0 }), bytes[15] == 1 { return 5 }
                return bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 ? 3 : 1
            }
        }
        func bytes(_ address: HostAddress) -> [UInt8] {
            switch address {
            case .ipv4(let bytes), .ipv6(let bytes): bytes
            }
        }
        var known: Set<DiscoveredService.Address> = []
        return addresses.filter { known.insert($0).inserted }.sorted { one, other in
            let (left, right) = (rank(one.address), rank(other.address))
            if left != right { return left < right }
            if one.interface != other.interface { return one.interface < other.interface }
            return bytes(one.address).lexicographicallyPrecedes(bytes(other.address))
        }
    }
}
