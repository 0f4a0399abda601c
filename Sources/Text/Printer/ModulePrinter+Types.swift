import WasmDecoder

/// Types (6.4).
extension ModulePrinter {
    mutating func printTypes() {
        for group in module.recursionGroups {
            let level = group.count == 1 ? 1 : 2
            if level == 2 { field("rec") }
            for index in group { printType(index, level) }
            if level == 2 {
                if !group.isEmpty { out.newline(1) }
                out.byte(0x29)
            }
        }
    }

    private mutating func printType(_ index: Int, _ level: Int) {
        let type = module.types[index]
        out.newline(level)
        out.write("(type")
        definition(index, names.types)
        out.space()
        // A final type that extends nothing is written as its structure alone.
        let isBare = type.isFinal && type.supertypes.isEmpty
        if !isBare {
            out.write(type.isFinal ? "(sub final" : "(sub")
            for supertype in type.supertypes { reference(supertype, names.types) }
            out.space()
        }
        switch type.composite {
        case .function(let function):
            out.write("(func")
            list("param", function.parameters)
            list("result", function.results)
        case .structure(let fields):
            out.write("(struct")
            write(fields, names.fields(of: UInt32(truncatingIfNeeded: index)))
        case .array(let element):
            out.write("(array ")
            write(element)
        }
        out.write(isBare ? "))" : ")))")
    }

    /// Neighbours without names share their parentheses.
    private mutating func write(_ fields: [FieldType], _ identifiers: Identifiers) {
        var isOpen = false
        for (index, field) in fields.enumerated() {
            let isNamed = opens(
                "field", UInt32(truncatingIfNeeded: index), identifiers, &isOpen)
            out.space()
            write(field)
            if isNamed { out.byte(0x29) }
        }
        if isOpen { out.byte(0x29) }
    }

    /// Writes what is before a field, parameter or local: `(keyword`, with the identifier if
    /// it has one. Those without share one pair of parentheses, which `isOpen` is about. Returns
    /// whether the caller has to close the parenthesis after the type.
    private mutating func opens(
        _ keyword: StaticString, _ index: UInt32, _ identifiers: Identifiers, _ isOpen: inout Bool
    ) -> Bool {
        let identifier = identifiers[index]
        let original = identifiers.original(index)
        let isNamed = identifier != nil || original != nil
        if isNamed, isOpen {
            out.byte(0x29)
            isOpen = false
        }
        if isNamed || !isOpen {
            out.write(" (")
            out.write(keyword)
            isOpen = !isNamed
        }
        if let identifier {
            out.space()
            out.write(identifier)
        }
        if let original { annotation(name: original) }
        return isNamed
    }

    /// ` (keyword t t t)`, nothing if there are no types.
    mutating func list(_ keyword: StaticString, _ types: [ValueType]) {
        if types.isEmpty { return }
        out.write(" (")
        out.write(keyword)
        for type in types {
            out.space()
            write(type)
        }
        out.byte(0x29)
    }

    /// ` (keyword $a t) (keyword t t)`: parameters or locals, numbered from `first`.
    mutating func list(
        _ keyword: StaticString, _ types: some Sequence<ValueType>, from first: Int,
        _ identifiers: Identifiers
    ) {
        var isOpen = false
        var index = UInt32(truncatingIfNeeded: first)
        for type in types {
            let isNamed = opens(keyword, index, identifiers, &isOpen)
            out.space()
            write(type)
            if isNamed { out.byte(0x29) }
            index &+= 1
        }
        if isOpen { out.byte(0x29) }
    }

    /// ` (type x) (param ...) (result ...)`: the index as it is in the module, so that no type is
    /// added, and what it means, as long as it is the type of a function.
    ///
    /// A long one is only said again where parameters have names: a module may use it in every
    /// other byte.
    mutating func typeUse(_ index: TypeIndex, _ parameters: Identifiers = .none) {
        out.write(" (type")
        reference(index, names.types)
        out.byte(0x29)
        guard let type = module.functionType(typeIndex: index),
            type.parameters.count + type.results.count <= 32 || !parameters.isEmpty
        else { return }
        list("param", type.parameters, from: 0, parameters)
        list("result", type.results)
    }

    mutating func write(_ type: ValueType) {
        switch type {
        case .i32: out.write("i32")
        case .i64: out.write("i64")
        case .f32: out.write("f32")
        case .f64: out.write("f64")
        case .v128: out.write("v128")
        default: if let reference = type.reference { write(reference) }
        }
    }

    mutating func write(_ type: ReferenceType) {
        guard let index = type.heapType.typeIndex else {
            return out.write(string: type.description)
        }
        out.write(type.isNullable ? "(ref null" : "(ref")
        reference(index, names.types)
        out.byte(0x29)
    }

    mutating func write(_ type: HeapType) {
        if let index = type.typeIndex {
            name(index, names.types)
        } else {
            out.write(string: type.description)
        }
    }

    mutating func write(_ type: FieldType) {
        if type.isMutable { out.write("(mut ") }
        switch type.storage {
        case .value(let value): write(value)
        case .i8: out.write("i8")
        case .i16: out.write("i16")
        }
        if type.isMutable { out.byte(0x29) }
    }

    mutating func write(_ type: GlobalType) {
        out.write(type.isMutable ? " (mut " : " ")
        write(type.value)
        if type.isMutable { out.byte(0x29) }
    }

    mutating func write(_ type: TableType) {
        write(type.limits, type.addressType)
        out.space()
        write(type.element)
    }

    mutating func write(_ type: MemoryType) {
        write(type.limits, type.addressType)
        if type.isShared { out.write(" shared") }
        if type.pageSizeLog2 != 16 {
            out.write(" (pagesize ")
            out.number(UInt64(1) << UInt64(type.pageSizeLog2 & 63))
            out.byte(0x29)
        }
    }

    private mutating func write(_ limits: Limits, _ addressType: AddressType) {
        if addressType == .i64 { out.write(" i64") }
        out.space()
        out.number(limits.minimum)
        if let maximum = limits.maximum {
            out.space()
            out.number(maximum)
        }
    }
}
