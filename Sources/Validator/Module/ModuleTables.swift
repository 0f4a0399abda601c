import WasmDecoder

// Soundness: every pointer is allocated in `init` with as many elements as the count beside it
// says, filled there, and freed in `deinit`; elements are trivial. After validation of what is
// outside of bodies (which marks `declared`) nothing is written any more, so that all threads may
// read. Views must not outlive the object.

/// What bodies refer to, as flat arrays in canonical form: found by index without retain counts
/// and without following pointers more than once.
final class ModuleTables: @unchecked Sendable {
    let view: View

    struct View {
        fileprivate(set) var types: Column<TypeShape>
        /// The type index of every function; all of them name function types.
        fileprivate(set) var functions: Column<TypeIndex>
        fileprivate(set) var globals: Column<GlobalEntry>
        fileprivate(set) var importedGlobalCount: Int
        fileprivate(set) var tables: Column<TableEntry>
        /// The address type of every memory.
        fileprivate(set) var memories: Column<ValueType>
        /// The type index of every tag; all of them name function types.
        fileprivate(set) var tags: Column<TypeIndex>
        /// The type of every element segment.
        fileprivate(set) var elementSegments: Column<ValueType>
        /// How many data segments the data count section promises, nil without that section.
        fileprivate(set) var dataCount: UInt32?
        /// 1 for every function that `ref.func` may name in bodies.
        fileprivate(set) var declared: Column<UInt8>

        /// Parameters or results of a type index that is known to be of a function.
        @inline(__always)
        func parameters(_ type: TypeIndex) -> TypeList {
            let shape = types[Int(type)]
            return TypeList(base: shape.values, count: Int(shape.count))
        }

        @inline(__always)
        func results(_ type: TypeIndex) -> TypeList {
            let shape = types[Int(type)]
            return TypeList(base: shape.values + Int(shape.count), count: Int(shape.resultCount))
        }
    }

    /// A flat array.
    struct Column<Element> {
        fileprivate let base: UnsafeMutablePointer<Element>
        let count: Int

        fileprivate init(_ elements: some Collection<Element>) {
            count = elements.count
            base = .allocate(capacity: max(count, 1))
            _ = UnsafeMutableBufferPointer(start: base, count: count)
                .initialize(from: elements)
        }

        /// `index` must be below `count`.
        @inline(__always)
        subscript(index: Int) -> Element {
            get { base[index] }
            nonmutating set { base[index] = newValue }
        }

        @inline(__always)
        func contains(_ index: UInt32) -> Bool { Int(index) < count }
    }

    /// A list of value types that lives as long as the tables.
    struct TypeList {
        let base: UnsafePointer<ValueType>
        let count: Int

        @inline(__always) subscript(index: Int) -> ValueType { base[index] }
        @inline(__always) var last: ValueType? { count > 0 ? base[count - 1] : nil }
        @inline(__always) var withoutLast: TypeList {
            TypeList(base: base, count: max(count - 1, 0))
        }
    }

    /// A type definition.
    struct TypeShape {
        /// Parameters, then results; of structures and arrays the unpacked types of the fields.
        let values: UnsafePointer<ValueType>
        /// The fields of a structure or array.
        let fields: UnsafePointer<FieldEntry>
        /// How many parameters or fields.
        let count: UInt32
        let resultCount: UInt32
        let id: TypeID
        let kind: TypeStorage.Kind
        /// Whether all fields have default values.
        let isDefaultable: Bool

        @inline(__always) var heapType: HeapType { .index(id) }
    }

    struct FieldEntry {
        let type: ValueType
        /// Equal for equal storage types, in canonical form; packed ones have words of their own.
        let storage: UInt32
        let isMutable: Bool
        let isPacked: Bool
    }

    struct GlobalEntry {
        let type: ValueType
        let isMutable: Bool
    }

    struct TableEntry {
        let element: ValueType
        let address: ValueType
    }

    private let values: Column<ValueType>
    private let fields: Column<FieldEntry>

    /// All type indices in the module outside of bodies must have been checked.
    init(_ module: ParsedModule, ids: [TypeID]) {
        let canonical = { (type: ValueType) in type.mapIndex { ids[Int($0)] } }
        var values: [ValueType] = []
        var fields: [FieldEntry] = []
        for type in module.types {
            switch type.composite {
            case .function(let function):
                values.append(contentsOf: function.parameters.lazy.map(canonical))
                values.append(contentsOf: function.results.lazy.map(canonical))
            case .structure(let list): fields += list.map { Self.entry($0, canonical) }
            case .array(let element): fields.append(Self.entry(element, canonical))
            }
        }
        // The unpacked types of fields are after all parameters and results.
        let firstField = values.count
        values.append(contentsOf: fields.lazy.map(\.type))
        let valueColumn = Column(values)
        let fieldColumn = Column(fields)
        self.values = valueColumn
        self.fields = fieldColumn

        var value = 0
        var field = 0
        var types: [TypeShape] = []
        types.reserveCapacity(module.types.count)
        for (type, id) in zip(module.types, ids) {
            let kind: TypeStorage.Kind
            var first = firstField + field
            let count: Int
            var results = 0
            switch type.composite {
            case .function(let function):
                (kind, first, count) = (.function, value, function.parameters.count)
                results = function.results.count
            case .structure(let list): (kind, count) = (.structure, list.count)
            case .array: (kind, count) = (.array, 1)
            }
            types.append(
                TypeShape(
                    values: UnsafePointer(valueColumn.base + first),
                    fields: UnsafePointer(fieldColumn.base + field),
                    count: UInt32(truncatingIfNeeded: count),
                    resultCount: UInt32(truncatingIfNeeded: results), id: id, kind: kind,
                    isDefaultable: type.composite.isDefaultable))
            if kind == .function { value += count + results } else { field += count }
        }
        view = View(
            types: Column(types),
            functions: Column(module.functions),
            globals: Column(
                module.globals.map {
                    GlobalEntry(type: canonical($0.value), isMutable: $0.isMutable)
                }),
            importedGlobalCount: module.importedGlobalCount,
            tables: Column(
                module.tables.map {
                    TableEntry(
                        element: canonical(ValueType($0.element)),
                        address: $0.addressType.valueType)
                }),
            memories: Column(module.memories.map(\.addressType.valueType)),
            tags: Column(module.tags),
            elementSegments: Column(module.elementSegments.map { canonical(ValueType($0.type)) }),
            dataCount: module.dataCount,
            declared: Column(repeatElement(0, count: module.functions.count)))
    }

    private static func entry(
        _ field: FieldType, _ canonical: (ValueType) -> ValueType
    ) -> FieldEntry {
        let type = canonical(field.storage.unpacked)
        return FieldEntry(
            type: type, storage: field.storage.isPacked ? field.storageWord : type.word,
            isMutable: field.isMutable, isPacked: field.storage.isPacked)
    }

    deinit {
        values.base.deallocate()
        fields.base.deallocate()
        view.types.base.deallocate()
        view.functions.base.deallocate()
        view.globals.base.deallocate()
        view.tables.base.deallocate()
        view.memories.base.deallocate()
        view.tags.base.deallocate()
        view.elementSegments.base.deallocate()
        view.declared.base.deallocate()
    }
}

extension CompositeType {
    fileprivate var isDefaultable: Bool {
        switch self {
        case .function: false
        case .structure(let fields): fields.allSatisfy { $0.storage.unpacked.isDefaultable }
        case .array(let element): element.storage.unpacked.isDefaultable
        }
    }
}
