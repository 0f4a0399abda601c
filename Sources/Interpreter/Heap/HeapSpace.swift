// Invariants: `base` is a multiple of the block size; the blocks below `frontier` are readable and
// writable; their descriptions and mark bits are mapped for all of the reservation. A block of
// cells is divided into cells from its start; every cell begins with a header.

import WasmMachine
import WasmSystem

/// The address space of a heap, in blocks of 64 KiB that hold cells of one size or, several of them,
/// one large object.
struct HeapSpace {
    static let blockSize = 1 << 16
    private static let blockShift: UInt = 16
    /// One mark bit for every 8 bytes.
    static let markWordsPerBlock = blockSize / 8 / 64

    /// What a block is used for: 16 bytes.
    struct Block {
        enum Use: UInt8 {
            case free, cells, largeObject
            /// Another block of a large object.
            case continuation
        }
        var use = Use.free
        var sizeClass: UInt8 = 0
        /// A free block may hold memory of the system.
        var isResident = false
        var cellSize: UInt32 = 0
        /// 2^32 / `cellSize`, rounded up: exact for offsets below the block size.
        var reciprocal: UInt32 = 0
        /// Blocks of the large object.
        var span: UInt32 = 0
    }

    /// 0 until the first allocation.
    private(set) var base: UInt = 0
    /// Blocks that were ever used, counted from the start.
    private(set) var frontier = 0
    /// Bytes up to the frontier: an address is in use if it is less than this above `base`.
    private(set) var extent: UInt = 0
    private(set) var usedBlocks = 0
    private let limitBlocks: Int
    private var capacity = 0
    private var committed = 0
    private var reservation: UnsafeMutableRawPointer?
    private var reservedByteCount = 0
    private var cursor = 0
    /// There are no so many free blocks in a row below the frontier; reset when blocks are freed.
    private var missingSpan = Int.max

    private let account: ResourceAccount
    /// Blocks that are charged: those in use, and free ones that hold memory of the system.
    private var chargedBlocks = 0
    /// Whether the last block that was not to be had is one that the account forbids.
    private(set) var isRefusedByAccount = false
    /// The account's limit is below the heap's own.
    private let isLimitedByAccount: Bool
    /// A block with its description and mark bits.
    private static let chargedByteCount = blockSize + blockBytes(1) + markBytes(1)

    private var blockMemory: UnsafeMutableRawPointer?
    private var markMemory: UnsafeMutableRawPointer?

    /// - Parameters:
    ///   - limit: bytes that objects may take.
    ///   - account: what blocks are charged to.
    init(limit: UInt64, account: ResourceAccount) {
        limitBlocks = Int(truncatingIfNeeded: min(limit, account.limit, 1 << 38) >> 16)
        self.account = account
        isLimitedByAccount = account.limit < limit
    }

    func release() {
        account.release(chargedBlocks * Self.chargedByteCount)
        if let reservation { SystemMemory.release(reservation, reservedByteCount) }
        if let blockMemory { SystemMemory.release(blockMemory, Self.blockBytes(capacity)) }
        if let markMemory { SystemMemory.release(markMemory, Self.markBytes(capacity)) }
    }

    var limitByteCount: Int { limitBlocks * Self.blockSize }

    private static func blockBytes(_ count: Int) -> Int { count * MemoryLayout<Block>.stride }
    private static func markBytes(_ count: Int) -> Int { count * 8 * markWordsPerBlock }

    /// Reserves twice the limit, so that large objects find room between others; less in a process
    /// with little address space.
    private mutating func reserve() -> Bool {
        var count = limitBlocks * 2
        while count > 0 {
            let wanted = (count + 1) * Self.blockSize
            if let address = SystemMemory.reserve(wanted) {
                if let blocks = SystemMemory.allocate(Self.blockBytes(count)) {
                    if let marks = SystemMemory.allocate(Self.markBytes(count)) {
                        (reservation, reservedByteCount) = (address, wanted)
                        (blockMemory, markMemory, capacity) = (blocks, marks, count)
                        let mask = UInt(Self.blockSize - 1)
                        base = (UInt(bitPattern: address) + mask) & ~mask
                        return true
                    }
                    SystemMemory.release(blocks, Self.blockBytes(count))
                }
                SystemMemory.release(address, wanted)
            }
            count /= 2
        }
        return false
    }

