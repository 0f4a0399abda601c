import WasmDecoder

/// Structures and arrays (3.4.10, 3.4.11).
extension FunctionValidator {
    // MARK: Structures

    mutating func structureInstruction(_ opcode: Opcode) throws(Stop) {
        let type = module.types[Int(try self.type(.structure))]
        switch opcode {
        case .structNew:
            try pop(ModuleTables.TypeList(base: type.values, count: Int(type.count)))
            operands.push(.ref(type.heapType, nullable: false))
        case .structNewDefault:
            guard type.isDefaultable else { throw mismatch(.noDefault) }
            operands.push(.ref(type.heapType, nullable: false))
        default:
            let index = try unsigned32()
            guard index < type.count else { throw fail(.unknown(.field, index)) }
            let field = type.fields[Int(index)]
            if opcode == .structSet {
                guard field.isMutable else { throw fail(.immutableField(index)) }
                try pop(field.type)
                try pop(.ref(type.heapType, nullable: true))
            } else {
                try checkPacking(of: field, isPlain: opcode == .structGet)
                try pop(.ref(type.heapType, nullable: true))
                operands.push(field.type)
            }
        }
    }

    /// Packed fields are read by instructions that say how to extend them, others by plain ones.
    private mutating func checkPacking(
        of field: ModuleTables.FieldEntry, isPlain: Bool
    ) throws(Stop) {
        if field.isPacked == isPlain { throw mismatch(.packing) }
    }

    // MARK: Arrays

    mutating func arrayInstruction(_ opcode: Opcode) throws(Stop) {
        let type = module.types[Int(try self.type(.array))]
        let element = type.fields[0]
        switch opcode {
        case .arrayNew, .arrayNewDefault, .arrayNewFixed, .arrayNewData, .arrayNewElem:
            try newArray(opcode, element)
            operands.push(.ref(type.heapType, nullable: false))
        case .arrayGet, .arrayGetS, .arrayGetU:
            try checkPacking(of: element, isPlain: opcode == .arrayGet)
            try pop(.i32)
            try pop(.ref(type.heapType, nullable: true))
            operands.push(element.type)
        case .arrayCopy: try arrayCopy(type)
        default: try modifyArray(opcode, type, element)
        }
    }

    private mutating func newArray(
        _ opcode: Opcode, _ element: ModuleTables.FieldEntry
    ) throws(Stop) {
        switch opcode {
        case .arrayNew:
            try pop(.i32)
            try pop(element.type)
        case .arrayNewDefault:
            guard element.type.isDefaultable else { throw mismatch(.noDefault) }
            try pop(.i32)
        case .arrayNewFixed:
            var count = try unsigned32()
            while count > 0 {
                // Unreachable code makes up whatever is missing.
                if operands.available == 0, isUnreachable { break }
                try pop(element.type)
                count -= 1
            }
        case .arrayNewData:
            try bytesOfArray(element)
            try pop(.i32)
            try pop(.i32)
        default:
            try elementsOfArray(element)
            try pop(.i32)
            try pop(.i32)
        }
    }

    /// `array.set`, `array.fill`, `array.init_data`, `array.init_elem`.
    private mutating func modifyArray(
        _ opcode: Opcode, _ type: ModuleTables.TypeShape, _ element: ModuleTables.FieldEntry
    ) throws(Stop) {
        guard element.isMutable else { throw fail(.immutableArray) }
        switch opcode {
        case .arraySet:
            try pop(element.type)
        case .arrayFill:
            try pop(.i32)
            try pop(element.type)
        case .arrayInitData:
            try bytesOfArray(element)
            try pop(.i32)
            try pop(.i32)
        default:
            try elementsOfArray(element)
            try pop(.i32)
            try pop(.i32)
        }
        try pop(.i32)
        try pop(.ref(type.heapType, nullable: true))
    }

    private mutating func arrayCopy(_ destination: ModuleTables.TypeShape) throws(Stop) {
        let source = module.types[Int(try self.type(.array))]
        let (target, origin) = (destination.fields[0], source.fields[0])
        guard target.isMutable else { throw fail(.immutableArray) }
        let matches =
            target.isPacked || origin.isPacked
            ? target.storage == origin.storage : registry.matches(origin.type, target.type)
        guard matches else { throw fail(.arrayTypesDoNotMatch) }
        try pop(.i32)
        try pop(.i32)
        try pop(.ref(source.heapType, nullable: true))
        try pop(.i32)
        try pop(.ref(destination.heapType, nullable: true))
    }

    /// Reads a data segment, whose bytes become elements.
    private mutating func bytesOfArray(_ element: ModuleTables.FieldEntry) throws(Stop) {
        try dataSegment()
        if element.type.isReference { throw fail(.arrayTypeIsNotNumericOrVector) }
    }

    /// Reads an element segment, whose references become elements.
    private mutating func elementsOfArray(_ element: ModuleTables.FieldEntry) throws(Stop) {
        let segment = try elementSegment()
        guard registry.matches(segment, element.type) else { throw mismatch(.elements) }
    }
}
