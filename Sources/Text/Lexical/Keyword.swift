/// The words of the text format and of scripts that name no instruction.
enum Keyword: String, CaseIterable {
    // Scripts
    case module, definition, instance, binary, quote, register, invoke, get, thread, wait, either
    case assertReturn = "assert_return"
    case assertTrap = "assert_trap"
    case assertExhaustion = "assert_exhaustion"
    case assertException = "assert_exception"
    case assertInvalid = "assert_invalid"
    case assertMalformed = "assert_malformed"
    case assertUnlinkable = "assert_unlinkable"
    case assertInvalidCustom = "assert_invalid_custom"
    case assertMalformedCustom = "assert_malformed_custom"
    case refExtern = "ref.extern"
    case refHost = "ref.host"
    case refAny = "ref.any"
    case refStruct = "ref.struct"
    case refArray = "ref.array"
    case refExn = "ref.exn"
    case canonicalNaN = "nan:canonical"
    case arithmeticNaN = "nan:arithmetic"
    // Module fields and their parts
    case type, rec, `import`, export, start, elem, data, tag, table, memory, global
    case sub, final, field, mut, param, result, local, offset, item, declare, shared, pagesize
    // Parts of instructions
    case then, `do`
    case catchRef = "catch_ref"
    case catchAllRef = "catch_all_ref"
    // Types
    case i32, i64, f32, f64, v128, i8, i16
    case i8x16, i16x8, i32x4, i64x2, f32x4, f64x2
    case ref, null
    case `func`, extern, any, eq, i31, `struct`, array, none, nofunc, noextern, exn, noexn
    case funcref, externref, anyref, eqref, i31ref, structref, arrayref
    case nullref, nullfuncref, nullexternref, exnref, nullexnref
    // Annotations
    case before, after, first, last, code, datacount
    // The proposal custom-descriptors, to be refused by name
    case exact, describes, descriptor
}

extension Keyword {
    /// Whether a module field starts with the word.
    var isModuleField: Bool {
        switch self {
        case .type, .rec, .import, .func, .table, .memory, .global, .tag, .export, .start, .elem,
            .data:
            true
        default: false
        }
    }
}
