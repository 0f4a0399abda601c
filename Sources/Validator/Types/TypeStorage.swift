import Synchronization
import WasmDecoder

// Soundness: entries live in chunks that never move and are never freed before the storage. Chunk
// k holds `firstChunkSize << k` entries and is allocated before the first of them is written. An
// entry below `count` is initialized and is not written again; `count` is published with release
// order after the entry, so that whoever sees the count (or was given an id, which passed through
// a lock or another hand-over) sees the entry. Only the owner of the registry's lock appends.

/// The type definitions of a registry, by `TypeID`: appended under the registry's lock, read
/// without any.
final class TypeStorage: @unchecked Sendable {
    /// What is known about a type.
    struct Entry {
        /// In canonical form.
        let definition: SubType
        let kind: Kind
        /// How many supertypes it has, counting theirs.
        let depth: UInt32
        /// The supertypes, the most general first: `depth` ids.
        let ancestors: UnsafeMutablePointer<TypeID>?
    }

    enum Kind: UInt8 {
        case function, structure, array
    }

    private static let firstChunkLog2 = 6
    private static let chunkCount = 32 - firstChunkLog2
    private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
    private let published = Atomic<Int>(0)

    init() {
        chunks = .allocate(capacity: Self.chunkCount)
        chunks.initialize(repeating: nil, count: Self.chunkCount)
    }

    deinit {
        removeAll(from: 0)
        for chunk in 0..<Self.chunkCount { chunks[chunk]?.deallocate() }
        chunks.deallocate()
    }

    var count: Int { published.load(ordering: .acquiring) }

    /// The entry of a type, or nil if there is no type with this id.
    @inline(__always)
    subscript(id: TypeID) -> UnsafePointer<Entry>? {
        let index = Int(id)
        guard index < count else { return nil }
        let (chunk, position) = Self.place(of: index)
        return chunks[chunk].map { UnsafePointer($0 + position) }
    }

    /// Entry `i` is the (i + size of the first chunk)-th in chunks that double: the highest bit of
    /// that number tells the chunk.
    @inline(__always)
    private static func place(of index: Int) -> (chunk: Int, position: Int) {
        let number = UInt(bitPattern: index) &+ 1 << firstChunkLog2
        let highest = UInt.bitWidth &- 1 &- number.leadingZeroBitCount
        return (highest &- firstChunkLog2, Int(bitPattern: number & ~(1 << UInt(highest))))
    }

    /// Appends a type whose supertypes are `ancestors`. The registry's lock must be held.
    func append(_ definition: SubType, parent: TypeID?) {
        let index = published.load(ordering: .relaxed)
        let (chunk, position) = Self.place(of: index)
        if chunks[chunk] == nil { chunks[chunk] = .allocate(capacity: 1 << Self.size(of: chunk)) }
        chunks[chunk]?.advanced(by: position).initialize(to: entry(definition, parent))
        published.store(index &+ 1, ordering: .releasing)
    }

    private static func size(of chunk: Int) -> Int { firstChunkLog2 + chunk }

    private func entry(_ definition: SubType, _ parent: TypeID?) -> Entry {
        let kind: Kind =
            switch definition.composite {
            case .function: .function
            case .structure: .structure
            case .array: .array
            }
        guard let parent, let base = self[parent]?.pointee else {
            return Entry(definition: definition, kind: kind, depth: 0, ancestors: nil)
        }
        let ancestors = UnsafeMutablePointer<TypeID>.allocate(capacity: Int(base.depth) + 1)
        if let inherited = base.ancestors {
            ancestors.initialize(from: inherited, count: Int(base.depth))
        }
        (ancestors + Int(base.depth)).initialize(to: parent)
        return Entry(
            definition: definition, kind: kind, depth: base.depth + 1, ancestors: ancestors)
    }

    /// Takes back what was appended last. The registry's lock must be held, and the ids from
    /// `count` on must not have been given to anybody.
    func removeAll(from count: Int) {
        let end = published.load(ordering: .relaxed)
        guard count < end else { return }
        published.store(count, ordering: .releasing)
        for index in count..<end {
            let (chunk, position) = Self.place(of: index)
            guard let entry = chunks[chunk]?.advanced(by: position) else { continue }
            entry.pointee.ancestors?.deallocate()
            entry.deinitialize(count: 1)
        }
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
}
