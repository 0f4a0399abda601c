/// Instructions of page 0xFB: structures, arrays, casts.
let referenceInstructions: [InstructionInfo] = [
    // Structures
    .init(.structNew, "struct.new", .type, nil, .garbageCollection),
    .init(.structNewDefault, "struct.new_default", .type, nil, .garbageCollection),
    .init(.structGet, "struct.get", .typeField, nil, .garbageCollection),
    .init(.structGetS, "struct.get_s", .typeField, nil, .garbageCollection),
    .init(.structGetU, "struct.get_u", .typeField, nil, .garbageCollection),
    .init(.structSet, "struct.set", .typeField, nil, .garbageCollection),
    // Arrays
    .init(.arrayNew, "array.new", .type, nil, .garbageCollection),
    .init(.arrayNewDefault, "array.new_default", .type, nil, .garbageCollection),
    .init(.arrayNewFixed, "array.new_fixed", .typeCount, nil, .garbageCollection),
    .init(.arrayNewData, "array.new_data", .typeData, nil, .garbageCollection),
    .init(.arrayNewElem, "array.new_elem", .typeElement, nil, .garbageCollection),
    .init(.arrayGet, "array.get", .type, nil, .garbageCollection),
    .init(.arrayGetS, "array.get_s", .type, nil, .garbageCollection),
    .init(.arrayGetU, "array.get_u", .type, nil, .garbageCollection),
    .init(.arraySet, "array.set", .type, nil, .garbageCollection),
    .init(
        .arrayLen, "array.len", .none, .conversion(.ref(.array, nullable: true), to: .i32), .garbageCollection),
    .init(.arrayFill, "array.fill", .type, nil, .garbageCollection),
    .init(.arrayCopy, "array.copy", .typeType, nil, .garbageCollection),
    .init(.arrayInitData, "array.init_data", .typeData, nil, .garbageCollection),
    .init(.arrayInitElem, "array.init_elem", .typeElement, nil, .garbageCollection),
    // Casts
    .init(.refTest, "ref.test", .heapType, nil, .garbageCollection),
    .init(.refTestNull, "ref.test null", .heapType, nil, .garbageCollection),
    .init(.refCast, "ref.cast", .heapType, nil, .garbageCollection),
    .init(.refCastNull, "ref.cast null", .heapType, nil, .garbageCollection),
    .init(.brOnCast, "br_on_cast", .castBranch, nil, .garbageCollection),
    .init(.brOnCastFail, "br_on_cast_fail", .castBranch, nil, .garbageCollection),
    // Conversions
    .init(.anyConvertExtern, "any.convert_extern", .none, nil, .garbageCollection),
    .init(.externConvertAny, "extern.convert_any", .none, nil, .garbageCollection),
    .init(
        .refI31, "ref.i31", .none, .conversion(.i32, to: .ref(.i31, nullable: false)), .garbageCollection),
    .init(
        .i31GetS, "i31.get_s", .none, .conversion(.ref(.i31, nullable: true), to: .i32), .garbageCollection),
    .init(
        .i31GetU, "i31.get_u", .none, .conversion(.ref(.i31, nullable: true), to: .i32), .garbageCollection),
]
