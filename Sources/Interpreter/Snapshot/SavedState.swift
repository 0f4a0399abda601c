/// The state of an instance without addresses: what a snapshot holds.
struct SavedState: Sendable {
    /// The instance's own memories, tables and globals, in the order of the module.
    var memories: [MemoryImage] = []
    var tables: [SavedTable] = []
    var globals: [SavedValue] = []
    /// All segments of the module.
    var elementSegments: [SavedSegment] = []
    var isDataDropped: [Bool] = []
    var heap = SavedHeap()
    /// What all of it but the memories is charged to; nil for a state that came as bytes.
    var charge: Charge?

    /// Bytes that copies of a state share.
    final class Charge: Sendable {
        private let holding: ResourceHolding

        init(_ holding: consuming ResourceHolding) { self.holding = holding }
    }
}

/// A state that copies of a snapshot share.
final class SavedContent: Sendable {
    let state: SavedState

    init(_ state: SavedState) { self.state = state }
}

/// The bits of a number or vector, or a `SavedReference` in the lower half.
struct SavedValue: Sendable {
    var low: UInt64
    var high: UInt64 = 0
}

struct SavedTable: Sendable {
    var count: UInt64
    /// The elements up to the last one that is not null.
    var elements: [SavedReference] = []
}

enum SavedSegment: Sendable {
    /// As it is in the module.
    case kept
    case dropped
    /// References to objects, which were made when the instance was.
    case references([SavedReference])
}

/// A reference that means the same in every instance of the module: 64 bits.
///
/// Null is 0, an i31 has its lowest bit set as in a slot; the other bits of functions and objects
/// are an index.
struct SavedReference: Hashable, Sendable {
    enum Target {
        case null
        case i31
        /// By its index in the module, imports counted.
        case function(Int)
        /// By its index in the heap of the snapshot.
        case object(Int)
    }

    let bits: UInt64

    private static let functionTag: UInt64 = 2
    private static let objectTag: UInt64 = 4

    init(bits: UInt64) { self.bits = bits }

    static var null: SavedReference { SavedReference(bits: 0) }

    static func function(_ index: Int) -> SavedReference {
        SavedReference(bits: UInt64(UInt(bitPattern: index)) << 3 | functionTag)
    }

    static func object(_ index: Int) -> SavedReference {
        SavedReference(bits: UInt64(UInt(bitPattern: index)) << 3 | objectTag)
    }

    /// Nil if the bits are no reference.
    var target: Target? {
        if bits == 0 { return .null }
        if bits & 1 != 0 { return bits >> 32 == 0 ? .i31 : nil }
        switch bits & 7 {
        case Self.functionTag: return .function(Int(truncatingIfNeeded: bits >> 3))
        case Self.objectTag: return .object(Int(truncatingIfNeeded: bits >> 3))
        default: return nil
        }
    }
}

/// Structures and arrays, one after another.
struct SavedHeap: Sendable {
    struct Object: Sendable {
        /// In the module.
        var type: TypeIndex
        /// Elements of an array; 0 for a structure.
        var length: UInt32
        /// Where its contents begin in `contents`.
        var offset: Int
    }

    var objects: [Object] = []
    /// Fields and elements without gaps; a reference is a `SavedReference`.
    var contents: [UInt8] = []
}
