// Invariant: the handle's slot is the address of an exception object, which the handle keeps.

import WasmValidator

/// An exception: a tag and values of the tag's types.
///
/// A guest's exception that no guest catches reaches the host as this error. A host function may
/// throw one that it made or got, and guests can catch it; it stays the same exception on its way
/// through guests and hosts.
///
/// A handle of the store it belongs to, and used by the same thread as the store.
/// Specification: 4.2.11 (exception instances).
public struct Exception: Error, @unchecked Sendable {
    public var store: Store { handle.store }
    /// The guest functions that were running when it was thrown and not caught; empty otherwise.
    public let backtrace: Backtrace
    private let handle: ObjectHandle

    /// The slot of an exnref.
    var reference: UInt64 { handle.slot }

    init(store: Store, reference: UInt64, backtrace: Backtrace = Backtrace()) {
        handle = ObjectHandle(store: store, slot: reference)
        self.backtrace = backtrace
    }

    /// Makes an exception in the tag's store.
    ///
    /// - Throws: `CreationError` if the values are not what the tag's exceptions carry, or there is no
    ///   room for it.
    public init(tag: Tag, values: [Value] = []) throws(CreationError) {
        let store = tag.store
        let types = tag.type.parameters
        let contents = try store.slots(of: values, as: types)
        var payload: [UInt64] = []
        payload.reserveCapacity(tag.storage.slotCount)
        for (type, slots) in zip(types, contents) {
            payload.append(slots.low)
            if type.isVector { payload.append(slots.high) }
        }
        let reference = store.keeping(contents) {
            payload.withUnsafeBufferPointer {
                store.makeException(tag.storage, payload: $0.baseAddress)
            }
        }
        guard let reference else {
            throw .resource(store.heapError)
        }
        self.init(store: store, reference: reference)
    }

    private var content: ThrownException { ThrownException(reference: reference) }

    public var tag: Tag { Tag(store: store, storage: content.tag.takeUnretainedValue()) }

    /// The values it carries, of the types that its tag has for parameters.
    public var values: [Value] {
        let content = content
        var slot = content.payload
        return tag.type.parameters.map { type in
            defer { slot += type.slotCount }
            return store.value(slot[0], type.isVector ? slot[1] : 0, as: type)
        }
    }
}

extension Exception: Hashable {
    /// Whether both are one exception; two with equal tags and values are two.
    public static func == (a: Exception, b: Exception) -> Bool {
        a.store === b.store && a.reference == b.reference
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(reference) }
}

extension Exception: CustomStringConvertible {
    /// `exception overflow(3, 4)`, with the tag's name if it has one. An exception that it carries is
    /// told without what that carries: guests can nest them without end.
    public var description: String {
        let values = values.map { value in
            if case .exception(let inner?) = value { inner.title } else { value.description }
        }
        return "\(title)(\(values.joined(separator: ", ")))"
    }

    private var title: String { "exception \(tag.name ?? "")" }
}
