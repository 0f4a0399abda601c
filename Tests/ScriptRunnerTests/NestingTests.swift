import Testing
import WasmScriptRunner

/// Nesting far beyond what a native stack would bear, in texts and binaries.
@Suite struct NestingTests {
    private static let depth = 100_000

    private func repeated(_ text: String, _ count: Int = depth) -> String {
        String(repeating: text, count: count)
    }

    private func failures(_ script: String) -> [ScriptFailure] {
        runScript(Array(script.utf8)).failures
    }

    @Test func blocks() {
        #expect(
            failures(
                "(module (func (export \"f\") (result i32) (local i32) "
                    + repeated("block ") + "local.get 0 br_if \(Self.depth - 1) "
                    + "i32.const 7 local.set 0 " + repeated("end ") + "local.get 0))\n"
                    + "(assert_return (invoke \"f\") (i32.const 7))"
            ).isEmpty)
    }

    @Test func foldedBlocks() {
        #expect(
            failures(
                "(module (func (export \"f\") (result i32) " + repeated("(block (result i32) ")
                    + "(i32.const 8)" + repeated(")") + "))\n"
                    + "(assert_return (invoke \"f\") (i32.const 8))"
            ).isEmpty)
    }

    @Test func foldedOperands() {
        let left =
            repeated("(i32.add ") + "(i32.const 0)" + repeated(" (i32.const 1))")
        #expect(
            failures(
                "(module (func (export \"f\") (result i32) \(left)))\n"
                    + "(assert_return (invoke \"f\") (i32.const \(Self.depth)))"
            ).isEmpty)
        // All operands stand on the stack at once: more than a frame has room for.
        let right =
            repeated("(i32.add (i32.const 1) ") + "(i32.const 0)" + repeated(")")
        #expect(
            failures(
                "(module (func (export \"f\") (result i32) \(right)))\n"
                    + "(assert_trap (invoke \"f\") \"implementation limit exceeded\")"
            ).isEmpty)
    }

    @Test func ifs() {
        #expect(
            failures(
                "(module (func (export \"f\") (param i32) (result i32) "
                    + repeated("(if (result i32) (local.get 0) (then ") + "(i32.const 9)"
                    + repeated(") (else (i32.const 3)))") + "))\n"
                    + "(assert_return (invoke \"f\" (i32.const 1)) (i32.const 9))\n"
                    + "(assert_return (invoke \"f\" (i32.const 0)) (i32.const 3))"
            ).isEmpty)
    }

    /// What is not closed, or closed once too often, is malformed.
    @Test func unbalanced() {
        for text in [
            repeated("(block "), repeated("block "),
            repeated("block ") + repeated("end ", Self.depth + 1),
        ] {
            #expect(
                failures("(assert_malformed (module quote \"(func \(text))\") \"\")").isEmpty)
        }
        #expect(failures(repeated("(")).count == 1)
        #expect(failures(repeated("(module ")).count == 1)
    }

    /// A binary of nested blocks that never end, and one where they do.
    @Test func binary() {
        // A function body: size, no locals, blocks, ends.
        func script(_ blocks: Int, _ ends: Int) -> String {
            let size = 1 + 2 * blocks + ends
            let body = leb(size) + "\\00" + repeated("\\02\\40", blocks) + repeated("\\0b", ends)
            let content = 1 + leb(size).utf8.count / 3 + size
            return "\"\\00asm\\01\\00\\00\\00\" \"\\01\\04\\01\\60\\00\\00\" \"\\03\\02\\01\\00\" "
                + "\"\\07\\05\\01\\01f\\00\\00\" \"\\0a\(leb(content))\\01\(body)\""
        }
        #expect(
            failures(
                "(module binary \(script(Self.depth, Self.depth + 1)))\n"
                    + "(assert_return (invoke \"f\"))"
            ).isEmpty)
        #expect(
            failures("(assert_malformed (module binary \(script(Self.depth, 1))) \"\")").isEmpty)
    }

    /// A number in LEB128 as escapes of a string, always five bytes.
    private func leb(_ value: Int) -> String {
        var text = ""
        for group in 0..<5 {
            let byte = value >> (7 * group) & 0x7f | (group < 4 ? 0x80 : 0)
            let digits = String(byte, radix: 16)
            text += "\\" + (digits.utf8.count == 1 ? "0" : "") + digits
        }
        return text
    }
}
