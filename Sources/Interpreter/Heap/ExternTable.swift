/// Values of the host that guests refer to: a slot holds the value's number.
///
/// A collection lets go of values that no guest refers to any more; their numbers are used again.
final class ExternTable {
    private var values: [AnyHashable?] = []
    private var numbers: [AnyHashable: Int] = [:]
    private var freeNumbers: [Int] = []
    private var marks: [Bool] = []
    private var addedCount = 0
    private var threshold = ExternTable.minimumThreshold
    /// Values that nobody refers to, until `releaseDead` lets go of them.
    private(set) var dead: [AnyHashable] = []
    /// Whether there are any. Every call of the host asks: looking at the array itself would make the
    /// runtime check for exclusive access, which takes longer than all the rest.
    private var hasDead = false

    /// What the table's own memory is charged to; what the values themselves take is the host's.
    private var holding: ResourceHolding
    private static let chargedByteCount = 256
    private static let chargedCount = 64

    static let minimumThreshold = 10_000
    /// The three low bits of a slot that refers to a value.
    static let tag: UInt64 = 2

    init(account: ResourceAccount) { holding = ResourceHolding(account) }

    /// Values that guests may refer to.
    var count: Int { numbers.count }
    var isCollectionDue: Bool { addedCount >= threshold }

    /// The slot that refers to a value.
    ///
    /// - Throws: `ResourceError` if the program has no room for another one; a collection may make some.
    func slot(of value: AnyHashable) throws(ResourceError) -> UInt64 {
        if let number = numbers[value] { return UInt64(number) << 3 | Self.tag }
        if freeNumbers.isEmpty, values.count % Self.chargedCount == 0 {
            let count = values.count + Self.chargedCount
            do throws(ResourceError) {
                try holding.take(count * Self.chargedByteCount)
            } catch {
                addedCount = max(addedCount, threshold)
                throw error
            }
        }
        addedCount += 1
        let number: Int
        if let free = freeNumbers.popLast() {
            number = free
            values[number] = value
        } else {
            number = values.count
            values.append(value)
            marks.append(false)
        }
        numbers[value] = number
        return UInt64(number) << 3 | Self.tag
    }

    /// The value that a slot refers to; nil if there is none.
    func value(_ slot: UInt64) -> AnyHashable? {
        let number = Int(truncatingIfNeeded: slot >> 3)
        return values.indices.contains(number) ? values[number] : nil
    }

    // MARK: Collection

    func clearMarks() {
        for number in marks.indices { marks[number] = false }
    }

    func mark(_ slot: UInt64) {
        let number = Int(truncatingIfNeeded: slot >> 3)
        if marks.indices.contains(number) { marks[number] = true }
    }

    /// Takes out what is not marked. What a value's end may set off waits for `releaseDead`.
    func sweep() {
        for number in marks.indices where !marks[number] {
            guard let value = values[number] else { continue }
            values[number] = nil
            numbers[value] = nil
            freeNumbers.append(number)
            dead.append(value)
            hasDead = true
        }
        addedCount = 0
        threshold = max(Self.minimumThreshold, numbers.count)
    }

    /// Lets go of dead values. Their deinitialisers may do anything, so no guest may be running.
    func releaseDead() {
        guard hasDead else { return }
        hasDead = false
        let values = dead
        dead = []
        _ = values
    }
}
