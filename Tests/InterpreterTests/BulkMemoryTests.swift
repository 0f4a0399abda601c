import Testing
import WasmInterpreter

/// `memory.copy` and `memory.fill` of small sizes, which have ways of their own.
@Suite struct BulkMemoryTests {
    @Test func smallCopiesAndFills() throws {
        let instance = try TextHouse().instantiate(
            """
            (memory (export "m") 1)
            (func (export "copy") (param i32 i32 i32)
              (memory.copy (local.get 0) (local.get 1) (local.get 2)))
            (func (export "fill") (param i32 i32 i32)
              (memory.fill (local.get 0) (local.get 1) (local.get 2)))
            """)
        let memory = try #require(instance.memory("m"))
        var expected = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
        func check(_ name: String, _ to: Int, _ from: Int, _ count: Int) throws {
            try memory.store(contentsOf: expected, at: 0)
            try instance.call(name, .i32(Int32(to)), .i32(Int32(from)), .i32(Int32(count)))
            if name == "copy" {
                let bytes = Array(expected[from..<(from + count)])
                expected.replaceSubrange(to..<(to + count), with: bytes)
            } else {
                expected.replaceSubrange(
                    to..<(to + count), with: repeatElement(UInt8(from & 0xff), count: count))
            }
            #expect(
                try memory.loadArray(of: UInt8.self, at: 0, count: 300) == expected,
                "\(name) \(to) \(from) \(count)")
        }
        for count in 0...80 {
            // Apart, the same place, overlapping forward and backward.
            for (to, from) in [(150, 3), (40, 40), (41, 40), (40, 41), (47, 40), (40, 56)] {
                try check("copy", to, from, count)
            }
            try check("fill", 33, count + 300, count)
        }
        for (to, from, count) in [(65_529, 0, 8), (0, 65_530, 7), (0, 65_500, 64), (-1, 0, 16)] {
            let error = #expect(throws: Trap.self) {
                try instance.call(
                    "copy", .i32(Int32(to)), .i32(Int32(from)), .i32(Int32(count)))
            }
            #expect(error?.code == .outOfBoundsMemoryAccess)
        }
        #expect(throws: Trap.self) { try instance.call("fill", .i32(65_500), .i32(0), .i32(40)) }
    }
}
