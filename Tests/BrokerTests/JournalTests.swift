import Testing

@testable import WasmdBroker

/// What waits to be written, without a disk.
@Suite struct JournalTests {
    private let subscription = StoredKeys.subscription("one")

    private func next(_ journal: inout Journal) throws -> Journal.Batch {
        let batch = journal.next()
        return try #require(batch)
    }

    @Test func changesOfAFailedBatchComeWithTheNextOne() throws {
        var journal = Journal()
        journal.isOn = true
        journal.set(subscription, [1])
        journal.set(StoredKeys.subscription("two"), [2])
        let failed = try next(&journal)
        journal.keepChanges(of: failed)
        // Nothing is tried again by itself: the disk would be asked without end.
        let nothing = journal.next()
        #expect(nothing == nil)
        // A later change of the same record is the one that counts.
        journal.set(StoredKeys.subscription("two"), [3])
        let batch = try next(&journal)
        #expect(batch.changes[subscription] == .some([1]))
        #expect(batch.changes[StoredKeys.subscription("two")] == .some([3]))
        journal.set(StoredKeys.subscription("three"), nil)
        #expect(try next(&journal).changes.count == 1)
    }

    @Test func aMarkWaitsForChangesThatFailed() throws {
        var journal = Journal()
        journal.isOn = true
        journal.set(subscription, [1])
        journal.keepChanges(of: try next(&journal))
        journal.addMark { _ in }
        let batch = try next(&journal)
        #expect(batch.marks.count == 1)
        #expect(batch.changes.count == 1)
    }

    @Test func removalsAreLeftOutIfTheyAreTooMany() throws {
        var journal = Journal()
        journal.isOn = true
        var batch = Journal.Batch()
        for number in 0..<5000 as Range<UInt64> {
            batch.changes[StoredKeys.messages + StoredKeys.number(number)] = .some(nil)
        }
        batch.changes[subscription] = .some([1])
        journal.keepChanges(of: batch)
        journal.addMark { _ in }
        #expect(Array(try next(&journal).changes.keys) == [subscription])
    }
}
