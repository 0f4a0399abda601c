// Layouts of the raw memory that handlers read to allocate and to cast.
//
// Invariants: the record of a type is complete before the first object of that type is made; it
// does not change afterwards, though the table it is in may move when types are added. The table
// has an entry for the type of every object and function of the store. A free list links cells of
// its class whose header says `free`; each has the address of the next one at offset 8, 0 at the
// end.

/// What the machine and the collector need of a type: 32 bytes.
@usableFromInline package struct TypeRecord {
    /// The headers that objects of the `depth` supertypes have, the most general first.
    package var ancestors: UnsafePointer<UInt32>?
    /// Offsets of a structure's fields that the collector follows.
    package var references: UnsafePointer<UInt32>?
    package var depth: UInt32 = 0
    package var referenceCount: UInt32 = 0
    /// Size of a structure with its header, or of an array's element.
    package var byteCount: UInt32 = 0
    /// An array's elements are references that the collector follows.
    package var hasReferences = false
    package var isRegistered = false

    /// A type that has no fields for the collector to follow yet.
    package init(
        ancestors: UnsafePointer<UInt32>? = nil, depth: UInt32 = 0, isRegistered: Bool = false
    ) {
        self.ancestors = ancestors
        self.depth = depth
        self.isRegistered = isRegistered
    }
}

/// Byte offsets into the block that handlers find through `ContextOffset.heap`.
@usableFromInline package enum HeapOffset {
    /// Array of `TypeRecord`, by the type's number in the engine's registry.
    @inlinable package static var types: Int { 0 }
    /// The first free cell of every size class, or 0.
    @inlinable package static var freeLists: Int { 8 }

    @inlinable package static var byteCount: Int { freeLists + 8 * SizeClass.count }

    @inlinable package static func freeList(_ sizeClass: Int) -> Int { freeLists + 8 * sizeClass }
}

/// Sizes of cells: multiples of 8 up to 128 bytes, then four steps to each power of two.
@usableFromInline package enum SizeClass {
    @inlinable package static var smallest: Int { 16 }
    @inlinable package static var largest: Int { 32_768 }
    /// The class of objects that have blocks of their own; its list has one cell at most.
    @inlinable package static var large: Int { 47 }
    @inlinable package static var count: Int { 48 }

    /// The class whose cells hold `byteCount` bytes.
    @inlinable package static func containing(_ byteCount: Int) -> Int {
        if byteCount <= 128 { return max(0, (byteCount &+ 7) / 8 &- 2) }
        if byteCount > largest { return large }
        // 2^k < byteCount <= 2^(k+1): steps of 2^(k-2) bytes.
        let k = Int.bitWidth &- 1 &- (byteCount &- 1).leadingZeroBitCount
        return 15 &+ (k &- 7) &* 4 &+ ((byteCount &- 1) &>> (k &- 2)) &- 4
    }

    @inlinable package static func byteCount(_ sizeClass: Int) -> Int {
        if sizeClass < 15 { return (sizeClass &+ 2) &* 8 }
        let k = 7 &+ (sizeClass &- 15) / 4
        return (5 &+ (sizeClass &- 15) % 4) &<< (k &- 2)
    }
}

/// Elements of arrays begin after the header and the length, four bytes each.
@usableFromInline package enum ArrayLayout {
    @inlinable package static var lengthOffset: Int { 4 }
    @inlinable package static var elementsOffset: Int { 8 }
}

/// The kind of an object, in the upper four bits of its header.
@usableFromInline package enum ObjectKind: UInt32 {
    case structure = 0
    case array = 1
    /// A payload of slots whose types the heap does not record.
    case slots = 2
    /// A cell that holds no object.
    case free = 15

    @inlinable package static var shift: UInt32 { 28 }

    /// The part of a header that is the number of a type.
    @inlinable package static var typeMask: UInt32 { 1 &<< shift &- 1 }

    /// The header of an object of this kind: with the number of its type in the lower bits.
    @inlinable package func header(_ type: UInt32) -> UInt32 { rawValue &<< Self.shift | type }
}
