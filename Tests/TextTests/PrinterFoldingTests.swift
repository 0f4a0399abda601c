import Testing
import WasmDecoder

@testable import WasmText

/// What is an operand of what.
@Suite struct PrinterFoldingTests {
    /// The instructions of a function that stands last in a module, folded.
    func folded(_ instructions: String, fields: String = "") throws -> [String] {
        let text = "(module \(fields) (func \(instructions)))"
        try expectSameBytes(assemble(text))
        let lines = try printed(text, TextPrinter(folded: true, names: .none))
        let start = try #require(lines.lastIndex { $0.hasPrefix("(func") })
        return lines[(start + 1)...].map { String($0.dropFirst(2)) }
    }

    @Test func operandsThatAreInterruptedStandAlone() throws {
        #expect(
            try folded("i32.const 1 nop i32.const 2 i32.add drop") == [
                "(i32.const 1)", "(nop)", "(i32.const 2)", "(drop (i32.add)))",
            ])
    }

    @Test func unreachableCode() throws {
        #expect(
            try folded("unreachable i32.add drop br 0 i32.eqz drop") == [
                "(unreachable)", "(drop (i32.add))", "(br 0 (;@0;))", "(drop (i32.eqz)))",
            ])
    }

    @Test func callsWithSeveralResults() throws {
        let fields = """
            (func (result i32 i32) (i32.const 1) (i32.const 2)) (func (param i32 i32 i32))
            """
        #expect(
            try folded("i32.const 1 call 0 call 1 call 0 i32.add drop", fields: fields) == [
                "(call 1 (i32.const 1) (call 0))", "(drop (i32.add (call 0))))",
            ])
        // Half of what the call gives is no operand by itself.
        #expect(
            try folded("call 0 drop drop", fields: fields) == ["(call 0)", "(drop)", "(drop))"])
    }

    @Test func branchesTakeTheValuesOfTheirLabel() throws {
        #expect(
            try folded("block (result i32) i32.const 1 i32.const 2 br_if 0 end drop") == [
                "(drop", "  (block (;@1;) (result i32)",
                "    (br_if 0 (;@1;) (i32.const 1) (i32.const 2)))))",
            ])
        #expect(
            try folded("i32.const 7 loop (param i32) br 0 end") == [
                "(i32.const 7)", "(loop (;@1;) (type 1) (param i32)", "  (br 0 (;@1;))))",
            ])
    }

    @Test func conditionsMayHaveBlocks() throws {
        let text = """
            (func block $a (result i32) i32.const 0 end
              if $b br $b block $c br $b end else br 0 end)
            """
        try expectSameBytes(assemble(text))
        #expect(
            try printed(text, TextPrinter(folded: true)).suffix(9) == [
                "  (if $b", "    (block $a (result i32)", "      (i32.const 0))", "    (then",
                "      (br $b)", "      (block $c", "        (br $b)))", "    (else",
                "      (br $b))))",
            ])
    }

    @Test func everyKindOfBlock() throws {
        let text = """
            (tag $e (param i32)) (tag $n)
            (func
              (try $t (do (throw $n)) (catch $e (drop)) (catch $n (rethrow $t)) (catch_all nop))
              (try $o (do (try $i (do nop) (delegate $o))) (delegate 0))
              (try (do))
              (block $h (result i32)
                (try_table $l (catch $e $h) (catch_all 1) (br $l)) (i32.const 1)) drop)
            """
        try expectSameBytes(assemble(text))
        let folded = try printed(text, TextPrinter(folded: true)).joined(separator: "\n")
        #expect(folded.contains("(delegate $o)"))
        #expect(folded.contains("(try_table $l (catch $e $h) (catch_all 1 (;@0;))"))
    }
}
