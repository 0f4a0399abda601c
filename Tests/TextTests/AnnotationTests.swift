import Testing
import WasmDecoder

@testable import WasmText

/// What `@custom`, `@name` and `@metadata.code.branch_hint` do; names from identifiers.
@Suite struct AnnotationTests {
    @Test func otherAnnotationsAreSkipped() throws {
        try expectSame(
            "((@a) func (@b (x)) $f (@c) (param (@d , ;) i32)) (@e)", "(func (param i32))")
        #expect(reason(#"(@"\ff")"#) == .malformedUTF8)
    }

    @Test func customSectionsStandWhereTheyAreTold() throws {
        let module = try decoded(
            """
            (type (func)) (func (type 0)) (memory 1) (data "")
            (@custom "a")
            (@custom "b" (before first) "x" "\\79")
            (@custom "c" (after func))
            (@custom "d" (before type))
            (@custom "e" (after last))
            (@custom "f" (after func))
            (@custom "g" (before table))
            """)
        let sections = module.customSections
        #expect(sections.map(\.name) == ["b", "d", "c", "f", "g", "a", "e"])
        // Known sections before each: type, function, memory, code, data.
        #expect(sections.map(\.position) == [0, 0, 2, 2, 2, 5, 5])
        #expect(module.bytes[sections[0].content] == Array("xy".utf8))
    }

    @Test func malformedCustomSections() {
        typealias Problem = TextError.AnnotationProblem
        let cases: [(String, TextError.Reason)] = [
            ("(@custom)", .malformedAnnotation(.missingName)),
            ("(@custom a)", .malformedAnnotation(.missingName)),
            (#"(@custom "\df")"#, .malformedAnnotation(.malformedName)),
            (#"(@custom "a" here)"#, .malformedAnnotation(.unexpectedToken)),
            (#"(@custom "a" (after))"#, .malformedAnnotation(.malformedSection)),
            (#"(@custom "a" (aft type))"#, .malformedAnnotation(.malformedPlacement)),
            (#"(@custom "a" (before last))"#, .malformedAnnotation(.malformedSection)),
            (#"(@custom "a" (before type) (before type))"#, .malformedAnnotation(.unexpectedToken)),
            (#"(func (@custom "a"))"#, .misplacedAnnotation),
            (#"(func (block (@custom "a")))"#, .misplacedAnnotation),
            (#"(type (@custom "a") $t (func))"#, .misplacedAnnotation),
            (#"(@"custom" 1)"#, .malformedAnnotation(.missingName)),
        ]
        for (text, expected) in cases { #expect(reason(text) == expected, "\(text)") }
        // Inside another annotation it is nothing.
        #expect(reason("(@a (@custom))") == nil)
    }

    @Test func names() throws {
        let module = try decoded(
            #"""
            (module $m
              (rec (type $t (func)) (type $s (struct (field) (field i32) (field $z i32))))
              (import "" "" (func $i (param $parameter i32)))
              (table $tab 1 funcref) (memory $mem 1) (tag $tag)
              (global $g i32 (i32.const 0))
              (elem $e func) (data $d "")
              (func)
              (func $f (param i32) (param $x i32) (local $y i32)
                (block (block $l1)) (if $l3 (block $l2 (result i32) (i32.const 0)) (then)))
            )
            """#)
        let names = try #require(module.names())
        func list(_ map: NameMap?) -> [String] { map?.all.map { "\($0.index) \($0.name)" } ?? [] }
        #expect(names.module == "m")
        #expect(list(names.functions) == ["0 i", "2 f"])
        #expect(names.locals.indices == [0, 2])
        #expect(list(names.locals[0]) == ["0 parameter"])
        #expect(list(names.locals[2]) == ["1 x", "2 y"])
        #expect(list(names.labels[2]) == ["1 l1", "2 l2", "3 l3"])
        #expect(list(names.types) == ["0 t", "1 s"])
        #expect(list(names.fields[1]) == ["1 z"])
        #expect(list(names.tables) == ["0 tab"])
        #expect(list(names.memories) == ["0 mem"])
        #expect(list(names.tags) == ["0 tag"])
        #expect(list(names.globals) == ["0 g"])
        #expect(list(names.elementSegments) == ["0 e"])
        #expect(list(names.dataSegments) == ["0 d"])
        #expect(try decoded("(func (param i32) (block))").names() == nil)
    }

    @Test func nameAnnotations() throws {
        let named = try decoded(
            #"(module $m (@name "M o") (func $f (@name "F \u{e9}")) (func (@name "G")))"#)
        #expect(named.names()?.module == "M o")
        #expect(named.names()?.functions[0] == "F \u{e9}")
        #expect(named.names()?.functions[1] == "G")
        #expect(reason(#"(module (@name "a") (@name "b"))"#) == .duplicateAnnotation)
        #expect(reason(#"(module (func) (@name "a"))"#) == .misplacedAnnotation)
        #expect(reason(#"(func $f) (start $f (@name "a"))"#) == .misplacedAnnotation)
        #expect(reason("(func (@name))") == .malformedAnnotation(.missingName))
        #expect(reason(#"(func (@name "a" "b"))"#) == .malformedAnnotation(.unexpectedToken))
    }

    @Test func branchHints() throws {
        let hint = #"(@metadata.code.branch_hint "\01")"#
        let module = try decoded(
            """
            (func)
            (func (param i32)
              \(hint) (if (local.get 0) (then nop))
              block
                local.get 0
                (@metadata.code.branch_hint "\\00") br_if 0
                (\(hint) br_if 0 (local.get 0))
              end)
            """)
        #expect(
            module.branchHints() == [
                1: [
                    BranchHint(offset: 3, isLikely: true), BranchHint(offset: 11, isLikely: false),
                    BranchHint(offset: 15, isLikely: true),
                ]
            ])
        // The section has to be in front of the code.
        #expect(module.customSections.map(\.position) == [2])
        #expect(
            reason("(func i32.const 0 \(hint) \(hint) if end)") == .duplicateAnnotation)
        #expect(reason("\(hint) (func)") == .malformedAnnotation(.outsideOfFunction))
        #expect(reason("(func \(hint) nop)") == .malformedAnnotation(.invalidTarget))
        #expect(reason("(func nop \(hint))") == .malformedAnnotation(.invalidTarget))
        #expect(
            reason(#"(func i32.const 0 (@metadata.code.branch_hint "\02") if end)"#)
                == .malformedAnnotation(.malformedHint))
    }
}
