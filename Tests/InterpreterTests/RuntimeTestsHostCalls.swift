import Testing
import WasmInterpreter

/// Calls of host functions by the host itself: no guest code runs.
@Suite struct HostCallTests {
    @Test func typedBothWays() throws {
        let store = Store(engine: Engine())
        let function = Function(
            store: store,
            HostFunction {
                (_: borrowing Caller, a: Int32, b: Int64, c: Float, d: Double) -> Double in
                Double(a) + Double(b) + Double(c) + d
            })
        #expect(
            function.type
                == FunctionType(parameters: [.i32, .i64, .f32, .f64], results: [.f64]))
        let sum: Double = try function(-1 as Int32, 2 as Int64, 0.5 as Float, 4.0)
        #expect(sum == 5.5)
        #expect(
            try function.call([.i32(-1), .i64(-2), .f32(0.25), .f64(1)]) == [.f64(-1.75)])
    }

    @Test func argumentsAreChecked() throws {
        let store = Store(engine: Engine())
        let function = Function(store: store, parameters: [.i32, .funcref], results: []) { _, _ in
        }
        #expect(throws: CallError.argumentCount(expected: 2, given: 1)) {
            try function.call([.i32(1)])
        }
        #expect(throws: CallError.argument(index: 0, .typeMismatch(expected: .i32))) {
            try function.call([.i64(1), .function(nil)])
        }
        #expect(throws: CallError.argument(index: 1, .typeMismatch(expected: .funcref))) {
            try function.call([.i32(1), .extern(nil)])
        }
        let foreign = Function(store: Store(engine: store.engine)) { _, _ in }
        #expect(throws: CallError.argument(index: 1, .foreignStore)) {
            try function.call([.i32(1), .function(foreign)])
        }
        #expect(
            throws: CallError.signature(
                expected: function.type, given: FunctionType(parameters: [.i64]))
        ) { try function(1 as Int64) }
        #expect(try function.call([.i32(1), .function(function)]) == [])
    }

    @Test func vectorsTakeTwoSlots() throws {
        let store = Store(engine: Engine())
        let swap = Function(
            store: store, parameters: [.i32, .v128, .i32], results: [.i32, .v128]
        ) { _, slots in
            let (a, low, high, b) = (slots[0], slots[1], slots[2], slots[3])
            slots[0] = a + b
            slots[1] = high
            slots[2] = low
        }
        #expect(
            try swap.call([.i32(1), .v128(low: 2, high: 3), .i32(4)])
                == [.i32(5), .v128(low: 3, high: 2)])
    }

    @Test func referencesPassThrough() throws {
        let store = Store(engine: Engine())
        let same = Function(
            store: store, parameters: [.externref, .funcref], results: [.externref, .funcref]
        ) { _, _ in }
        let arguments: [Value] = [.extern(ExternReference("x")), .function(same)]
        #expect(try same.call(arguments) == arguments)
    }

    @Test func errorsPassUnchanged() throws {
        struct Own: Error, Equatable { let number: Int }
        let store = Store(engine: Engine())
        let fails = Function(store: store) { _, _ in throw Own(number: 7) }
        let outer = Function(store: store) { _, _ in _ = try fails.call() }
        #expect(throws: Own(number: 7)) { try fails.call() }
        #expect(throws: Own(number: 7)) { try outer.call() }
        let exits = Function(store: store) { _, _ in throw GuestExit(code: 3) }
        #expect(throws: GuestExit(code: 3)) { try exits.call() }
    }

    @Test func nestedArgumentsDoNotOverlap() throws {
        let store = Store(engine: Engine())
        let inner = Function(
            store: store, HostFunction { (_: borrowing Caller, a: Int64) -> Int64 in a &* 2 })
        let outer = Function(
            store: store,
            HostFunction { (_: borrowing Caller, a: Int64, b: Int64) -> Int64 in
                let twice: Int64 = try inner(b)
                return a &+ twice
            })
        #expect(try outer(1 as Int64, 20 as Int64, returning: Int64.self) == 41)
    }

    @Test func nestingIsLimited() throws {
        final class Depth { var function: Function?; var count = 0 }
        let store = Store(engine: Engine())
        let depth = Depth()
        let recursive = Function(store: store) { [depth] _, _ in
            depth.count += 1
            _ = try depth.function?.call()
        }
        depth.function = recursive
        let trap = #expect(throws: Trap.self) { try recursive.call() }
        #expect(trap?.code == .stackExhausted)
        #expect(depth.count == store.limits.nestedCalls)
        // The store is as good as before.
        let fine = Function(store: store) { _, _ in }
        #expect(try fine.call() == [])
        depth.function = nil
    }

    @Test func interruptStopsTheNextCall() throws {
        let store = Store(engine: Engine())
        let function = Function(store: store) { _, _ in }
        store.interruptHandle.interrupt()
        let trap = #expect(throws: Trap.self) { try function.call() }
        #expect(trap?.code == .interrupted)
        #expect(try function.call() == [])
        store.interruptHandle.interrupt()
        store.interruptHandle.reset()
        #expect(try function.call() == [])
        store.deadline = .now
        #expect(throws: Trap.self) { try function.call() }
        store.deadline = .now + .seconds(60)
        #expect(try function.call() == [])
    }
}
