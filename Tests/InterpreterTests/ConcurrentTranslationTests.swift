import Testing
import WasmMachine

@testable import WasmInterpreter

/// Several stores on several threads need the same functions at the same time.
@Suite struct ConcurrentTranslationTests {
    /// All of them get results, whether they translate, wait or find code that is there; one that is
    /// stopped does not keep the others from going on.
    @Test func storesShareFunctions() throws {
        let house = TextHouse()
        let module = try house.module(
            """
            (global $sum (mut i32) (i32.const 0))
            (func $large (result i32)
              \(String(repeating: "(global.set $sum (i32.add (global.get $sum) (i32.const 1)))\n", count: 9500))
              (global.get $sum))
            (func $small (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
            (func (export "run") (result i32) (call $small (call $large)))
            """)
        let failures = concurrently(6) { index in
            let store = Store(engine: module.engine)
            let instance = try Linker().instantiate(module, in: store)
            if index == 0 {
                store.deadline = .now
                do {
                    _ = try instance.number("run")
                } catch let trap as Trap where trap.code == .deadlineExceeded {}
                store.deadline = nil
                return
            }
            for round in 1...3 as ClosedRange<Int32> {
                guard try instance.number("run") == 9500 * round + 1 else {
                    throw Trap(.unreachable)
                }
            }
        }
        #expect(failures == 0)
        #expect(module.translationStatistics.functions == 3)
    }
}

/// Finding code by its address.
@Suite struct CodePlacesTests {
    @Test func blocksAreFoundWhileOthersAreAdded() throws {
        var places = CodePlaces()
        var blocks: [CodeBlock] = []
        defer { for block in blocks { block.start.deallocate() } }
        for function in 0..<300 {
            let words = [CodeWord](repeating: 0, count: 1 + function % 5)
            let block = CodeBlock(
                TranslatedCode(words: words, entry: 0, handlers: nil, blocks: [], slotCount: 0))
            blocks.append(block)
            places.add(block, of: function)
            // Often, seldom, and often again.
            guard function % 7 == 0 || function > 200 else { continue }
            for (index, block) in blocks.enumerated() {
                #expect(places.place(of: block.start)?.function == index)
                #expect(places.place(of: block.start + block.words)?.function == index)
            }
        }
        let first = try #require(blocks.map(\.start).min())
        #expect(places.place(of: first - 1) == nil)
    }
}
