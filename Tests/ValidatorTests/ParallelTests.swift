import Testing
import WasmDecoder
import WasmValidator

@Suite struct ParallelTests {
    /// Many functions, some of them wrong.
    private func module(
        count: Int, wrong: Set<Int> = [], malformed: Set<Int> = []
    ) -> ModuleBuilder {
        var builder = ModuleBuilder(types: [functionType([i32], [i32])])
        let code = Array(repeating: localGet(0) + i32Add, count: 40).flatMap { $0 }
        for index in 0..<count {
            if malformed.contains(index) {
                builder.function(0, localGet(0), [0xff])
            } else if wrong.contains(index) {
                builder.function(0, localGet(0), i64Add)
            } else {
                builder.function(0, localGet(0), code)
            }
        }
        return builder
    }

    private func error(_ builder: ModuleBuilder, threads: Int?) -> ValidationError? {
        do {
            _ = try builder.validate(threads: threads)
            return nil
        } catch {
            return error as? ValidationError
        }
    }

    @Test(arguments: [1, 2, 3, 8, nil] as [Int?])
    func threadsAgree(_ threads: Int?) throws {
        #expect(error(module(count: 4000), threads: threads) == nil)
        for _ in 0..<5 {
            let error = error(module(count: 4000, wrong: [3999, 700, 701, 2500]), threads: threads)
            #expect(error?.function == 700)
            #expect(error?.reason == .typeMismatch(.operand(expected: .i64, found: .i32)))
        }
    }

    @Test func featuresOfAllThreadsCount() throws {
        var builder = module(count: 4000)
        builder.function(0, localGet(0), v128Const, drop)
        #expect(try builder.validate(threads: 4).requiredFeatures == .simd)
    }

    @Test(arguments: [1, 4]) func malformedBodiesComeFirst(_ threads: Int) {
        let builder = module(count: 3000, wrong: [5, 2000], malformed: [2900, 1500])
        let found = error(builder, threads: threads)
        #expect(found?.function == 1500)
        guard case .malformed(let reason) = found?.reason else {
            Issue.record("not malformed")
            return
        }
        #expect(reason.reason == .illegalOpcode)
        // Also if it is nothing in a body that is wrong.
        var other = module(count: 3, malformed: [2])
        other.start = 7
        #expect(error(other, threads: threads)?.isMalformed == true)
    }
}

@Suite struct MalformedTests {
    private func reason(_ body: [UInt8]) throws -> DecodingError.Reason? {
        var builder = ModuleBuilder(types: [functionType()])
        builder.functions = [0]
        builder.bodies = [body]
        guard case .malformed(let error) = try builder.reason() else { return nil }
        return error.reason
    }

    @Test func structure() throws {
        #expect(try reason([0, 0x0b]) == nil)
        #expect(try reason([0]) == .unexpectedEnd)
        #expect(try reason([0, 0x02, 0x40, 0x0b]) == .unexpectedEnd)
        #expect(try reason([0, 0x0b, 0x0b]) == .endExpected)
        #expect(try reason([0, 0x05, 0x0b]) == .endExpected)
        #expect(try reason([0, 0x02, 0x40, 0x05, 0x0b, 0x0b]) == .endExpected)
        #expect(try reason([0, 0x41, 0, 0x04, 0x40, 0x05, 0x05, 0x0b, 0x0b]) == .endExpected)
        #expect(try reason([0, 0x07, 0x0b]) != nil)
        #expect(
            try reason([0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x0b])
                == .integerRepresentationTooLong)
        #expect(try reason([1, 1]) == .unexpectedEnd)
        #expect(try reason([1, 1, 0x40, 0x0b]) == .malformedValueType)
        #expect(
            try reason([2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 1, 0x7f, 0x0b])
                == .tooManyLocals)
    }

    /// A type error before does not hide it.
    @Test func typeErrorsDoNotHideIt() throws {
        #expect(try reason([0, 0x6a, 0xff, 0x0b]) == .illegalOpcode)
        #expect(try reason([0, 0x6a, 0x0b, 0x0b]) == .endExpected)
        #expect(try reason([0, 0x6a, 0xfc, 9, 0, 0x0b]) == .dataCountRequired)
        #expect(try reason([0, 0x6a, 0x02, 0x40, 0x0b, 0x0b]) == nil)
    }
}
