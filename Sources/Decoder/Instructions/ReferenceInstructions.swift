/// Instructions of page 0xFB: structures, arrays, casts. All need `gc`.
var referenceInstructions: [InstructionInfo] {
    [
        // Structures
        .init(.structNew, "struct.new", .type),
        .init(.structNewDefault, "struct.new_default", .type),
        .init(.structGet, "struct.get", .typeField),
        .init(.structGetS, "struct.get_s", .typeField),
        .init(.structGetU, "struct.get_u", .typeField),
        .init(.structSet, "struct.set", .typeField),
        // Arrays
        .init(.arrayNew, "array.new", .type),
        .init(.arrayNewDefault, "array.new_default", .type),
        .init(.arrayNewFixed, "array.new_fixed", .typeCount),
        .init(.arrayNewData, "array.new_data", .typeData),
        .init(.arrayNewElem, "array.new_elem", .typeElement),
        .init(.arrayGet, "array.get", .type),
        .init(.arrayGetS, "array.get_s", .type),
        .init(.arrayGetU, "array.get_u", .type),
        .init(.arraySet, "array.set", .type),
        .init(.arrayLen, "array.len", .none, .conversion(.ref(.array, nullable: true), to: .i32)),
        .init(.arrayFill, "array.fill", .type),
        .init(.arrayCopy, "array.copy", .typeType),
        .init(.arrayInitData, "array.init_data", .typeData),
        .init(.arrayInitElem, "array.init_elem", .typeElement),
        // Casts
        .init(.refTest, "ref.test", .heapType),
        .init(.refTestNull, "ref.test null", .heapType),
        .init(.refCast, "ref.cast", .heapType),
        .init(.refCastNull, "ref.cast null", .heapType),
        .init(.brOnCast, "br_on_cast", .castBranch),
        .init(.brOnCastFail, "br_on_cast_fail", .castBranch),
        // Conversions
        .init(.anyConvertExtern, "any.convert_extern", .none),
        .init(.externConvertAny, "extern.convert_any", .none),
        .init(.refI31, "ref.i31", .none, .conversion(.i32, to: .ref(.i31, nullable: false))),
        .init(.i31GetS, "i31.get_s", .none, .conversion(.ref(.i31, nullable: true), to: .i32)),
        .init(.i31GetU, "i31.get_u", .none, .conversion(.ref(.i31, nullable: true), to: .i32)),
    ]
}