    // MARK: Blocks

    /// The descriptions of blocks, `frontier` of them in use; only if there are blocks.
    @inline(__always)
    var blocks: UnsafeMutablePointer<Block> {
        blockMemory.unsafelyUnwrapped.assumingMemoryBound(to: Block.self)
    }

    func address(ofBlock index: Int) -> UInt { base &+ UInt(bitPattern: index) &<< Self.blockShift }

    func pointer(_ address: UInt) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped
    }

    /// Takes `count` blocks in a row, whose memory holds anything; nil if that exceeds the limit or
    /// the system has no memory.
    mutating func take(_ count: Int) -> Int? {
        isRefusedByAccount = isLimitedByAccount
        guard count <= limitBlocks - usedBlocks else { return nil }
        isRefusedByAccount = false
        if capacity == 0 && !reserve() { return nil }
        if count < missingSpan && count <= frontier - usedBlocks {
            if let found = search(count, from: cursor, to: frontier)
                ?? search(count, from: 0, to: min(cursor + count, frontier))
            {
                var isResident = 0
                for index in found..<(found + count) where blocks[index].isResident {
                    isResident += 1
                }
                guard charge(count, isResident) else { return nil }
                cursor = found + count
                usedBlocks += count
                return found
            }
            missingSpan = count
        }
        let first = frontier
        guard count <= capacity - first, charge(count, 0) else { return nil }
        if first + count > committed {
            // Whole MiB at once.
            let end = min(capacity, (first + count + 15) & ~15)
            let start = pointer(address(ofBlock: committed))
            guard SystemMemory.commit(start, (end - committed) * Self.blockSize) else {
                discharge(count)
                return nil
            }
            committed = end
        }
        frontier += count
        extent = UInt(bitPattern: frontier) &<< Self.blockShift
        usedBlocks += count
        return first
    }

    /// Charges blocks that will be used, of which some are charged already; false if the account has no
    /// room, though all free blocks were given back.
    private mutating func charge(_ count: Int, _ resident: Int) -> Bool {
        if !account.charge((count - resident) * Self.chargedByteCount) {
            _ = discardFree(beyond: 0, of: nil)
            guard account.charge(count * Self.chargedByteCount) else {
                isRefusedByAccount = true
                return false
            }
            chargedBlocks += count
        } else {
            chargedBlocks += count - resident
        }
        return true
    }

    /// Blocks hold no memory of the system any more.
    private mutating func discharge(_ count: Int) {
        chargedBlocks -= count
        account.release(count * Self.chargedByteCount)
    }

    private func search(_ count: Int, from start: Int, to end: Int) -> Int? {
        var run = 0
        var index = start
        while index < end {
            run = blocks[index].use == .free ? run + 1 : 0
            index += 1
            if run == count { return index - count }
        }
        return nil
    }

    /// Gives back blocks. Their memory stays until `trim`, however many they are: what is allocated
    /// next can use it, and to give it back and take it again costs twenty times as much as to
    /// write to it.
    mutating func free(_ first: Int, _ count: Int) {
        for index in first..<(first + count) {
            blocks[index] = Block()
            blocks[index].isResident = true
        }
        usedBlocks -= count
        missingSpan = Int.max
    }

    /// Blocks whose memory is given back at once: some tenths of a millisecond.
    private static let discardedAtOnce = 64

    /// Gives memory of free blocks back to the system, beyond `count` blocks.
    ///
    /// - Returns: why the guest must stop before that is done. The next call does the rest.
    mutating func trim(keeping count: Int, of guest: Store?) -> TrapCode? {
        if let stop = discardFree(beyond: count, of: guest) { return stop }
        lowerFrontier()
        return nil
    }

    /// The same, and the frontier stays: for when blocks are being taken.
    private mutating func discardFree(beyond count: Int, of guest: Store?) -> TrapCode? {
        var kept = 0
        var index = 0
        while index < frontier {
            guard blocks[index].use == .free, blocks[index].isResident else {
                index += 1
                continue
            }
            if kept < count {
                kept += 1
                index += 1
                continue
            }
            let first = index
            let end = min(frontier, first + Self.discardedAtOnce)
            while index < end, blocks[index].use == .free, blocks[index].isResident {
                blocks[index].isResident = false
                index += 1
            }
            discard(first, index - first)
            if let stop = guest?.stopRequest() { return stop }
        }
        return nil
    }

    /// Forgets blocks at the end that are free and have no memory: a heap that was large once does not
    /// look at all of its blocks for ever.
    private mutating func lowerFrontier() {
        while frontier > 0, blocks[frontier - 1].use == .free, !blocks[frontier - 1].isResident {
            frontier -= 1
        }
        extent = UInt(bitPattern: frontier) &<< Self.blockShift
        cursor = min(cursor, frontier)
    }

    private mutating func discard(_ first: Int, _ count: Int) {
        discharge(count)
        SystemMemory.discard(pointer(address(ofBlock: first)), count * Self.blockSize)
    }

    // MARK: Cells

    /// Whether a number is the address of an object, whatever number it is. Constant time.
    @inline(__always)
    func isObject(_ value: UInt64) -> Bool {
        let offset = UInt(truncatingIfNeeded: value) &- base
        guard offset < extent else { return false }
        let block = blocks[Int(bitPattern: offset &>> Self.blockShift)]
        let inside = UInt32(truncatingIfNeeded: offset) & 0xffff
        switch block.use {
        case .free, .continuation: return false
        case .largeObject: return inside == 0
        case .cells:
            let cell = (UInt64(inside) &* UInt64(block.reciprocal)) &>> 32
            guard UInt32(truncatingIfNeeded: cell) &* block.cellSize == inside,
                inside &+ block.cellSize <= UInt32(Self.blockSize)
            else { return false }
            return pointer(base &+ offset).load(as: UInt32.self) &>> ObjectKind.shift
                != ObjectKind.free.rawValue
        }
    }

    /// The raw value of the `ObjectKind` of an object, by its address.
    func kind(ofObject value: UInt64) -> UInt32 {
        pointer(UInt(truncatingIfNeeded: value)).load(as: UInt32.self) &>> ObjectKind.shift
    }

    // MARK: Marks

    @inline(__always)
    private var marks: UnsafeMutablePointer<UInt64> {
        markMemory.unsafelyUnwrapped.assumingMemoryBound(to: UInt64.self)
    }

    /// Clears the marks of all blocks in use; others have none that anybody looks at.
    ///
    /// - Returns: why the guest must stop before that is done.
    mutating func clearMarks(of guest: Store?) -> TrapCode? {
        for block in 0..<frontier {
            let words = marks + block * Self.markWordsPerBlock
            switch blocks[block].use {
            case .free, .continuation: break
            case .largeObject: words.pointee = 0
            case .cells: words.update(repeating: 0, count: Self.markWordsPerBlock)
            }
            if block & 1023 == 1023, let stop = guest?.stopRequest() { return stop }
        }
        return nil
    }

    /// Marks an address of the heap; whether it was not marked before.
    @inline(__always)
    func mark(_ offset: UInt) -> Bool {
        let word = marks + Int(bitPattern: offset &>> 9)
        let bit = UInt64(1) &<< UInt64(offset &>> 3 & 63)
        if word.pointee & bit != 0 { return false }
        word.pointee |= bit
        return true
    }

    @inline(__always)
    func isMarked(_ offset: UInt) -> Bool {
        marks[Int(bitPattern: offset &>> 9)] &>> UInt64(offset &>> 3 & 63) & 1 != 0
    }

    /// How many cells of a block are marked.
    func markedCount(_ block: Int) -> Int {
        let words = marks + block * Self.markWordsPerBlock
        var count = 0
        for index in 0..<Self.markWordsPerBlock { count &+= words[index].nonzeroBitCount }
        return count
    }
}
