// Invariants: a reference of type exnref is 0 or the address of an object of the store's heap that
// holds slots: the unretained `TagStorage`, which the store keeps until it is freed, and as many
// slots as the tag's values take.

import WasmMachine

extension Store {
    /// Makes an exception of the values at `payload`, as many slots as the tag has, and returns
    /// the reference to it.
    ///
    /// - Parameter isInterruptible: called for a guest, which may be stopped meanwhile.
    /// - Throws: why the guest must stop; without room `heapExhausted` or `totalExhausted`.
    ///
    /// The values are in use as long as they are on the value stack, or the caller keeps what they
    /// refer to.
    func makeException(
        _ tag: TagStorage, payload: UnsafePointer<UInt64>?, isInterruptible: Bool = false
    ) throws(GuestStop) -> UInt64 {
        let count = tag.slotCount
        var top = exchange.pointee.top
        if let payload, let valueStack, UnsafeRawPointer(payload) >= UnsafeRawPointer(valueStack),
            UnsafeRawPointer(payload) < UnsafeRawPointer(stackEnd)
        {
            // A guest throws: nothing of its frame is above.
            top = UnsafeMutablePointer(mutating: payload + count)
        }
        let object = try makeSlots(
            count + 1, number: 0, top: top, isInterruptible: isInterruptible)
        object[0] = UInt64(UInt(bitPattern: Unmanaged.passUnretained(tag).toOpaque()))
        if let payload { (object + 1).update(from: payload, count: count) }
        return UInt64(UInt(bitPattern: object)) - UInt64(ArrayLayout.elementsOffset)
    }
}

/// An exception that is being thrown.
struct ThrownException {
    let tag: Unmanaged<TagStorage>
    /// Its values: on the value stack or in an object.
    let payload: UnsafePointer<UInt64>
    /// The object, or 0 as long as none was needed.
    var reference: UInt64

    init(_ tag: TagStorage, payload: UnsafePointer<UInt64>) {
        self.tag = .passUnretained(tag)
        self.payload = payload
        reference = 0
    }

    /// Throws an object again. `reference` must not be null.
    init(reference: UInt64) {
        let slots = UnsafePointer<UInt64>(
            bitPattern: UInt(reference) + UInt(ArrayLayout.elementsOffset)
        ).unsafelyUnwrapped
        tag = .fromOpaque(UnsafeRawPointer(bitPattern: UInt(slots[0])).unsafelyUnwrapped)
        payload = slots + 1
        self.reference = reference
    }
}
