import Testing
import WasmDecoder

@testable import WasmText

/// From offsets of a module to the lines of its text.
@Suite struct TextMapTests {
    private let text = Array(
        """
        (module
          (type (func))
          (import "a" "b" (func))
          (memory 1)
          (func $f (export "f")
            nop
            (drop
              (i32.const 7)))
          (func (export "g") (export "h")
            call $f)
          (data (i32.const 1) "x")
          (data "y"))
        """.utf8)

    private func word(_ place: TextPlace?) -> String? {
        place.map { String(decoding: text[$0.range], as: UTF8.self) }
    }

    @Test func instructions() throws {
        let map = try #require(TextMap(text))
        let module = try decode(ModuleBytes(try parseModule(text)))
        let body = try #require(module.body(of: 1))
        let places = map.places(in: body.start..<body.end)
        #expect(places.map { word($0.place) } == ["nop", "i32.const", "drop", ")"])
        #expect(places.map { map.position(of: $0.place).line } == [6, 8, 7, 8])
        #expect(places.map { map.position(of: $0.place).column } == [5, 8, 6, 21])
        #expect(word(map.place(at: body.start + 3)) == "i32.const")
        #expect(word(map.place(at: body.start - 1)) == "func")
        #expect(map.place(at: 0) == nil)
    }

    @Test func entries() throws {
        let map = try #require(TextMap(text))
        func line(_ section: UInt8, _ position: Int) -> Int? {
            map.place(ofEntry: position, inSection: section).map { map.position(of: $0).line }
        }
        #expect(line(1, 0) == 2 && line(2, 0) == 3 && line(5, 0) == 4)
        #expect(line(3, 0) == 5 && line(3, 1) == 9)
        #expect(line(7, 0) == 5 && line(7, 1) == 9 && line(7, 2) == 9)
        #expect(line(11, 0) == 11 && line(11, 1) == 12)
        #expect(line(6, 0) == nil)
    }

    @Test func quotedModulesHaveNone() {
        #expect(TextMap(Array("(module quote \"(func)\")".utf8)) == nil)
        #expect(TextMap(Array("(module".utf8)) == nil)
    }

    @Test func errorsSayLineAndColumn() {
        func description(_ text: [UInt8]) -> String? {
            do {
                _ = try parseModule(text)
                return nil
            } catch { return "\(error)" }
        }
        #expect(description(Array("(module\n  (func i32.ad))".utf8)) == "2:9: unknown operator")
        #expect(
            description([0xef, 0xbb, 0xbf, 0x28])?.hasPrefix("1:1: this begins with a byte") == true
        )
        #expect(description([0xff, 0xfe, 0x28, 0])?.contains("UTF-16") == true)
        #expect(description([0x1f, 0x8b, 8])?.contains("gunzip") == true)
        #expect(description([]) == nil)
    }

    @Test func namesOfImportedParameters() throws {
        let module = try decode(
            ModuleBytes(
                assemble(
                    """
                    (module (type $t (func (param i32 i32)))
                      (import "host" "stop" (func $stop (param $code i32)))
                      (func $in (import "host" "in") (type $t) (param $a i32) (param $b i32))
                      (func $own (param $reason i32)))
                    """)))
        let locals = try #require(module.names()?.locals)
        #expect(locals[0]?[0] == "code")
        #expect(locals[1]?[0] == "a" && locals[1]?[1] == "b")
        #expect(locals[2]?[0] == "reason")
    }
}
