// Invariant: the handle keeps the object alive, and the object's header holds its type.

import WasmMachine
import WasmValidator

/// An object of the heap as the host reads it.
struct ObjectView {
    private let handle: ObjectHandle
    private let address: UnsafeRawPointer
    private let header: UInt32

    init(_ handle: ObjectHandle) {
        self.handle = handle
        address = UnsafeRawPointer(handle.store.heap.space.pointer(UInt(handle.slot)))
        header = address.load(as: UInt32.self)
    }

    var typeID: TypeID { header & ObjectKind.typeMask }
    var isArray: Bool { header &>> ObjectKind.shift == ObjectKind.array.rawValue }

    private var composite: CompositeType {
        handle.store.engine.types.definition(typeID).composite
    }
    private var length: Int {
        Int(address.load(fromByteOffset: ArrayLayout.lengthOffset, as: UInt32.self))
    }

    var count: Int {
        switch composite {
        case .structure(let fields): fields.count
        case .array: length
        case .function: 0
        }
    }

    func value(_ index: Int) -> Value? {
        switch composite {
        case .structure(let types):
            guard types.indices.contains(index) else { return nil }
            return value(types[index], StructureLayout(types).fields[index].offset)
        case .array(let element):
            guard index >= 0, index < length else { return nil }
            let size = FieldStorage(element.storage).byteCount
            return value(element, ArrayLayout.elementsOffset + index * size)
        case .function: return nil
        }
    }

    private func value(_ type: FieldType, _ offset: Int) -> Value {
        let (low, high) = FieldStorage(type.storage).load(from: address + offset)
        return handle.store.value(low, high, as: type.storage.unpacked)
    }

    var bytes: [UInt8]? {
        guard case .array(let element) = composite, element.storage == .i8 else { return nil }
        return Array(
            UnsafeRawBufferPointer(
                start: address + ArrayLayout.elementsOffset, count: length))
    }
}

extension FieldStorage {
    /// The value at a place in the form of slots, packed ones zero-extended.
    func load(from place: UnsafeRawPointer) -> (low: UInt64, high: UInt64) {
        switch self {
        case .i8: (UInt64(place.load(as: UInt8.self)), 0)
        case .i16: (UInt64(place.load(as: UInt16.self)), 0)
        case .i32, .f32: (UInt64(place.load(as: UInt32.self)), 0)
        case .i64, .f64, .reference: (place.load(as: UInt64.self), 0)
        case .v128: (place.load(as: UInt64.self), place.load(fromByteOffset: 8, as: UInt64.self))
        }
    }

    /// Writes a value that is in slots to a place.
    @inline(__always)
    func store(_ low: UInt64, _ high: UInt64, at place: UnsafeMutableRawPointer) {
        switch self {
        case .i8: place.storeBytes(of: UInt8(truncatingIfNeeded: low), as: UInt8.self)
        case .i16: place.storeBytes(of: UInt16(truncatingIfNeeded: low), as: UInt16.self)
        case .i32, .f32: place.storeBytes(of: UInt32(truncatingIfNeeded: low), as: UInt32.self)
        case .i64, .f64, .reference: place.storeBytes(of: low, as: UInt64.self)
        case .v128:
            place.storeBytes(of: low, as: UInt64.self)
            place.storeBytes(of: high, toByteOffset: 8, as: UInt64.self)
        }
    }
}
