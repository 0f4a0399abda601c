import WasmDecoder

// Structures, arrays and i31, all held as anyref.

extension BodyGenerator {
    private func typeIndex(_ shape: Int) -> Int { program.types.count + shape }

    /// Leaves an anyref.
    mutating func object(_ depth: Int) {
        guard program.hasObjects, depth > 0, remaining > 0 else { return leaf(.anyref) }
        remaining -= 1
        switch random.weighted([2, 4, 12, 2]) {
        case 0: leaf(.anyref)
        case 1:
            value(.i32, depth - 1)
            code.opcode(.refI31)
        case 2: newObject(depth)
        default:
            object(depth - 1)
            code.opcode(.externConvertAny)
            code.opcode(.anyConvertExtern)
        }
    }

    private mutating func newObject(_ depth: Int) {
        let number = random.below(ObjectShape.all.count)
        let shape = ObjectShape.all[number]
        let index = typeIndex(number)
        let operands = shape.fields.map(\.operand)
        let length = Int32(ObjectShape.length)
        switch (shape.isArray, random.below(3)) {
        case (false, 0): code.opcode(.structNewDefault, index)
        case (false, _):
            for type in operands { fieldValue(type, depth - 1) }
            code.opcode(.structNew, index)
        case (true, 0):
            code.i32(length)
            code.opcode(.arrayNewDefault, index)
        case (true, 1):
            fieldValue(operands[0], depth - 1)
            code.i32(length)
            code.opcode(.arrayNew, index)
        default:
            for _ in 0..<length { leafField(operands[0]) }
            code.opcode(.arrayNewFixed, index)
            code.unsigned(ObjectShape.length)
        }
    }

    /// A value for a field.
    private mutating func fieldValue(_ type: ValueType, _ depth: Int) {
        switch type {
        case .eqref:
            value(.anyref, depth)
            code.opcode(.refCastNull)
            code.byte(0x6d)
        case .f32, .f64: withoutNaN(type, depth)
        default: value(type, depth)
        }
    }

    private mutating func leafField(_ type: ValueType) {
        if type == .f64 { constant(type) } else { leaf(type) }
    }

    // MARK: Looking at objects

    /// Leaves an i32 that says something about objects.
    mutating func objectTest(_ depth: Int) {
        remaining -= 1
        value(.anyref, depth - 1)
        switch random.below(4) {
        case 0: code.opcode(.refIsNull)
        case 1:
            code.opcode(.refCastNull)
            code.byte(0x6d)
            value(.anyref, depth - 1)
            code.opcode(.refCastNull)
            code.byte(0x6d)
            code.opcode(.refEq)
        case 2:
            code.opcode(random.oneIn(2) ? .refTest : .refTestNull)
            code.byte(random.element(of: [0x6e, 0x6d, 0x6c, 0x6b, 0x6a, 0x71]) ?? 0x6e)
        default:
            code.opcode(random.oneIn(2) ? .refTest : .refTestNull)
            code.signed(Int64(typeIndex(random.below(ObjectShape.all.count))))
        }
    }

    /// Does something with an object, if it has the wanted type.
    mutating func objectStatement() {
        guard program.hasObjects else { return tableStatement() }
        let number = random.below(ObjectShape.all.count + 1)
        construct(.block, [ProgramGenerator.encoded(.anyref)], branch: [.anyref]) { body in
            body.value(.anyref, 3)
            let isInteger = number == ObjectShape.all.count
            let heapType = BinaryWriter.build { writer in
                if isInteger {
                    writer.byte(0x6c)
                } else {
                    writer.signed(Int64(body.typeIndex(number)))
                }
            }
            // From anyref to a type that is not nullable.
            body.code.opcode(.brOnCastFail)
            body.code.bytes.append(contentsOf: [0x01, 0x00, 0x6e] + heapType)
            if isInteger {
                body.code.opcode(body.random.oneIn(2) ? .i31GetS : .i31GetU)
                body.consume([.i32])
            } else if ObjectShape.all[number].isArray {
                body.useArray(ObjectShape.all[number], body.typeIndex(number))
            } else {
                body.useStructure(ObjectShape.all[number], body.typeIndex(number))
            }
            body.object(2)
        }
        consume([.anyref])
    }

    /// Takes a structure.
    private mutating func useStructure(_ shape: ObjectShape, _ type: Int) {
        let field = random.below(shape.fields.count)
        let operand = shape.fields[field].operand
        let isWrite = random.oneIn(2)
        if isWrite { fieldValue(operand, 2) }
        code.opcode(isWrite ? .structSet : get(shape.fields[field], .structGet))
        code.unsigned(type)
        code.unsigned(field)
        if !isWrite { consume([operand]) }
    }

    private mutating func get(_ storage: ObjectShape.Storage, _ plain: Opcode) -> Opcode {
        if case .value = storage { return plain }
        let isSigned = random.oneIn(2)
        if plain == .structGet { return isSigned ? .structGetS : .structGetU }
        return isSigned ? .arrayGetS : .arrayGetU
    }

    /// Takes an array.
    private mutating func useArray(_ shape: ObjectShape, _ type: Int) {
        let element = shape.fields[0]
        switch random.below(5) {
        case 0:
            code.opcode(.arrayLen)
            consume([.i32])
        case 1:
            elementIndex()
            code.opcode(get(element, .arrayGet), type)
            consume([element.operand])
        case 2:
            elementIndex()
            fieldValue(element.operand, 2)
            code.opcode(.arraySet, type)
        case 3:
            code.i32(Int32(random.below(4)))
            fieldValue(element.operand, 2)
            code.i32(Int32(random.below(5)))
            code.opcode(.arrayFill, type)
        default:
            // Into it from a new one.
            code.i32(Int32(random.below(4)))
            fieldValue(element.operand, 2)
            code.i32(Int32(ObjectShape.length))
            code.opcode(.arrayNew, type)
            code.i32(Int32(random.below(4)))
            code.i32(Int32(random.below(5)))
            code.opcode(.arrayCopy, type)
            code.unsigned(type)
        }
    }

    /// Rarely one that is not there.
    private mutating func elementIndex() {
        value(.i32, 1)
        code.i32(random.oneIn(30) ? 15 : Int32(ObjectShape.length - 1))
        code.opcode(.i32And)
    }
}
