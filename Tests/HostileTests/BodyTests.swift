import Testing
import WasmInterpreter
import WasmText

/// Bodies that are larger, deeper or wider than any compiler makes them.
@Suite struct BodyTests {
    private func repeated(_ code: [UInt8], _ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(code.count * count)
        for _ in 0..<count { result += code }
        return result
    }

    // MARK: Locals

    @Test func tooManyLocals() {
        let cage = Cage()
        for (groups, counts) in [(1, [1_000_000]), (2, [49_999, 2]), (1, [0xffff_ffff])] {
            let locals =
                HostileModule.unsigned(groups)
                + counts.flatMap { HostileModule.unsigned($0) + [0x7f] }
            let error = #expect(throws: ModuleError.self) {
                try cage.module(HostileModule(locals: locals, function: []))
            }
            guard case .invalid(let invalid)? = error, case .malformed(let reason) = invalid.reason
            else {
                Issue.record("refused as \(String(describing: error))")
                continue
            }
            #expect(reason.reason == .tooManyLocals)
        }
        // Their sum does not fit a number of 32 bits.
        let sum =
            HostileModule.unsigned(3) + repeated(HostileModule.unsigned(0xffff_ffff) + [0x7b], 3)
        #expect(throws: ModuleError.self) {
            try cage.module(HostileModule(locals: sum, function: []))
        }
    }

    /// As many as there may be, all of 16 bytes, in a function that calls itself: the value stack
    /// ends it.
    @Test func frameOfManyLocals() throws {
        let locals = HostileModule.unsigned(1) + HostileModule.unsigned(50_000) + [0x7b]
        let cage = Cage()
        let hostile = HostileModule(locals: locals, function: [0x10, 0])
        let instance: Instance
        do {
            instance = try cage.instantiate(hostile)
        } catch is ModuleError {
            // More slots than a frame has room for may be refused as well.
            return
        }
        let code = try cage.trap(instance)
        #expect(code == .stackExhausted || code == .implementationLimit)
    }

    // MARK: Nesting

    @Test(
        arguments: [
            [0x02, 0x40], [0x03, 0x40], [0x41, 0x01, 0x04, 0x40], [0x1f, 0x40, 0x00],
            // With a branch out of all of them.
            [0x02, 0x40, 0x41, 0x00, 0x0d, 0x00],
        ] as [[UInt8]])
    func deepNesting(opening: [UInt8]) throws {
        let depth = 100_000
        let cage = Cage()
        let hostile = HostileModule(function: repeated(opening, depth) + repeated([0x0b], depth))
        #expect(try cage.trap(cage.instantiate(hostile)) == nil)
    }

    @Test func branchOutOfDeepNesting() throws {
        let depth = 100_000
        let cage = Cage()
        let code =
            repeated([0x02, 0x40], depth) + [0x0c] + HostileModule.unsigned(depth - 1)
            + repeated([0x0b], depth)
        #expect(try cage.trap(cage.instantiate(HostileModule(function: code))) == nil)
    }

    /// Nesting that is never closed.
    @Test func unclosedNesting() {
        let cage = Cage()
        let hostile = HostileModule(function: repeated([0x02, 0x40], 1_000_000))
        #expect(throws: ModuleError.self) { try cage.module(hostile) }
    }

    /// A million operands on the stack at one point.
    @Test func manyOperands() throws {
        let cage = Cage()
        let hostile = HostileModule(
            function: repeated([0x41, 0], 1_000_000) + repeated([0x1a], 1_000_000))
        do throws(ModuleError) {
            let module = try cage.module(hostile)
            let instance = try? cage.linker.instantiate(module, in: cage.store)
            if let instance { _ = try? cage.trap(instance) }
        } catch {
            guard case .invalid(let error) = error, case .limitExceeded = error.reason else {
                Issue.record("refused as \(error)")
                return
            }
        }
    }

    @Test func deepText() {
        let depth = 300_000
        for opening in ["(block ", "(i32.eqz ", "(", "(if (then "] {
            let text = "(module (func " + String(repeating: opening, count: depth)
            #expect(throws: TextError.self) { try parseModule(Array(text.utf8)) }
            let closed =
                text
                + String(
                    repeating: ")", count: depth * opening.utf8.filter { $0 == 0x28 }.count + 2)
            #expect(throws: TextError.self) { try parseModule(Array(closed.utf8)) }
        }
        let comments = String(repeating: "(;", count: depth)
        #expect(throws: TextError.self) { try parseModule(Array(comments.utf8)) }
    }

    // MARK: Tables of labels

    @Test func tooManyLabels() {
        let cage = Cage()
        let claimed = [0x41, 0, 0x0e] + HostileModule.unsigned(10_000_000)
        #expect(throws: ModuleError.self) { try cage.module(HostileModule(function: claimed)) }
        let there = claimed + [UInt8](repeating: 0, count: 7_000_000)
        #expect(cage.limit(HostileModule(function: there)) == .labels)
    }

    /// As many labels as there may be, a hundred times: each way out needs moves of its own.
    @Test func manyLabels() throws {
        let table = [0x41, 0x07, 0x0e] + HostileModule.unsigned(65_520) + repeated([0], 65_521)
        let code = repeated([0x02, 0x40] + table + [0x0b], 100)
        let cage = Cage()
        #expect(try cage.trap(cage.instantiate(HostileModule(function: code))) == nil)
    }

    @Test func tooLargeBody() {
        let code = [UInt8](repeating: 0x01, count: 7_700_000)
        #expect(Cage().limit(HostileModule(function: code)) == .bodySize)
    }
}
