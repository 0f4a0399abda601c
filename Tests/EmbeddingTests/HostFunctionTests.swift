import Testing
import Wasmd

@Suite struct HostFunctionTests {
    private struct Refusal: Error, Equatable { let reason: String }

    @Test func closuresOfEveryShape() throws {
        let text = """
            (module
              (import "env" "tick" (func $tick))
              (import "env" "add" (func $add (param i32 i32) (result i32)))
              (import "env" "divide" (func $divide (param i64 i64) (result i64 i64)))
              (import "env" "vector" (func $vector (param f32 v128 f64) (result v128 f32)))
              (import "env" "size" (func $size (result i32)))
              (memory 3)
              (func (export "sum") (result i32)
                (call $tick) (call $tick)
                (call $add (call $size) (i32.const 4)))
              (func (export "divide") (param i64 i64) (result i64 i64)
                (call $divide (local.get 0) (local.get 1)))
              (func (export "vector") (param f32 v128 f64) (result v128 f32)
                (call $vector (local.get 0) (local.get 1) (local.get 2))))
            """
        var ticks = 0
        let instance = try instance(text) { linker in
            linker.define("env", "tick") { ticks += 1 }
            linker.define("env", "add") { (a: Int32, b: Int32) in a + b }
            linker.define("env", "divide") { (a: Int64, b: Int64) in
                let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
                return (quotient, remainder)
            }
            linker.define("env", "vector") { (a: Float, v: SIMD16<UInt8>, b: Double) in
                (v &+ 1, a + Float(b))
            }
            linker.define("env", "size") { (caller: borrowing Caller) in
                UInt32(try caller.memory.size)
            }
        }
        #expect(try instance.function("sum", as: (() -> Int32).self)() == 7)
        #expect(ticks == 2)
        let divide = try instance.function("divide", as: ((Int64, Int64) -> (Int64, Int64)).self)
        let (quotient, remainder) = try divide(17, 5)
        #expect(quotient == 3)
        #expect(remainder == 2)
        let vector = try instance.function(
            "vector", as: ((Float, SIMD16<UInt8>, Double) -> (SIMD16<UInt8>, Float)).self)
        let result = try vector(1.5, SIMD16(repeating: 8), 2)
        #expect(result.0 == SIMD16(repeating: 9))
        #expect(result.1 == 3.5)
    }

    @Test func valuesWhoseTypesAreKnownAtRunTime() throws {
        let text = """
            (module
              (import "env" "reverse" (func $reverse (param i32 v128 f64) (result f64 v128 i32)))
              (func (export "run") (result f64 v128 i32)
                (call $reverse (i32.const 1) (v128.const i64x2 2 3) (f64.const 4))))
            """
        var answers: [Value]?
        let instance = try instance(text) { linker in
            let type = FunctionType(
                parameters: [.i32, .v128, .f64], results: [.f64, .v128, .i32])
            linker.define(
                "env", "reverse",
                HostFunction(type, values: { _, arguments in answers ?? arguments.reversed() }))
        }
        let run = try #require(instance.function("run"))
        #expect(try run.call() == [.f64(4), .v128(low: 2, high: 3), .i32(1)])
        answers = [.f64(4)]
        #expect(throws: CallError.resultCount(expected: 3, given: 1)) { try run.call() }
        answers = [.f64(4), .i32(1), .i32(1)]
        #expect(throws: CallError.result(index: 1, .typeMismatch(expected: .v128))) {
            try run.call()
        }
    }

    @Test func mismatchIsReportedWhenLinking() throws {
        let text = """
            (module
              (import "env" "log" (func (param i32 i64)))
              (import "env" "missing" (func)))
            """
        let error = #expect(throws: LinkError.self) {
            try instance(text) { linker in
                linker.define("env", "log") { (_: Int32) -> Int32 in 0 }
            }
        }
        #expect(
            error?.description == """
                incompatible import type "env" "log" (expected function (i32, i64) -> (), \
                found function (i32) -> (i32))
                unknown import "env" "missing" (function () -> ())
                """)
    }

    @Test func errorsReachTheCallerUnchanged() throws {
        let text = """
            (module
              (import "env" "check" (func $check (param i32)))
              (func $inner (param i32) (call $check (local.get 0)))
              (func (export "outer") (param i32) (call $inner (local.get 0))))
            """
        let instance = try instance(text) { linker in
            linker.define("env", "check") { (value: Int32) in
                switch value {
                case 1: throw Refusal(reason: "one")
                case 2: throw Trap(.hostError, cause: Refusal(reason: "two"))
                case 3: throw GuestExit(code: 3)
                default: break
                }
            }
        }
        let outer = try instance.function("outer", as: ((Int32) -> Void).self)
        try outer(0)
        #expect(throws: Refusal(reason: "one")) { try outer(1) }
        // A trap of the host's knows where the guest was, and why.
        let trap = #expect(throws: Trap.self) { try outer(2) }
        #expect(trap?.code == .hostError)
        #expect(trap?.cause as? Refusal == Refusal(reason: "two"))
        #expect(trap?.backtrace.frames.map(\.functionName) == ["inner", "outer"])
        #expect(throws: GuestExit(code: 3)) { try outer(3) }
        try outer(0)
    }

    @Test func callersWithoutMemory() throws {
        let instance = try instance(
            #"(module (import "env" "f" (func $f)) (func (export "f") (call $f)))"#
        ) { linker in
            linker.define("env", "f") { (caller: borrowing Caller) in
                try caller.memory.store(1 as UInt8, at: 0)
            }
        }
        #expect(throws: AccessError.noMemory) {
            try instance.function("f", as: (() -> Void).self)()
        }
    }

    @Test func referencesAsParameters() throws {
        let text = """
            (module
              (import "env" "name" (func $name (param externref) (result externref)))
              (func (export "name") (param externref) (result externref)
                (call $name (local.get 0))))
            """
        let instance = try instance(text) { linker in
            linker.define("env", "name") { (reference: ExternReference?) in
                reference.map { ExternReference("<\($0)>") }
            }
        }
        let name = try instance.function(
            "name", as: ((ExternReference?) -> ExternReference?).self)
        #expect(try name(ExternReference("a")) == ExternReference("<a>"))
        #expect(try name(nil) == nil)
    }
}
