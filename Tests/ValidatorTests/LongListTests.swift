import Synchronization
import Testing
import WasmDecoder

@testable import WasmValidator

/// How often somebody was asked.
private final class Count: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    func reset() { count.store(0, ordering: .relaxed) }
}

/// Lists of many types that match without being equal.
@Suite struct LongListTests {
    private static let count = 40

    /// Calls of functions whose parameters are supertypes of their results, branches and clauses that
    /// carry them. What is not known to match is looked at type by type, and errors are found there.
    private func reason(_ code: [UInt8]) throws -> ValidationError.Reason? {
        let many = { (type: [UInt8]) in Array(repeating: type, count: Self.count) }
        let some = many([0x64] + eqref)
        var builder = ModuleBuilder()
        builder.types = [
            functionType(), functionType(many(eqref), some), functionType([], some),
            functionType([], many(i32)), functionType([], some.dropLast() + [anyref]),
        ]
        builder.function(0, code)
        for type in 1...4 as ClosedRange<UInt32> { builder.function(type, [0x00]) }
        return try builder.reason()
    }

    private let drops = [UInt8](repeating: 0x1a, count: count)

    @Test func subtypesMatchAgainAndAgain() throws {
        let calls = Array(repeating: [0x10, 1] as [UInt8], count: 50).joined()
        #expect(try reason([0x10, 2] + calls + drops) == nil)
        // Another list between.
        let code: [UInt8] = [0x10, 2] + calls + drops
        #expect(try reason(code + [0x10, 3] + drops + code) == nil)
    }

    @Test func oneTypeThatDoesNotMatch() throws {
        let call: [UInt8] = [0x10, 1]
        for wrong in [3, 4] as [UInt8] {
            let found = try reason([0x10, 2] + call + call + drops + [0x10, wrong] + call + drops)
            guard case .typeMismatch(.operand) = found else {
                Issue.record("\(String(describing: found))")
                return
            }
        }
        // One too few, and one of the block around.
        let found = try reason([0x10, 2, 0x1a] + call + drops)
        guard case .typeMismatch(.operand(_, nil)) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    // MARK: Cancellation

    @Test(arguments: [1, 3]) func validationIsCancelled(threads: Int) throws {
        var builder = ModuleBuilder()
        builder.types = [functionType()]
        for _ in 0..<4 { builder.function(0, [UInt8](repeating: 0x01, count: 200_000)) }
        let parsed = try decode(ModuleBytes(builder.bytes))
        let asked = Count()
        // Outside of bodies, then in one.
        for limit in [1, 5, 8] {
            asked.reset()
            let error = #expect(throws: ValidationError.self) {
                try validate(
                    parsed, types: TypeRegistry(), threads: threads,
                    cancellation: Cancellation { asked.next() >= limit })
            }
            #expect(error?.reason == .cancelled)
        }
        #expect(throws: Never.self) {
            try validate(
                parsed, types: TypeRegistry(), threads: threads,
                cancellation: Cancellation { false })
        }
    }

    @Test func decodingIsCancelled() throws {
        var builder = ModuleBuilder()
        builder.types = [functionType()]
        for _ in 0..<4 { builder.function(0, [UInt8](repeating: 0x01, count: 200_000)) }
        let error = #expect(throws: DecodingError.self) {
            try decode(ModuleBytes(builder.bytes), cancellation: .after(.now))
        }
        #expect(error?.reason == .cancelled)
    }
}
