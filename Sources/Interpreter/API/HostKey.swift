// Invariants: a number stands for one key of the process, and so for one type of value: the box at
// index `key.index` of any store is a `HostBox` of the key's type. `boxes` has `count` entries, each nil
// or retained by the table.

import Synchronization

/// Names a value of the host that stores keep: what a host function needs to know of the guest that
/// calls it.
///
///     enum Sessions { static let key = HostKey<Session>() }
///
///     linker.defineShared("env", "user") { (caller: borrowing Caller) -> Int32 in
///         caller[Sessions.key]?.userNumber ?? 0
///     }
///     store[Sessions.key] = Session(userNumber: 7)
///
/// With it, one host function serves the guests of all stores, on all threads: see `Linker.prepare`.
/// Reading a value costs some loads from memory, no search.
///
/// A key is to be made once, as a static constant. Each one that is made takes 8 bytes in each store
/// that has a value of this or a later key.
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

    /// Puts a box at an index, and returns what was there, retained.
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

    /// Lets go of all values. Their ends may run code of the embedder, which finds none.
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
    /// A value that has changed must be put back; host functions that change one should use a class. A
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
        // The end of what was there may run code of the embedder: when the change is over.
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

    /// The same object without counting a reference: who keeps objects under the key must see to it
    /// that one that is replaced lives until calls that use it have returned.
    @inlinable @inline(__always)
    package func unretained<Object: AnyObject>(_ key: HostKey<Object>) -> Unmanaged<Object>? {
        unretainedStore._withUnsafeGuaranteedRef { store in
            store.hostValues.box(key.index)?._withUnsafeGuaranteedRef {
                .passUnretained(unsafeDowncast($0, to: HostBox<Object>.self).value)
            }
        }
    }
}
