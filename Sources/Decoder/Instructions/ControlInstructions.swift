/// Instructions of one byte: control, variables, memory, references.
var controlInstructions: [InstructionInfo] {
    [
        // Control
        .init(.unreachable, "unreachable", .none),
        .init(.nop, "nop", .none, .nothing),
        .init(.block, "block", .blockType),
        .init(.loop, "loop", .blockType),
        .init(.if, "if", .blockType),
        .init(.else, "else", .none),
        .init(.try, "try", .blockType, nil, .legacyExceptions),
        .init(.catch, "catch", .tag, nil, .legacyExceptions),
        .init(.throw, "throw", .tag, nil, .exceptions),
        .init(.rethrow, "rethrow", .label, nil, .legacyExceptions),
        .init(.throwRef, "throw_ref", .none, nil, .exceptions),
        .init(.end, "end", .none),
        .init(.br, "br", .label),
        .init(.brIf, "br_if", .label),
        .init(.brTable, "br_table", .labelTable),
        .init(.return, "return", .none),
        .init(.call, "call", .function),
        .init(.callIndirect, "call_indirect", .callIndirect),
        .init(.returnCall, "return_call", .function, nil, .tailCalls),
        .init(.returnCallIndirect, "return_call_indirect", .callIndirect, nil, .tailCalls),
        .init(.callRef, "call_ref", .type, nil, .functionReferences),
        .init(.returnCallRef, "return_call_ref", .type, nil, .tailCallsAndReferences),
        .init(.delegate, "delegate", .label, nil, .legacyExceptions),
        .init(.catchAll, "catch_all", .none, nil, .legacyExceptions),
        .init(.tryTable, "try_table", .tryTable, nil, .exceptions),
        // Parametric
        .init(.drop, "drop", .none),
        .init(.select, "select", .none),
        .init(.selectTyped, "select", .valueTypes, nil, .referenceTypes),
        // Variables and tables
        .init(.localGet, "local.get", .local),
        .init(.localSet, "local.set", .local),
        .init(.localTee, "local.tee", .local),
        .init(.globalGet, "global.get", .global),
        .init(.globalSet, "global.set", .global),
        .init(.tableGet, "table.get", .table, nil, .referenceTypes),
        .init(.tableSet, "table.set", .table, nil, .referenceTypes),
        // Memory
        .access(.i32Load, "i32.load", 2, .load(.i32)),
        .access(.i64Load, "i64.load", 3, .load(.i64)),
        .access(.f32Load, "f32.load", 2, .load(.f32)),
        .access(.f64Load, "f64.load", 3, .load(.f64)),
        .access(.i32Load8S, "i32.load8_s", 0, .load(.i32)),
        .access(.i32Load8U, "i32.load8_u", 0, .load(.i32)),
        .access(.i32Load16S, "i32.load16_s", 1, .load(.i32)),
        .access(.i32Load16U, "i32.load16_u", 1, .load(.i32)),
        .access(.i64Load8S, "i64.load8_s", 0, .load(.i64)),
        .access(.i64Load8U, "i64.load8_u", 0, .load(.i64)),
        .access(.i64Load16S, "i64.load16_s", 1, .load(.i64)),
        .access(.i64Load16U, "i64.load16_u", 1, .load(.i64)),
        .access(.i64Load32S, "i64.load32_s", 2, .load(.i64)),
        .access(.i64Load32U, "i64.load32_u", 2, .load(.i64)),
        .access(.i32Store, "i32.store", 2, .store(.i32)),
        .access(.i64Store, "i64.store", 3, .store(.i64)),
        .access(.f32Store, "f32.store", 2, .store(.f32)),
        .access(.f64Store, "f64.store", 3, .store(.f64)),
        .access(.i32Store8, "i32.store8", 0, .store(.i32)),
        .access(.i32Store16, "i32.store16", 1, .store(.i32)),
        .access(.i64Store8, "i64.store8", 0, .store(.i64)),
        .access(.i64Store16, "i64.store16", 1, .store(.i64)),
        .access(.i64Store32, "i64.store32", 2, .store(.i64)),
        .init(.memorySize, "memory.size", .memory),
        .init(.memoryGrow, "memory.grow", .memory),
        // References
        .init(.refNull, "ref.null", .heapType, nil, .referenceTypes),
        .init(.refIsNull, "ref.is_null", .none, nil, .referenceTypes),
        .init(.refFunc, "ref.func", .function, nil, .referenceTypes),
        .init(.refEq, "ref.eq", .none, .comparison(.ref(.eq, nullable: true)), .garbageCollection),
        .init(.refAsNonNull, "ref.as_non_null", .none, nil, .functionReferences),
        .init(.brOnNull, "br_on_null", .label, nil, .functionReferences),
        .init(.brOnNonNull, "br_on_non_null", .label, nil, .functionReferences),
    ]
}

extension Features {
    /// What `return_call_ref` needs.
    fileprivate static var tailCallsAndReferences: Features {
        .init(rawValue: tailCalls.rawValue | functionReferences.rawValue)
    }
}
