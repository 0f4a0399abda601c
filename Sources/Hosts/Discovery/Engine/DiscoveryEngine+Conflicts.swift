import WasmSystem
import WasmdEventLoop

// Names that another host has or wants as well: RFC 6762, sections 8.2 and 9.

extension DiscoveryEngine {
    /// Compares what others say with what is claimed.
    func takeConflicts(_ message: DiscoveryMessage, _ link: Link, at now: LoopInstant) {
        guard !link.claims.isEmpty else { return }
        var names: [DomainName: ClaimID] = [:]
        for id in link.claims.keys { if let name = name(of: id) { names[name] = id } }
        for record in message.answers + message.additionals where record.timeToLive > 0 {
            guard let id = names[record.name], contradicts(record, id, at: now) else { continue }
            lose(id, link, at: now)
            // One is enough; the name may be another now.
            names[record.name] = nil
        }
    }

    /// Whether a record of another host says that a name is that host's.
    private func contradicts(
        _ record: ServiceRecord, _ id: ClaimID, at now: LoopInstant
    ) -> Bool {
        switch record.value {
        case .address(let bytes):
            guard id == .host else { return false }
            // Other programs of this host may have the same name.
            if machineAddresses.contains(bytes) { return false }
            if let end = formerAddresses[bytes], end > now { return false }
            return bytes.first != 127
        case .service, .text:
            guard id != .host else { return false }
            // On whichever link: links may be one network.
            return !links.values.contains { link in
                uniqueRecords(id, link).contains { $0.value == record.value }
            }
        default: return false
        }
    }

    private func lose(_ id: ClaimID, _ link: Link, at now: LoopInstant) {
        guard let claim = link.claims[id] else { return }
        let pause = pauseAfterConflict(at: now)
        if claim.isProbing {
            rename(id, at: now, pause)
        } else {
            // Whoever has the name will say so.
            link.claims[id] = Claim(next: now + pause)
        }
    }

    /// Much contention slows down: RFC 6762, section 8.1.
    private func pauseAfterConflict(at now: LoopInstant) -> Duration {
        conflicts = conflicts.filter { now.since($0) < .seconds(10) }.suffix(15) + [now]
        return conflicts.count > 15 ? .seconds(5) : random.milliseconds(0...250)
    }

    /// Takes the next name, and asks for it on all links.
    private func rename(_ id: ClaimID, at now: LoopInstant, _ pause: Duration) {
        switch id {
        case .host:
            hostName.takeNext()
            for link in links.values where link.claims[.host] != nil {
                link.claims[.host] = Claim(next: now + pause)
                // Records of services have the name of the host.
                for other in link.claims.keys where other != .host {
                    announceAgain(other, link, at: now + pause + .seconds(1))
                }
            }
        case .service(let number):
            guard let publication = publications[number] else { return }
            let wasClaimed = links.values.filter { $0.claims[id] != nil }
            for link in wasClaimed { sayGoodbye(number, link, at: now) }
            publication.name.takeNext()
            for link in wasClaimed { link.claims[id] = Claim(next: now + pause) }
            publication.onRename(publication.name.label)
        }
    }

    /// Another host asks whether a name is free that this one asks for too: whose records come
    /// later in the order of bytes has it, the other one waits for a second.
    func compareProbes(_ message: DiscoveryMessage, _ link: Link, at now: LoopInstant) {
        for (id, claim) in link.claims where claim.isProbing {
            guard let name = name(of: id),
                message.questions.contains(where: { $0.name == name })
            else { continue }
            let theirs = message.authorities.filter { $0.name == name }
            if theirs.isEmpty { continue }
            if id == .host, theirs.allSatisfy({ !contradicts($0, id, at: now) }) { continue }
            let ours = uniqueRecords(id, link)
            if Self.order(ours).lexicographicallyPrecedes(
                Self.order(theirs), by: { $0.lexicographicallyPrecedes($1) })
            {
                link.claims[id] = Claim(next: now + .seconds(1))
            }
        }
    }

    /// The records in their order, each with its type and its content.
    private static func order(_ records: [ServiceRecord]) -> [[UInt8]] {
        records.map { record in
            let type = record.type.rawValue
            return [UInt8(truncatingIfNeeded: type >> 8), UInt8(truncatingIfNeeded: type)]
                + record.value.bytes
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
