// Invariant: the handle keeps the object alive, so its address stays that of an object.

import WasmMachine
import WasmValidator

/// The content of an anyref: a small number, a structure or array of a guest, or a value of the
/// host that was converted with `any.convert_extern`.
///
/// Equal references are the same reference for the guest. As long as the host has a reference to a
/// structure or array, the object is kept, and so is its store.
///
/// Specification: 4.2.1 (references), 4.2.15 (structure and array instances).
public struct AnyReference: Hashable {
    /// The kinds of references.
    public enum Kind: Hashable {
        /// -2^30 ... 2^30 - 1
        case i31(Int32)
        case structure
        case array
        /// A value of the host.
        case extern(ExternReference)
    }

    enum Storage {
        /// The slot.
        case i31(UInt64)
        case host(ExternReference)
        case object(ObjectHandle)
    }
    let storage: Storage

    init(storage: Storage) { self.storage = storage }

    /// The lower 31 bits of a number, as `ref.i31` makes it.
    public init(i31 value: Int32) {
        storage = .i31(I31.slot(UInt32(bitPattern: value)))
    }

    /// The same reference as an anyref: `any.convert_extern`.
    public init(internalizing reference: ExternReference) {
        if case .guest(let reference) = reference.kind {
            self = reference
        } else {
            storage = .host(reference)
        }
    }

    public var kind: Kind {
        switch storage {
        case .i31(let slot): .i31(I31.signed(slot))
        case .host(let reference): .extern(reference)
        case .object(let object): ObjectView(object).isArray ? .array : .structure
        }
    }

    /// The type: i31, the number of a concrete type in the engine's registry, or any.
    public var heapType: HeapType {
        switch storage {
        case .i31: .i31
        case .host: .any
        case .object(let object): .index(ObjectView(object).typeID)
        }
    }

    public static func == (a: AnyReference, b: AnyReference) -> Bool {
        switch (a.storage, b.storage) {
        case (.i31(let a), .i31(let b)): a == b
        case (.host(let a), .host(let b)): a == b
        case (.object(let a), .object(let b)): a.slot == b.slot && a.store === b.store
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch storage {
        case .i31(let slot): hasher.combine(slot)
        case .host(let reference): hasher.combine(reference)
        case .object(let object): hasher.combine(object.slot)
        }
    }
}

/// Contents of structures and arrays.
extension AnyReference {
    /// The number of a structure's fields or an array's elements; 0 for other references.
    public var count: Int { object.map { ObjectView($0).count } ?? 0 }

    /// The field of a structure or element of an array; packed ones are zero-extended to i32. Nil
    /// if there is none with this index.
    public subscript(index: Int) -> Value? {
        object.flatMap { ObjectView($0).value(index) }
    }

    /// The elements of an array of i8, as some guests store text; nil for others.
    public var bytes: [UInt8]? { object.flatMap { ObjectView($0).bytes } }

    private var object: ObjectHandle? {
        if case .object(let object) = storage { object } else { nil }
    }
}

extension AnyReference: CustomStringConvertible {
    public var description: String {
        switch kind {
        case .i31(let value): "i31 \(value)"
        case .structure: "structure of \(count) fields"
        case .array: "array of \(count) elements"
        case .extern(let reference): "external reference \(reference)"
        }
    }
}

extension ExternReference {
    /// The same reference as an externref: `extern.convert_any`.
    public init(externalizing reference: AnyReference) {
        if case .host(let reference) = reference.storage {
            self = reference
        } else {
            self.init(kind: .guest(reference))
        }
    }

    /// The guest's object or i31 that became an externref; nil for references made by the host.
    public var guest: AnyReference? {
        if case .guest(let reference) = kind { reference } else { nil }
    }
}

extension Store {
    /// Makes a structure.
    ///
    /// - Parameters:
    ///   - type: the number of its type in the engine's registry, as in types of functions.
    ///   - fields: one value per field, i32 for packed ones.
    /// - Throws: `CreationError` if the type is of another kind, a value does not fit, or the heap
    ///   is full.
    public func makeStructure(
        _ type: TypeID, _ fields: [Value]
    ) throws(CreationError) -> AnyReference {
        guard case .structure(let types)? = hold(type)?.composite else {
            throw .wrongType
        }
        let slots = try slots(of: fields, as: types.map(\.storage.unpacked))
        let layout = StructureLayout(types)
        let cell = try makeCell(layout.byteCount, for: slots)
        cell.storeBytes(of: ObjectKind.structure.header(type), as: UInt32.self)
        for (slots, field) in zip(slots, layout.fields) {
            field.storage.store(slots.low, slots.high, at: cell + field.offset)
        }
        return reference(cell)
    }

    /// Makes an array; parameters and errors as those of `makeStructure`.
    public func makeArray(
        _ type: TypeID, _ elements: [Value]
    ) throws(CreationError) -> AnyReference {
        guard case .array(let element)? = hold(type)?.composite else {
            throw .wrongType
        }
        guard elements.count <= Int(UInt32.max) else {
            throw .resource(.heapTooLarge(limit: limits.heapBytes))
        }
        let slots = try slots(
            of: elements, as: Array(repeating: element.storage.unpacked, count: elements.count))
        let storage = FieldStorage(element.storage)
        let byteCount = ArrayLayout.elementsOffset + elements.count * storage.byteCount
        let cell = try makeCell(byteCount, for: slots)
        cell.storeBytes(of: ObjectKind.array.header(type), as: UInt32.self)
        cell.storeBytes(
            of: UInt32(truncatingIfNeeded: elements.count), toByteOffset: ArrayLayout.lengthOffset,
            as: UInt32.self)
        for (index, slots) in slots.enumerated() {
            let offset = ArrayLayout.elementsOffset + index * storage.byteCount
            storage.store(slots.low, slots.high, at: cell + offset)
        }
        return reference(cell)
    }

    private func makeCell(
        _ byteCount: Int, for contents: [(low: UInt64, high: UInt64)]
    ) throws(CreationError) -> UnsafeMutableRawPointer {
        do throws(GuestStop) {
            return try keeping(contents) { () throws(GuestStop) in
                try allocate(byteCount, top: exchange.pointee.top)
            }
        } catch {
            throw .resource(heapError)
        }
    }

    /// Why an object of the host could not be allocated.
    var heapError: ResourceError {
        heap.refusal == .totalExhausted
            ? .totalExceeded(limit: account.limit) : .heapTooLarge(limit: limits.heapBytes)
    }

    private func reference(_ cell: UnsafeMutableRawPointer) -> AnyReference {
        let slot = UInt64(UInt(bitPattern: cell))
        return AnyReference(storage: .object(ObjectHandle(store: self, slot: slot)))
    }
}
