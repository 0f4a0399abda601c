import Testing

@testable import WasmText

@Suite struct ErrorTests {
    @Test func reasonAndToken() {
        let cases = [
            ("(func (i32.ad))", "unknown operator: i32.ad"),
            ("(func (call $f))", "unknown function: $f"),
            ("(func local.get $x)", "unknown local: $x"),
            ("(func (type $t))", "unknown type: $t"),
            ("(func $f) (func $f)", "duplicate func: $f"),
            ("(func (param $x i32) (local $x i32))", "duplicate local: $x"),
            ("(type (struct (field $a i32) (field $a i32)))", "duplicate field: $a"),
            ("(func $)", "empty identifier: $"),
            (#"(func $"")"#, #"empty identifier: $"""#),
            (#"(func $"\ff")"#, #"malformed UTF-8 encoding: $"\ff""#),
            ("(func (i32.const 0x1_0000_0000))", "constant out of range: 0x1_0000_0000"),
            ("(func (i32.const 1.5))", "malformed number: 1.5"),
            ("(func (param i33))", "unexpected token: expected a value type: i33"),
            ("(func) (start 0) (start 0)", "multiple start sections: start"),
            ("(func nop end)", "unexpected token: expected an instruction: end"),
            ("(func block)", "unexpected token: expected 'end': )"),
            ("(module) (module)", "unexpected token: expected the end of the text: ("),
            ("(module))", "unexpected token: expected the end of the text: )"),
            ("(module (func)", "unclosed parenthesis: ("),
            (
                "(type (sub (descriptor 1) (struct)))",
                "the proposal custom-descriptors is not supported: descriptor"
            ),
            (
                "(func (param (ref (exact 0))))",
                "the proposal custom-descriptors is not supported: exact"
            ),
            (
                "(memory 1 (pagesize 3))",
                "unexpected token: expected a page size that is a power of two: 3"
            ),
        ]
        for (text, expected) in cases { #expect(refusal(text) == expected, "\(text)") }
    }

    @Test func importsComeFirst() {
        for definition in [
            "(func)", "(table 0 funcref)", "(memory 0)", "(global i32 (i32.const 0))", "(tag)",
        ] {
            #expect(reason(definition + #"(import "" "" (func))"#) == .importAfterDefinition)
            #expect(reason(definition + #"(memory (import "" "") 1)"#) == .importAfterDefinition)
        }
        #expect(reason(#"(type (func)) (export "a" (func 0)) (import "" "" (func))"#) == nil)
    }

    @Test func inlineTypesMustBeThoseTheyRepeat() {
        let type = "(type $t (func (param i32)))"
        #expect(reason(type + "(func (type $t) (param i32))") == nil)
        #expect(reason(type + "(func (type $t) (param i64))") == .inlineTypeMismatch)
        #expect(reason(type + "(func (type $t) (result i32))") == .inlineTypeMismatch)
        #expect(reason(type + "(func call_indirect (type 5) (param i32))") == .unknownType)
        #expect(reason("(type (struct)) (func (type 0) (param i32))") == .inlineTypeMismatch)
        // An unknown number alone is for validation, unless locals depend on it.
        #expect(reason("(func (type 7))") == nil)
        #expect(
            reason("(func (type 1) (local $x i32)) (func) (func (param i32))") == .unknownType)
    }

    @Test func blockParametersHaveNoNames() {
        #expect(reason("(func block (param $x i32) end)") != nil)
        #expect(reason("(func call_indirect (param $x i32))") != nil)
    }

    @Test func foldedFormsAreChecked() {
        for text in [
            "(func (if (i32.const 0)))", "(func (if (then) (then)))", "(func (if (then) nop))",
            "(func (if i32.const 0 (then)))", "(func (i32.eqz i32.const 0))", "(func (then))",
            "(func (try nop))", "(func (try (catch 0)))",
            "(func (try (do) (delegate 0) (catch 0)))",
            "(func (try (do) (catch_all) (catch 0)))", "(func else)", "(func catch 0)",
            "(func (end))", "(func loop else end)", "(func (if (then) (else) (else)))",
            "(func delegate 0)", "(func block delegate 0)",
            "(global i32 (i32.const 0) (block)", "(elem (i32.const 0) (i32.const 1) 0)",
        ] {
            #expect(reason(text) != nil, "\(text)")
        }
    }

    @Test func renderedWithLineAndCaret() {
        func rendered(_ text: String) -> String {
            let bytes = Array(text.utf8)
            do {
                _ = try parseModule(bytes)
                return ""
            } catch { return error.rendered(in: bytes, path: "a.wat") }
        }
        #expect(
            rendered("(module\r\n  (func\n\t(i32.ad (local.get 0))))\n") == """
                a.wat:3:3: unknown operator: i32.ad
                  (i32.ad (local.get 0))))
                   ^^^^^^
                """)
        // Characters count, not bytes; what a terminal would obey is not shown.
        #expect(
            rendered("(; é\u{1b}\u{202e} ;) (fun)") == """
                a.wat:1:15: unexpected token: expected a module field: fun
                  (; é\u{fffd}\u{fffd} ;) (fun)
                             ^^^
                """)
        let long = String(repeating: "(func) ", count: 1000)
        #expect(
            rendered(long + "(fun)" + long) == """
                a.wat:1:7002: unexpected token: expected a module field: fun
                  ...c) (func) (func) (func) (func) (func) (func) (func) (func) (fun)\
                (func) (func) (func) (func) (func) (...
                  \(String(repeating: " ", count: 63))^^^
                """)
        #expect(rendered("(func").hasPrefix("a.wat:1:1: unclosed parenthesis"))
        #expect(rendered("\u{e9}").hasPrefix("a.wat:1:1: illegal character"))
        #expect(rendered(#"(module quote "(func" "(fun)")"#).hasPrefix("a.wat:1:1: "))
    }

    @Test func nestingNeedsNoStack() {
        let depth = 100_000
        func nested(_ open: String, _ inner: String, _ close: String) -> String {
            "(func " + String(repeating: open, count: depth) + inner
                + String(repeating: close, count: depth) + ")"
        }
        #expect(reason(nested("(block ", "", ")")) == nil)
        #expect(reason(nested("block $l ", "br $l ", "end $l ")) == nil)
        #expect(reason(nested("(i32.eqz ", "(i32.const 0)", ")")) == nil)
        #expect(reason(nested("(if (i32.const 0) (then ", "", "))")) == nil)
        #expect(reason(nested("(try (do ", "", ") (catch_all))")) == nil)
        #expect(reason(nested("(if ", "", ")")) == .expected(.thenClause))
        #expect(reason(String(repeating: "(", count: depth)) == .unclosedParenthesis)
        #expect(
            reason("(func " + String(repeating: "loop ", count: TextLimits.nesting + 1) + ")")
                == .nestingTooDeep
        )
    }

    @Test func manyIdentifiers() throws {
        let count = 20_000
        let functions = (0..<count).map { "(func $f\($0) (call $f\(count - 1 - $0)))" }.joined()
        #expect(try decoded(functions).functions.count == count)
        let labels = String(repeating: "$l ", count: count)
        #expect(reason("(func block $l br_table \(labels) end)") == nil)
    }
}
