import Synchronization
import WasmDecoder
import WasmSystem

// Soundness: the entries of a chunk do not move. An entry is initialized while its kind is not 0.
// Entries and kinds are written under the registry's lock only, and what lock-free readers look at
// (depth, ancestors) does not change between `insert` and `remove`. A reader of entries has an id of a
// type that is held: it came through the lock after the entry was written, and the entry goes only
// after the holder gave it up through the lock. So neither an entry nor its chunk goes while it is
// read. Kinds can be asked for any id: they are atomic and live as long as the storage.

/// The type definitions of a registry, by `TypeID`: changed under the registry's lock, read without
/// any by the holders of the types.
final class TypeStorage: @unchecked Sendable {
    /// What is known about a type.
    struct Entry {
        /// In canonical form.
        let definition: SubType
        /// How many supertypes it has, counting theirs.
        let depth: UInt32
        /// The first type of its recursion group.
        let first: TypeID
        /// The supertypes, the most general first: `depth` ids.
        let ancestors: UnsafeMutablePointer<TypeID>?
        /// What the registry keeps of the group; of the first type only. For the lock's owner.
        var group: TypeGroup?
    }

    enum Kind: UInt8 {
        case function = 1
        case structure, array
    }

    private static let chunkSizeLog2 = 9
    private static let chunkSize = 1 << chunkSizeLog2
    private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
    private let chunkCount: Int
    /// Where `chunks` and `kinds` are.
    private let memory: UnsafeMutableRawPointer
    private let byteCount: Int
    private let isMapped: Bool
    /// A `Kind`, or 0, for each id.
    private let kinds: UnsafeMutablePointer<Atomic<UInt8>>
    /// Entries in use, by chunk. For the lock's owner, as all that follows.
    private var liveCounts: [UInt16] = []
    private(set) var count = 0
    /// No id below this one is free.
    private var lowestFree = 0

    /// - Parameter capacity: ids are below this, rounded up.
    init(capacity: Int) {
        chunkCount = max(1, (capacity + Self.chunkSize - 1) >> Self.chunkSizeLog2)
        let kindCount = chunkCount << Self.chunkSizeLog2
        byteCount = chunkCount * MemoryLayout<UnsafeMutablePointer<Entry>?>.stride + kindCount
        // Zeros that cost nothing where they are not touched, and are not written by anybody. Without
        // memory the process ends, as with any allocation of the language.
        if let mapped = SystemMemory.allocate(byteCount) {
            memory = mapped
            isMapped = true
        } else {
            isMapped = false
            memory = .allocate(byteCount: byteCount, alignment: 8)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        }
        chunks = memory.bindMemory(to: UnsafeMutablePointer<Entry>?.self, capacity: chunkCount)
        kinds = (memory + (byteCount - kindCount)).bindMemory(
            to: Atomic<UInt8>.self, capacity: kindCount)
    }

    deinit {
        for index in liveCounts.indices where liveCounts[index] > 0 {
            for position in 0..<Self.chunkSize {
                remove(TypeID(truncatingIfNeeded: index << Self.chunkSizeLog2 + position))
            }
        }
        chunks[0]?.deallocate()
        if isMapped { SystemMemory.release(memory, byteCount) } else { memory.deallocate() }
    }

    @inline(__always)
    private func kindWord(_ id: TypeID) -> UInt8 {
        guard Int(id) < chunkCount &<< Self.chunkSizeLog2 else { return 0 }
        return kinds[Int(id)].load(ordering: .relaxed)
    }

    /// What a type is; nil if there is no type with this id. The id may be any.
    @inline(__always)
    func kind(_ id: TypeID) -> Kind? { Kind(rawValue: kindWord(id)) }

    /// The entry of a type that is held; nil if there is no type with this id.
    @inline(__always)
    subscript(id: TypeID) -> UnsafeMutablePointer<Entry>? {
        guard kindWord(id) != 0 else { return nil }
        return chunks[Int(id) &>> Self.chunkSizeLog2]?.advanced(
            by: Int(id) & (Self.chunkSize &- 1))
    }

