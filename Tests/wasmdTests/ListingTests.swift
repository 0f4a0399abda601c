import Testing

@testable import wasmd

@Suite struct ListingTests {
    @Test func registerCodeStandsBesideTheWasmItWasMadeOf() {
        let wasm = [
            InstructionLine(offset: 16, depth: 0, text: "local.get 0"),
            InstructionLine(offset: 18, depth: 0, text: "block"),
            InstructionLine(offset: 20, depth: 1, text: "i32.add"),
            InstructionLine(offset: 21, depth: 0, text: "end"),
        ]
        let code = [
            RegisterLine(offset: nil, word: 0, text: "enter"),
            RegisterLine(offset: 20, word: 2, text: "add"),
            RegisterLine(offset: 20, word: 4, text: "add again"),
            RegisterLine(offset: 99, word: 6, text: "return"),
        ]
        let space = String(repeating: " ", count: 48)
        #expect(
            Listing(wasm: wasm, code: code).lines == [
                "  0x10      local.get 0".padded(to: 48) + "    0  enter",
                "  0x12      block",
                "  0x14        i32.add".padded(to: 48) + "    2  add",
                space + "    4  add again",
                "  0x15      end".padded(to: 48) + "    6  return",
            ])
    }

    @Test func longLinesOfWasmStandAlone() {
        let text = String(repeating: "x", count: 60)
        let wasm = [InstructionLine(offset: 1, depth: 0, text: text)]
        let code = [RegisterLine(offset: 1, word: 0, text: "a")]
        #expect(Listing(wasm: wasm, code: code).lines.count == 2)
    }
}
