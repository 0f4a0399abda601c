import WasmdEventLoop

/// The records that were heard on one link and are of use. A value without a clock: the caller
/// passes the times.
///
/// Specification: RFC 6762, sections 5.2, 10.1 and 10.2.
struct RecordCache {
    struct Entry {
        var record: ServiceRecord
        var received: LoopInstant
        var end: LoopInstant
        /// How often it was asked for because its end is near: 0…4.
        var refreshes = 0
        /// When to do so next.
        var nextRefresh: LoopInstant
    }

    struct Key: Hashable {
        var name: DomainName
        var type: NameMessage.RecordType
    }

    /// Most entries for one name and type; more for those of a type of services.
    static let fewLimit = 16
    static let manyLimit = 1024
    /// Most bytes of texts.
    static let textLimit = 2 << 20

    private var entries: [Key: [ServiceRecord.Value: Entry]] = [:]
    private var textBytes = 0
    /// Not later than the next refresh or end.
    private(set) var nextTime = LoopInstant.never
    /// Records that were left out because there were too many.
    private(set) var droppedCount = 0

    /// In no order.
    func records(
        _ name: DomainName, _ type: NameMessage.RecordType
    ) -> Dictionary<ServiceRecord.Value, Entry>.Values {
        (entries[Key(name: name, type: type)] ?? [:]).values
    }

    func has(_ name: DomainName, _ value: ServiceRecord.Value) -> Bool {
        entries[Key(name: name, type: value.type)]?[value] != nil
    }

    func has(_ name: DomainName, _ type: NameMessage.RecordType) -> Bool {
        entries[Key(name: name, type: type)] != nil
    }

    /// Keeps a record, or ends it for a time to live of 0.
    ///
    /// - Parameters:
    ///   - limit: how many of the name and type are kept.
    ///   - jitter: 0…2 % of the time to live, after which is asked again.
    /// - Returns: whether the set of records has changed; an end changes it later.
    mutating func keep(
        _ record: ServiceRecord, limit: Int, jitter: Double, at now: LoopInstant
    ) -> Bool {
        let key = Key(name: record.name, type: record.type)
        let isKnown = entries[key]?[record.value] != nil
        if record.timeToLive == 0 {
            // A second, in which another host may say that it still has it.
            if isKnown { end(key, record.value, at: now) }
            return false
        }
        let seconds = Int64(min(record.timeToLive, 86_400))
        let entry = Entry(
            record: record, received: now, end: now + .seconds(seconds),
            nextRefresh: now + .milliseconds(seconds * 800 + Int64(Double(seconds) * 1000 * jitter))
        )
        if !isKnown {
            let bytes = Self.textBytes(record)
            guard entries[key, default: [:]].count < limit, textBytes + bytes <= Self.textLimit
            else {
                droppedCount += 1
                return false
            }
            textBytes += bytes
        }
        nextTime = min(nextTime, entry.nextRefresh, entry.end)
        entries[key, default: [:]][record.value] = entry
        return !isKnown
    }

    private mutating func end(_ key: Key, _ value: ServiceRecord.Value, at now: LoopInstant) {
        guard let end = entries[key]?[value]?.end else { return }
        let earlier = min(end, now + .seconds(1))
        entries[key]?[value]?.end = earlier
        entries[key]?[value]?.nextRefresh = .never
        nextTime = min(nextTime, earlier)
    }

    /// What a unique record replaces ends in a second, unless it was heard within the last one.
    mutating func flush(
        _ name: DomainName, _ type: NameMessage.RecordType, except values: Set<ServiceRecord.Value>,
        at now: LoopInstant
    ) {
        let key = Key(name: name, type: type)
        for (value, entry) in entries[key] ?? [:]
        where !values.contains(value) && now.since(entry.received) > .seconds(1) {
            end(key, value, at: now)
        }
    }

    private static func textBytes(_ record: ServiceRecord) -> Int {
        if case .text(let bytes) = record.value { bytes.count } else { 0 }
    }

    /// Removes what has ended.
    ///
    /// - Returns: the names whose records are gone, and questions whose answers end soon.
    mutating func advance(
        to now: LoopInstant, jitter: () -> Double
    ) -> (removed: [ServiceRecord], refreshes: Set<Key>) {
        guard now >= nextTime else { return ([], []) }
        var removed: [ServiceRecord] = []
        var refreshes: Set<Key> = []
        nextTime = .never
        for (key, list) in entries {
            var kept: [ServiceRecord.Value: Entry] = [:]
            for (value, old) in list {
                var entry = old
                if entry.end <= now {
                    removed.append(entry.record)
                    textBytes -= Self.textBytes(entry.record)
                    continue
                }
                if entry.nextRefresh <= now {
                    refreshes.insert(key)
                    entry.refreshes += 1
                    // At 80, 85, 90 and 95 %.
                    let seconds = Int64(min(entry.record.timeToLive, 86_400))
                    let part = Int64(80 + 5 * entry.refreshes)
                    entry.nextRefresh =
                        entry.refreshes < 4
                        ? entry.received
                            + .milliseconds(
                                seconds * 10 * part + Int64(Double(seconds) * 1000 * jitter()))
                        : .never
                }
                nextTime = min(nextTime, entry.nextRefresh, entry.end)
                kept[value] = entry
            }
            entries[key] = kept.isEmpty ? nil : kept
        }
        // Ends that are near to each other are handled together.
        nextTime = max(nextTime, now + .milliseconds(50))
        return (removed, refreshes)
    }

    /// Removes records at once.
    mutating func remove(where isGone: (ServiceRecord) -> Bool) -> [ServiceRecord] {
        var removed: [ServiceRecord] = []
        for (key, list) in entries {
            let gone = list.values.map(\.record).filter(isGone)
            if gone.isEmpty { continue }
            for record in gone {
                textBytes -= Self.textBytes(record)
                entries[key]?[record.value] = nil
            }
            if entries[key]?.isEmpty ?? false { entries[key] = nil }
            removed += gone
        }
        return removed
    }

    var count: Int { entries.values.reduce(0) { $0 + $1.count } }
}