    /// Whether `sub` is `super` or declares it as a supertype, directly or not. Constant time.
    @inline(__always)
    func isSubtype(_ sub: TypeID, of super: TypeID) -> Bool {
        if sub == `super` { return true }
        guard let lower = self[sub], let upper = self[`super`] else { return false }
        let depth = upper.pointee.depth
        guard depth < lower.pointee.depth, let ancestors = lower.pointee.ancestors else {
            return false
        }
        return ancestors[Int(depth)] == `super`
    }

    // MARK: Changes, under the registry's lock

    /// The lowest `count` ids that are free, ascending; fewer if there are not so many.
    func freeIDs(_ count: Int) -> [TypeID] {
        var found: [TypeID] = []
        found.reserveCapacity(count)
        var index = lowestFree
        let end = chunkCount << Self.chunkSizeLog2
        while found.count < count, index < end {
            let chunk = index >> Self.chunkSizeLog2
            if chunk < liveCounts.count, Int(liveCounts[chunk]) == Self.chunkSize {
                index = (chunk + 1) << Self.chunkSizeLog2
                continue
            }
            let id = TypeID(truncatingIfNeeded: index)
            if kind(id) == nil { found.append(id) }
            index += 1
        }
        lowestFree = found.first.map { Int($0) } ?? lowestFree
        return found
    }

    /// Adds a type under an id that `freeIDs` gave; its supertype is one that is there.
    func insert(_ definition: SubType, at id: TypeID, groupStart first: TypeID) {
        let index = Int(id) >> Self.chunkSizeLog2
        let position = Int(id) & (Self.chunkSize - 1)
        let chunk = chunks[index] ?? makeChunk(index)
        let kind: Kind =
            switch definition.composite {
            case .function: .function
            case .structure: .structure
            case .array: .array
            }
        (chunk + position).initialize(to: entry(definition, first))
        kinds[Int(id)].store(kind.rawValue, ordering: .relaxed)
        liveCounts[index] += 1
        count += 1
        // Ids are given out ascending from the lowest free one.
        if Int(id) == lowestFree { lowestFree += 1 }
    }

    private func makeChunk(_ index: Int) -> UnsafeMutablePointer<Entry> {
        let chunk = UnsafeMutablePointer<Entry>.allocate(capacity: Self.chunkSize)
        chunks[index] = chunk
        while liveCounts.count <= index { liveCounts.append(0) }
        return chunk
    }

    private func entry(_ definition: SubType, _ first: TypeID) -> Entry {
        guard let parent = definition.supertypes.first, let base = self[parent] else {
            return Entry(definition: definition, depth: 0, first: first, ancestors: nil)
        }
        let depth = base.pointee.depth
        let ancestors = UnsafeMutablePointer<TypeID>.allocate(capacity: Int(depth) + 1)
        if let inherited = base.pointee.ancestors {
            ancestors.initialize(from: inherited, count: Int(depth))
        }
        (ancestors + Int(depth)).initialize(to: parent)
        return Entry(definition: definition, depth: depth + 1, first: first, ancestors: ancestors)
    }

    /// Takes a type out, and the chunk with the last of its types.
    func remove(_ id: TypeID) {
        guard let entry = self[id] else { return }
        kinds[Int(id)].store(0, ordering: .relaxed)
        entry.pointee.ancestors?.deallocate()
        entry.deinitialize(count: 1)
        count -= 1
        lowestFree = min(lowestFree, Int(id))
        let index = Int(id) >> Self.chunkSizeLog2
        liveCounts[index] -= 1
        // The first stays: an engine without modules will have some again.
        guard liveCounts[index] == 0, index > 0 else { return }
        chunks[index]?.deallocate()
        chunks[index] = nil
    }
}

/// What the registry keeps of a recursion group.
final class TypeGroup {
    /// Modules, stores and groups that hold it.
    var holders = 1
    let key: RecursionGroupKey
    /// All types of the group; empty if it is one.
    let members: [TypeID]
    /// First types of the other groups that this one refers to, which it holds.
    let uses: [TypeID]

    init(key: RecursionGroupKey, members: [TypeID], uses: [TypeID]) {
        self.key = key
        self.members = members
        self.uses = uses
    }
}
