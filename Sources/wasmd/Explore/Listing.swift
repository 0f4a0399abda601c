/// Wasm on the left, its register code on the right.
struct Listing {
    /// Where register code begins; a longer line of wasm moves it to the next line.
    private static let column = 48

    let lines: [String]

    init(wasm: [InstructionLine], code: [RegisterLine]) {
        guard !code.isEmpty else {
            lines = wasm.map(Self.text)
            return
        }
        // Register code keeps its order: each line is next to the last wasm instruction that begins
        // no later than the one it was made for.
        var lines: [String] = []
        var rest = code[...]
        for (number, line) in wasm.enumerated() {
            let end = number + 1 < wasm.count ? wasm[number + 1].offset : Int.max
            var left = Self.text(line)
            while let next = rest.first, (next.offset ?? line.offset) < end {
                rest.removeFirst()
                if left.count + 2 > Self.column {
                    lines.append(left)
                    left = ""
                }
                let code = "\(next.word)".aligned(to: 5) + "  " + next.text
                lines.append(left.padded(to: Self.column) + code)
                left = ""
            }
            if !left.isEmpty { lines.append(left) }
        }
        self.lines = lines
    }

    /// `  0x1a3     i32.add`
    private static func text(_ line: InstructionLine) -> String {
        let indentation = String(repeating: "  ", count: min(line.depth, 12))
        return "  \(hexadecimal(line.offset).padded(to: 9)) \(indentation)\(line.text)"
    }
}
