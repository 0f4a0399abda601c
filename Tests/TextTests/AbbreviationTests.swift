import Testing

@testable import WasmText

/// Every abbreviation gives the binary of what it stands for.
@Suite struct AbbreviationTests {
    @Test func moduleFieldsMayStandAlone() throws {
        try expectSame("(func) (memory 1)", "(module (func) (memory 1))")
        try expectSame("", "(module)")
        try expectSame(#"(module $m binary "\00asm" "\01\00\00\00")"#, "(module)")
        try expectSame(#"(module quote "(func" ")")"#, "(module (func))")
        try expectSame(#"(module quote "(module quote \"(func)\")")"#, "(module (func))")
    }

    @Test func inlineImportsAndExports() throws {
        try expectSame(
            #"(func $f (export "a") (export "b") (param i32))"#,
            #"(func (param i32)) (export "a" (func 0)) (export "b" (func 0))"#)
        try expectSame(
            #"(func (export "a") (import "m" "n") (param i32))"#,
            #"(import "m" "n" (func (param i32))) (export "a" (func 0))"#)
        try expectSame(
            #"(table (export "a") (import "m" "n") i64 1 2 funcref)"#,
            #"(import "m" "n" (table i64 1 2 funcref)) (export "a" (table 0))"#)
        try expectSame(
            #"(memory (export "a") (import "m" "n") 1 2 shared)"#,
            #"(import "m" "n" (memory 1 2 shared)) (export "a" (memory 0))"#)
        try expectSame(
            #"(global (export "a") (import "m" "n") (mut i32))"#,
            #"(import "m" "n" (global (mut i32))) (export "a" (global 0))"#)
        try expectSame(
            #"(tag (export "a") (import "m" "n") (param i32))"#,
            #"(import "m" "n" (tag (param i32))) (export "a" (tag 0))"#)
        try expectSame(
            #"(table (export "a") 0 funcref) (global (export "b") i32 (i32.const 0))"#,
            #"(table 0 funcref) (global i32 i32.const 0) (export "a" (table 0))"#
                + #"(export "b" (global 0))"#)
    }

    @Test func segmentsInTablesAndMemories() throws {
        try expectSame(
            "(func) (table funcref (elem 0 0))",
            "(func) (table 2 2 funcref) (elem (i32.const 0) func 0 0)")
        try expectSame(
            "(func) (table i64 funcref (elem (ref.func 0) (item ref.null func)))",
            "(func) (table i64 2 2 funcref)"
                + "(elem (table 0) (offset i64.const 0) funcref (ref.func 0) (ref.null func))")
        try expectSame(
            "(type (func)) (func (type 0)) (table (ref null 0) (elem 0))",
            "(type (func)) (func (type 0)) (table 1 1 (ref null 0))"
                + "(elem (table 0) (i32.const 0) (ref null 0) (ref.func 0))")
        try expectSame(
            #"(memory (data "ab" "c"))"#, #"(memory 1 1) (data (i32.const 0) "abc")"#)
        try expectSame(
            #"(memory i64 (data "abc"))"#, #"(memory i64 1 1) (data (i64.const 0) "abc")"#)
        try expectSame(
            #"(memory (pagesize 1) (data "abc"))"#,
            #"(memory 3 3 (pagesize 1)) (data (i32.const 0) "abc")"#)
        try expectSame(#"(memory (data))"#, #"(memory 0 0) (data (i32.const 0) "")"#)
        // Inline segments take an index.
        try expectSame(
            "(memory (data)) (data $d) (func data.drop $d)",
            "(memory (data)) (data) (func data.drop 1)")
        try expectSame(
            "(table funcref (elem)) (elem $e func) (func elem.drop $e)",
            "(table funcref (elem)) (elem func) (func elem.drop 1)")
    }

    @Test func segments() throws {
        let fields = "(table 1 funcref) (table 1 funcref) (memory 1) (memory 1) (func)"
        try expectSame(
            fields + "(elem (i32.const 0) 0)",
            fields + "(elem (table 0) (offset i32.const 0) func 0)")
        try expectSame(
            fields + "(elem 1 (i32.const 0) 0)", fields + "(elem (table 1) (i32.const 0) func 0)")
        try expectSame(
            fields + #"(data (i32.const 0) "a")"#,
            fields + #"(data (memory 0) (offset (i32.const 0)) "a")"#)
        try expectSame(
            fields + #"(data 1 (i32.const 0) "a")"#,
            fields + #"(data (memory 1) (i32.const 0) "a")"#)
        try expectSame(
            fields + "(elem funcref (item (ref.func 0)))", fields + "(elem funcref (ref.func 0))")
        let module = try decoded(
            fields + "(elem declare func 0) (elem externref) (elem declare (ref null func))")
        #expect(module.elementSegments.map(\.mode) == [.declarative, .passive, .declarative])
        #expect(
            module.elementSegments.map(\.type.description) == [
                "(ref func)", "externref", "funcref",
            ])
    }

    @Test func initializedTables() throws {
        let module = try decoded(
            "(func $f) (table 3 (ref func) (ref.func $f)) (table 3 funcref ref.null func)")
        #expect(module.tableDefinitions.map { $0.initializer != nil } == [true, true])
    }

    @Test func parametersAndLocalsInAnyGrouping() throws {
        try expectSame(
            "(func (param i32 i32) (param) (param $x i64) (result) (result f32 f64)"
                + "(local i32 i64))",
            "(func (param i32) (param i32) (param i64) (result f32) (result f64)"
                + "(local i32) (local i64))")
        try expectSame(
            "(func (param $x i32) (local $y i32) local.get $y local.get $x)",
            "(func (param i32) (local i32) local.get 1 local.get 0)")
        try expectSame(
            "(type (func (param i32 i64))) (func (type 0) (local $y i32) local.get $y)",
            "(type (func (param i32 i64))) (func (type 0) (local i32) local.get 2)")
        try expectSame(
            "(type (struct (field i8 (mut i16)) (field $z anyref)))",
            "(type (struct (field i8) (field (mut i16)) (field (ref null any))))")
    }

    @Test func inlineTypesAreFoundOrAppended() throws {
        try expectSame(
            "(func (param i32)) (type (func)) (func) (func (result i32)) (func (param $x i32))",
            "(type (func)) (type (func (param i32))) (type (func (result i32)))"
                + "(func (type 1)) (func (type 0)) (func (type 2)) (func (type 1))")
        // Only final types without supertypes that stand alone are found.
        try expectSame(
            "(type (sub (func))) (rec (type (func)) (type (struct))) (rec (type (func))) (func)",
            "(type (sub (func))) (rec (type (func)) (type (struct))) (type (func)) (func (type 3))")
        try expectSame(
            "(type (sub (func))) (func)", "(type (sub (func))) (type (func)) (func (type 1))")
        // Blocks come in the order of the text.
        try expectSame(
            "(func (block (param i32) (drop)) call_indirect (param f32)) (func (param f64))",
            "(type (func)) (type (func (param i32))) (type (func (param f32)))"
                + "(type (func (param f64))) (func (type 0) (block (type 1) (drop))"
                + "call_indirect (type 2)) (func (type 3))")
        try expectSame(
            "(func (block (result i32) unreachable) (block) drop)",
            "(func block (result i32) unreachable end block end drop)")
    }

    @Test func typeDefinitions() throws {
        try expectSame("(type (sub final (func)))", "(type (func))")
        try expectSame("(rec (type (func)))", "(type (func))")
        let module = try decoded(
            """
            (rec (type $a (sub (struct (field (ref null $b))))) (type $b (array (mut i8))))
            (type $c (sub $a (struct (field (ref null $b)))))
            (type $d (sub final $c (struct (field (ref null $b)))))
            (rec)
            """)
        #expect(module.recursionGroups == [0..<2, 2..<3, 3..<4, 4..<4])
        #expect(module.types[2].supertypes == [0])
        #expect(module.types[3].supertypes == [2])
        #expect(module.types[3].isFinal)
        #expect(!module.types[2].isFinal)
    }

    @Test func referenceTypes() throws {
        let pairs = [
            ("funcref", "func"), ("externref", "extern"), ("anyref", "any"), ("eqref", "eq"),
            ("i31ref", "i31"), ("structref", "struct"), ("arrayref", "array"), ("nullref", "none"),
            ("nullfuncref", "nofunc"), ("nullexternref", "noextern"), ("exnref", "exn"),
            ("nullexnref", "noexn"),
        ]
        for (short, heapType) in pairs {
            try expectSame(
                "(type (func (param \(short))))", "(type (func (param (ref null \(heapType)))))")
        }
    }

    @Test func quotedIdentifiers() throws {
        try expectSame(
            #"(func $"a b") (func $x (call $"a\20b") (call $"x") (call $"\u{78}"))"#,
            "(func) (func (call 0) (call 1) (call 1))")
        // The same letter, composed and not: two names.
        try expectSame(
            "(func $\"\u{e9}\") (func $\"e\u{301}\") (start $\"\u{e9}\")", "(func) (func) (start 0)"
        )
    }
}
