/// Instructions of page 0xFC.
var miscellaneousInstructions: [InstructionInfo] {
    [
        // Saturating conversions
        .saturating(.i32TruncSatF32S, "i32.trunc_sat_f32_s", .conversion(.f32, to: .i32)),
        .saturating(.i32TruncSatF32U, "i32.trunc_sat_f32_u", .conversion(.f32, to: .i32)),
        .saturating(.i32TruncSatF64S, "i32.trunc_sat_f64_s", .conversion(.f64, to: .i32)),
        .saturating(.i32TruncSatF64U, "i32.trunc_sat_f64_u", .conversion(.f64, to: .i32)),
        .saturating(.i64TruncSatF32S, "i64.trunc_sat_f32_s", .conversion(.f32, to: .i64)),
        .saturating(.i64TruncSatF32U, "i64.trunc_sat_f32_u", .conversion(.f32, to: .i64)),
        .saturating(.i64TruncSatF64S, "i64.trunc_sat_f64_s", .conversion(.f64, to: .i64)),
        .saturating(.i64TruncSatF64U, "i64.trunc_sat_f64_u", .conversion(.f64, to: .i64)),
        // Bulk memory and tables
        .init(.memoryInit, "memory.init", .memoryInit, nil, .bulkMemory),
        .init(.dataDrop, "data.drop", .dataSegment, .nothing, .bulkMemory),
        .init(.memoryCopy, "memory.copy", .memoryCopy, nil, .bulkMemory),
        .init(.memoryFill, "memory.fill", .memory, nil, .bulkMemory),
        .init(.tableInit, "table.init", .tableInit, nil, .bulkMemory),
        .init(.elemDrop, "elem.drop", .elementSegment, .nothing, .bulkMemory),
        .init(.tableCopy, "table.copy", .tableCopy, nil, .bulkMemory),
        .init(.tableGrow, "table.grow", .table, nil, .referenceTypes),
        .init(.tableSize, "table.size", .table, nil, .referenceTypes),
        .init(.tableFill, "table.fill", .table, nil, .referenceTypes),
        // Wide arithmetic
        .init(.i64Add128, "i64.add128", .none, nil, .wideArithmetic),
        .init(.i64Sub128, "i64.sub128", .none, nil, .wideArithmetic),
        .init(.i64MulWideS, "i64.mul_wide_s", .none, nil, .wideArithmetic),
        .init(.i64MulWideU, "i64.mul_wide_u", .none, nil, .wideArithmetic),
    ]
}

extension InstructionInfo {
    @inline(__always)
    fileprivate static func saturating(
        _ opcode: Opcode, _ name: StaticString, _ signature: InstructionSignature
    ) -> InstructionInfo {
        InstructionInfo(opcode, name, .none, signature, .saturatingConversions)
    }
}
