// Invariants: a number belongs to one key of the process, and so to one type of value: the box at
// index `key.index` of any store is a `HostBox` of the key's type. `boxes` has `count` entries,
// each nil or retained by the table.

import Synchronization

/// The key of a host value in stores, for the state that a host function needs for its guest.
///
///     enum Sessions { static let key = HostKey<Session>() }
///
///     linker.defineShared("env", "user") { (caller: borrowing Caller) -> Int32 in
///         caller[Sessions.key]?.userNumber ?? 0
///     }
///     store[Sessions.key] = Session(userNumber: 7)
///
/// With it, guests of all stores can use one host function, on all threads: see `Linker.prepare`.
/// Reading a value takes a few loads from memory, without a search.
///
/// Make each key once, as a static constant. Each key takes 8 bytes in each store that has a value
/// of this or a later key.
public struct HostKey<Value>: Hashable, Sendable {
    @usableFromInline let index: Int

    /// Makes a key that is different from all others.
    public init() { index = nextKey.wrappingAdd(1, ordering: .relaxed).oldValue }
}

private let nextKey = Atomic<Int>(0)

/// A value of the host in a store.
@usableFromInline
final class HostBox<Value> {
    @usableFromInline let value: Value

    init(_ value: Value) { self.value = value }
}

/// The values of a store, by key.
@usableFromInline
struct HostValues {
    @usableFromInline var boxes: UnsafeMutablePointer<Unmanaged<AnyObject>?>?
    @usableFromInline var count = 0

    @inlinable @inline(__always)
    func box(_ index: Int) -> Unmanaged<AnyObject>? {
        guard index < count, let boxes else { return nil }
        return boxes[index]
    }

    /// Stores a box at an index, and returns the previous one, retained.
    fileprivate mutating func replace(
        _ index: Int, by box: AnyObject?
    ) -> Unmanaged<AnyObject>? {
        if index >= count {
            guard box != nil else { return nil }
            let larger = UnsafeMutablePointer<Unmanaged<AnyObject>?>.allocate(capacity: index + 1)
            larger.initialize(repeating: nil, count: index + 1)
            if let boxes { larger.update(from: boxes, count: count) }
            boxes?.deallocate()
            boxes = larger
            count = index + 1
        }
        guard let boxes else { return nil }
        let before = boxes[index]
        boxes[index] = box.map { .passRetained($0) }
        return before
    }

    /// Releases all values. Their deinitialisers may run code of the embedder, which finds no
    /// value.
    mutating func removeAll() {
        guard let boxes else { return }
        let count = count
        self.boxes = nil
        self.count = 0
        for index in 0..<count { boxes[index]?.release() }
        boxes.deallocate()
    }
}

extension Store {
    /// The value that the store keeps under a key; nil if there is none.
    ///
    /// A changed value must be stored again; host functions that change one should use a class. A
    /// value that refers to the store or a handle in it (`Instance`, `Memory` ...) keeps the store
    /// alive until it is removed.
    @inlinable
    public subscript<Value>(key: HostKey<Value>) -> Value? {
        get {
            hostValues.box(key.index)?._withUnsafeGuaranteedRef {
                unsafeDowncast($0, to: HostBox<Value>.self).value
            }
        }
        set { setHostValue(newValue, key) }
    }

    @usableFromInline
    func setHostValue<Value>(_ value: Value?, _ key: HostKey<Value>) {
        // Released after the change, because a deinitialiser may run code of the embedder.
        hostValues.replace(key.index, by: value.map { HostBox($0) })?.release()
    }
}

extension Caller {
    /// The value that the store of the caller keeps under a key; nil if there is none. See
    /// `Store.subscript(_:)`.
    @inlinable
    public subscript<Value>(key: HostKey<Value>) -> Value? {
        get {
            unretainedStore._withUnsafeGuaranteedRef { store in
                store.hostValues.box(key.index)?._withUnsafeGuaranteedRef {
                    unsafeDowncast($0, to: HostBox<Value>.self).value
                }
            }
        }
        nonmutating set {
            unretainedStore._withUnsafeGuaranteedRef { $0.setHostValue(newValue, key) }
        }
    }

    /// The same object without retaining it: code that replaces an object must keep the old one
    /// until calls that use it have returned.
    @inlinable @inline(__always)
    package func unretained<Object: AnyObject>(_ key: HostKey<Object>) -> Unmanaged<Object>? {
        unretainedStore._withUnsafeGuaranteedRef { store in
            store.hostValues.box(key.index)?._withUnsafeGuaranteedRef {
                .passUnretained(unsafeDowncast($0, to: HostBox<Object>.self).value)
            }
        }
    }
}
