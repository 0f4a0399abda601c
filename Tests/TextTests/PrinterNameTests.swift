import Testing
import WasmDecoder

@testable import WasmText

/// Names, custom sections and branch hints.
@Suite struct PrinterNameTests {
    @Test func everythingThatHasAName() throws {
        try expectSameBytes(
            assemble(
                """
                (module $m (type $t (struct (field $a i32) (field i64) (field $b f32)))
                  (type $f (func)) (import "" "f" (func $i (param $x i32)))
                  (table $tab 1 funcref) (memory $mem 1) (tag $e) (global $g i32 (i32.const 0))
                  (func $d (type $f) (local i32) (local $y i32)
                    (block $b (loop $l (br $b)) (block $l (br $l))))
                  (elem $el func $d) (data $da "x"))
                """))
    }

    @Test func namesThatAreNoPlainIdentifiers() throws {
        let text = #"""
            (module $"a b" (func $"\u{202e}\00\"é" (param $" " i32)) (func (@name "")))
            """#
        let binary = assemble(text)
        try expectSameBytes(binary)
        let printed = try TextPrinter().string(binary)
        #expect(printed.hasPrefix(#"(module $"a b""#))
        #expect(printed.contains(#"(func $"\u{202e}\00\"é" (;0;)"#))
        #expect(printed.contains(#"(func (@name "") (;1;)"#))
        try expectSameBytes(assemble(#"(module (@name ""))"#))
    }

    @Test func namesThatAreNotUnique() throws {
        let text = #"""
            (func (@name "f") (call 1) (call 2)) (func (@name "f")) (func (@name "f.1"))
            """#
        try expectSameBytes(assemble(text))
        #expect(
            try printed(text).suffix(5) == [
                "(func $f (;0;) (type 0)", #"  call $f.11"#, "  call $f.1)",
                #"(func $f.11 (@name "f") (;1;) (type 0))"#, "(func $f.1 (;2;) (type 0))",
            ])
    }

    @Test func labelsThatHideOthers() throws {
        let text = "(func block $a block $a br $a br 1 br 2 end br $a end)"
        try expectSameBytes(assemble(text))
        #expect(
            try printed(text).suffix(7)
                == [
                    "  block $a", "    block $a", "      br $a", "      br 1 (;@1;)",
                    "      br 2 (;@0;)", "    end", "    br $a", "  end)",
                ].suffix(7))
    }

    @Test func namesOfWhatIsNotThere() throws {
        // A function, a local and a label with names, all far beyond what the module has.
        let names: [UInt8] = [
            1, 7, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 2, 10, 1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f,
            1, 0x61, 3, 10, 1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0x61,
        ]
        var binary = ByteWriter(bytes: module(body: [0x02, 0x40, 0x0b]))
        var section = ByteWriter()
        section.vector(Array("name".utf8))
        section.append(names)
        binary.byte(0)
        binary.vector(section.bytes)
        try expectSameBytes(binary.bytes)
        for var printer in TextPrinter.faithful {
            printer.keepsPadding = false
            let again = assemble(try printer.string(binary.bytes))
            #expect(again == module(body: [0x02, 0x40, 0x0b]))
        }
    }

    @Test func customSections() throws {
        let fields = """
            (type (func)) (import "" "" (func (type 0))) (func (type 0) (data.drop 0))
            (table 0 funcref) (memory 0) (tag (type 0)) (global i32 (i32.const 0))
            (export "" (func 0)) (start 0) (elem func) (data "")
            """
        let places = [
            "type", "import", "func", "table", "memory", "tag", "global", "export", "start",
            "elem", "datacount", "code", "data",
        ]
        var customs = #"(@custom "first" (before first) "\00\ff") (@custom "last") (@custom "")"#
        for place in places { customs += " (@custom \"\(place)\" (after \(place)) \"x\" \"y\")" }
        try expectSameBytes(assemble("(module \(fields) \(customs))"))
        try expectSameBytes(assemble("(module $named \(fields) \(customs))"))
        try expectSameBytes(assemble(#"(module (@custom "a"))"#))
        let long = String(repeating: "abc\\0a\\ff", count: 500)
        try expectSameBytes(assemble("(module (@custom \"a\" \"\(long)\"))"))
    }

    @Test func nameSectionsThatCannotBeRead() throws {
        let text = #"(module (func) (@custom "name" "\01\ff"))"#
        try expectSameBytes(assemble(text))
        #expect(try printed(text).last == #"(@custom "name" "\01\ff")"#)
    }

    @Test func branchHints() throws {
        let text = #"""
            (func (param i32) (@metadata.code.branch_hint "\01")
              (if (block (result i32) (@metadata.code.branch_hint "\00") (br_if 0 (local.get 0)
                (local.get 0))) (then))
              local.get 0 (@metadata.code.branch_hint "\00") if else end)
            """#
        let binary = assemble(text)
        let module = try decode(ModuleBytes(binary))
        #expect(module.branchHints()[0]?.count == 3)
        try expectSameBytes(binary)
        #expect(try TextPrinter().string(binary).contains("@metadata.code.branch_hint \"\\01\")"))
    }

    @Test func branchHintsOfOtherInstructions() throws {
        // A hint at the first instruction, which is no branch.
        let text = #"""
            (func nop) (@custom "metadata.code.branch_hint" (before code) "\01\00\01\01\01\00")
            """#
        try expectSameBytes(assemble(text))
        let lines = try printed(text)
        #expect(lines.contains { $0.hasPrefix("(@custom \"metadata.code.branch_hint\"") })
    }
}
