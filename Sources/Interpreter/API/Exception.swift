// Invariant: the handle's slot is the address of an exception object, which the handle keeps.

import WasmValidator

/// An exception: a tag and values of the tag's types.
///
/// A guest's exception that no guest catches reaches the host as this error. A host function may
/// throw one that it made or received, and guests can catch it; it keeps its identity on its way
/// through guests and hosts.
///
/// Like every error it can be passed to other threads, where the store must not be used. So its tag
/// and values are accessible only with the store.
///
///     } catch let exception as Exception {
///         if try exception.tag(in: store) == overflow { print(try exception.values(in: store)) }
///     }
///
/// Specification: 4.2.11 (exception instances).
public struct Exception: Error, @unchecked Sendable {
    // Sendable: the handle and its object do not change, and it may be released on any thread.
    // `store` must not be used by code that has only the exception.

    /// The guest functions that were running when it was thrown and not caught; empty otherwise.
    public let backtrace: Backtrace
    private let handle: ObjectHandle

    var store: Store { handle.store }
    /// The slot of an exnref.
    var reference: UInt64 { handle.slot }

    init(store: Store, reference: UInt64, backtrace: Backtrace = Backtrace()) {
        handle = ObjectHandle(store: store, slot: reference)
        self.backtrace = backtrace
    }

    /// Makes an exception in the tag's store.
    ///
    /// - Throws: `CreationError` if the values do not match the tag's types, or memory is
    ///   exhausted.
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
        do throws(GuestStop) {
            let reference = try store.keeping(contents) { () throws(GuestStop) in
                try payload.withUnsafeBufferPointer { (payload) throws(GuestStop) in
                    try store.makeException(tag.storage, payload: payload.baseAddress)
                }
            }
            self.init(store: store, reference: reference)
        } catch {
            throw .resource(store.heapError)
        }
    }

    private var content: ThrownException { ThrownException(reference: reference) }

    /// Whether the exception belongs to `store`.
    public func belongs(to store: Store) -> Bool { self.store === store }

    /// The exception's tag.
    ///
    /// - Throws: `ValueError.foreignStore` if it belongs to another store.
    public func tag(in store: Store) throws(ValueError) -> Tag {
        guard belongs(to: store) else { throw .foreignStore }
        return tag
    }

    /// Its values, of the parameter types of its tag.
    ///
    /// - Throws: `ValueError.foreignStore` if it belongs to another store.
    public func values(in store: Store) throws(ValueError) -> [Value] {
        guard belongs(to: store) else { throw .foreignStore }
        return values
    }

    var tag: Tag { Tag(store: store, storage: content.tag.takeUnretainedValue()) }

    var values: [Value] {
        let content = content
        var slot = content.payload
        return tag.type.parameters.map { type in
            defer { slot += type.slotCount }
            return store.value(slot[0], type.isVector ? slot[1] : 0, as: type)
        }
    }
}

extension Exception: Hashable {
    /// Whether both are the same exception; equal tags and values are not enough.
    public static func == (a: Exception, b: Exception) -> Bool {
        a.store === b.store && a.reference == b.reference
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(reference) }
}

// Any thread may use the text: it is made from the object and its tag, which never change.
extension Exception: CustomStringConvertible {
    /// `exception overflow(3, 4)`, with the tag's name if it has one. References are shown by their
    /// kind, and a nested exception without its values, because guests can nest them to any depth.
    public var description: String {
        let content = content
        let tag = content.tag.takeUnretainedValue()
        let types = store.engine.types
        var slot = content.payload
        let values = types.definition(tag.typeID).composite.functionType?.parameters ?? []
        let texts = values.map { type in
            defer { slot += type.slotCount }
            guard let reference = type.reference else {
                return store.value(slot[0], type.isVector ? slot[1] : 0, as: type).description
            }
            return Self.text(of: slot[0], below: types.top(of: reference.heapType))
        }
        return "\(Self.title(content))(\(texts.joined(separator: ", ")))"
    }

    private static func text(of slot: UInt64, below top: HeapType) -> String {
        switch top {
        case .func: slot == 0 ? "null function" : "function"
        case .extern: slot == 0 ? "null external reference" : "external reference"
        case .exn: slot == 0 ? "null exception" : title(ThrownException(reference: slot))
        default:
            slot == 0
                ? "null reference" : slot & 1 != 0 ? "i31 \(I31.signed(slot))" : "reference"
        }
    }

    private static func title(_ content: ThrownException) -> String {
        "exception \(content.tag.takeUnretainedValue().name ?? "")"
    }
}
