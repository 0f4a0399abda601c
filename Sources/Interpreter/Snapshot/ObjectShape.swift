import WasmMachine
import WasmValidator

/// How the objects of a type are laid out, in the heap of a store and in that of a snapshot.
struct ObjectShape {
    struct Field {
        var storage: FieldStorage
        /// From the object's address.
        var offset: Int
        /// In canonical form, if it is a reference.
        var reference: ValueType?

        init(_ type: FieldType, offset: Int) {
            storage = FieldStorage(type.storage)
            self.offset = offset
            reference = storage == .reference ? type.storage.unpacked : nil
        }
    }

    enum Layout {
        case structure([Field], byteCount: Int)
        case array(Field)
    }

    let typeID: TypeID
    let layout: Layout

    /// Nil for the type of a function.
    init?(_ typeID: TypeID, in types: TypeRegistry) {
        self.typeID = typeID
        switch types.definition(typeID).composite {
        case .function: return nil
        case .array(let element):
            layout = .array(Field(element, offset: ArrayLayout.elementsOffset))
        case .structure(let fields):
            let structure = StructureLayout(fields)
            layout = .structure(
                zip(fields, structure.fields).map { Field($0, offset: $1.offset) },
                byteCount: structure.byteCount)
        }
    }

    /// The object in the heap of a store.
    func byteCount(length: UInt32) -> Int {
        switch layout {
        case .structure(_, let byteCount): byteCount
        case .array(let element):
            ArrayLayout.elementsOffset + Int(length) * element.storage.byteCount
        }
    }

    /// Its fields or elements in a snapshot.
    func contentByteCount(length: UInt32) -> Int {
        switch layout {
        case .structure(let fields, _): fields.reduce(0) { $0 + $1.storage.byteCount }
        case .array(let element): Int(length) * element.storage.byteCount
        }
    }

    /// Calls `body` with each field or element, and where it is in the contents of the object.
    func forEachField<Failure: Error>(
        length: UInt32, _ body: (Field, _ position: Int) throws(Failure) -> Void
    ) throws(Failure) {
        switch layout {
        case .structure(let fields, _):
            var position = 0
            for field in fields {
                try body(field, position)
                position += field.storage.byteCount
            }
        case .array(var element):
            let size = element.storage.byteCount
            for index in 0..<Int(length) {
                try body(element, index * size)
                element.offset += size
            }
        }
    }

    /// An array whose elements can be copied as they are.
    var isPlainArray: Bool {
        if case .array(let element) = layout { element.reference == nil } else { false }
    }
}
