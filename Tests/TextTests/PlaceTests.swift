import Testing
import WasmDecoder

@testable import WasmText

/// Where in the text an instruction of the binary stands.
@Suite struct PlaceTests {
    /// What the instructions of a function were made of, in the order of the binary: the text from
    /// each of the places that the bytes of its body have.
    private func places(_ instructions: String) throws -> [String] {
        let text = Array("(func nop) (func \(instructions)) (func i32.const 1 drop)".utf8)
        let module = try decode(
            ModuleBytes(try parseModule(text)), features: [.all, .legacyExceptions])
        let body = try #require(module.body(of: 1))
        var ranges: [Range<Int>] = []
        // The first byte says that there are no locals.
        for offset in 1..<body.end - body.start {
            let place = try #require(placeOfInstruction(in: text, function: 1, offset: offset))
            if ranges.last != place.range { ranges.append(place.range) }
        }
        return ranges.map { String(decoding: text[$0], as: UTF8.self) }
    }

    @Test func plainInstructions() throws {
        #expect(
            try places("i32.const 1000 if $l nop else $l br 0 end drop")
                == ["i32.const", "if", "nop", "else", "br", "end", "drop", ")"])
        #expect(
            try places("try nop catch_all rethrow 0 end")
                == ["try", "nop", "catch_all", "rethrow", "end", ")"])
    }

    @Test func foldedInstructions() throws {
        #expect(
            try places("(i32.store offset=7 (i32.const 0) (i32.add (local.get 0) (i32.const 1)))")
                == ["i32.const", "local.get", "i32.const", "i32.add", "i32.store", ")"])
        #expect(
            try places("(if (i32.eqz (i32.const 0)) (then (nop)) (else unreachable))")
                == ["i32.const", "i32.eqz", "if", "nop", "else", "unreachable", ")", ")"])
        #expect(
            try places("(block (loop (br 1)) (return (call 0)))")
                == ["block", "loop", "br", ")", "call", "return", ")", ")"])
        #expect(
            try places("(try (do (nop)) (catch_all (drop (i32.const 0))))")
                == ["try", "nop", "catch_all", "i32.const", "drop", ")", ")"])
        #expect(try places("(try (do (nop)) (delegate 0))") == ["try", "nop", "delegate", ")"])
    }

    @Test func whatIsNotThere() {
        let text = Array("(import \"\" \"\" (func)) (func nop)".utf8)
        #expect(placeOfInstruction(in: text, function: 0, offset: 1) == nil)
        #expect(placeOfInstruction(in: text, function: 1, offset: 1)?.range == 28..<31)
        #expect(placeOfInstruction(in: text, function: 1, offset: 0) == nil)
        #expect(placeOfInstruction(in: text, function: 2, offset: 1) == nil)
        let quote = Array("(module quote \"(func nop)\")".utf8)
        #expect(placeOfInstruction(in: quote, function: 0, offset: 1) == nil)
        #expect(placeOfInstruction(in: Array("(func".utf8), function: 0, offset: 1) == nil)
    }
}
