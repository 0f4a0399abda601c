// Integers in shared memory.
//
// Invariant: an address that was checked lies in a memory whose bytes stay accessible while the
// store lives, and is a multiple of the access's size. `Atomic` has the layout of its value, so
// that a word of the memory can be used as one in place. All accesses are sequentially consistent.

import Synchronization

/// Integers that the processor accesses atomically, in memory that is shared with other threads.
protocol AtomicInteger: FixedWidthInteger, UnsignedInteger, BitwiseCopyable {
    static func load(_ place: UnsafeMutableRawPointer) -> Self
    static func store(_ value: Self, _ place: UnsafeMutableRawPointer)
    /// These return the value before.
    static func add(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self
    static func exchange(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self
    static func compareExchange(
        _ expected: Self, _ value: Self, _ place: UnsafeMutableRawPointer
    ) -> Self
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    fileprivate func atomic<T: AtomicInteger & AtomicRepresentable>(
        _: T.Type
    ) -> UnsafeMutablePointer<Atomic<T>> {
        assumingMemoryBound(to: Atomic<T>.self)
    }
}

// `Atomic` declares its operations for each integer type separately, and so do these extensions.

extension UInt8: AtomicInteger {
    @inline(__always) static func load(_ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee.load(ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func store(_ value: Self, _ place: UnsafeMutableRawPointer) {
        place.atomic(Self.self).pointee.store(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func add(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee
            .wrappingAdd(value, ordering: .sequentiallyConsistent).oldValue
    }
    @inline(__always) static func exchange(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self
    {
        place.atomic(Self.self).pointee.exchange(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func compareExchange(
        _ expected: Self, _ value: Self, _ place: UnsafeMutableRawPointer
    ) -> Self {
        place.atomic(Self.self).pointee.compareExchange(
            expected: expected, desired: value, ordering: .sequentiallyConsistent
        ).original
    }
}

extension UInt16: AtomicInteger {
    @inline(__always) static func load(_ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee.load(ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func store(_ value: Self, _ place: UnsafeMutableRawPointer) {
        place.atomic(Self.self).pointee.store(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func add(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee
            .wrappingAdd(value, ordering: .sequentiallyConsistent).oldValue
    }
    @inline(__always) static func exchange(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self
    {
        place.atomic(Self.self).pointee.exchange(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func compareExchange(
        _ expected: Self, _ value: Self, _ place: UnsafeMutableRawPointer
    ) -> Self {
        place.atomic(Self.self).pointee.compareExchange(
            expected: expected, desired: value, ordering: .sequentiallyConsistent
        ).original
    }
}

extension UInt32: AtomicInteger {
    @inline(__always) static func load(_ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee.load(ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func store(_ value: Self, _ place: UnsafeMutableRawPointer) {
        place.atomic(Self.self).pointee.store(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func add(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee
            .wrappingAdd(value, ordering: .sequentiallyConsistent).oldValue
    }
    @inline(__always) static func exchange(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self
    {
        place.atomic(Self.self).pointee.exchange(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func compareExchange(
        _ expected: Self, _ value: Self, _ place: UnsafeMutableRawPointer
    ) -> Self {
        place.atomic(Self.self).pointee.compareExchange(
            expected: expected, desired: value, ordering: .sequentiallyConsistent
        ).original
    }
}

extension UInt64: AtomicInteger {
    @inline(__always) static func load(_ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee.load(ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func store(_ value: Self, _ place: UnsafeMutableRawPointer) {
        place.atomic(Self.self).pointee.store(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func add(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self {
        place.atomic(Self.self).pointee
            .wrappingAdd(value, ordering: .sequentiallyConsistent).oldValue
    }
    @inline(__always) static func exchange(_ value: Self, _ place: UnsafeMutableRawPointer) -> Self
    {
        place.atomic(Self.self).pointee.exchange(value, ordering: .sequentiallyConsistent)
    }
    @inline(__always) static func compareExchange(
        _ expected: Self, _ value: Self, _ place: UnsafeMutableRawPointer
    ) -> Self {
        place.atomic(Self.self).pointee.compareExchange(
            expected: expected, desired: value, ordering: .sequentiallyConsistent
        ).original
    }
}
