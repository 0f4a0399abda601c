import Glibc
import Synchronization
import Testing
import Wasmd

/// What safe Swift of an embedder can get wrong: an error, never the end of the process.
@Suite struct SafetyTests {
    private static let call = """
        (module
          (import "e" "h" (func $h (param i32) (result i32)))
          (func (export "go") (param i32) (result i32) (call $h (local.get 0))))
        """

    private func go(_ body: @escaping HostFunction.Body) throws -> Int32 {
        let instance = try instance(Self.call) { linker in
            linker.defineFunction("e", "h", parameters: [.i32], results: [.i32], body)
        }
        return try instance.function("go", as: ((Int32) -> Int32).self)(65544)
    }

    @Test(arguments: [1, 99, -1, Int.max, Int.min])
    func slotsThatAreNotThere(index: Int) throws {
        let error = CallError.slot(index: index, count: 1)
        #expect(throws: error) { try go { _, slots in #expect(slots[index] == 0) } }
        #expect(throws: error) { try go { _, slots in slots[index] = 7 } }
        #expect(throws: error) { try go { _, slots in slots.setResult(index, f64: 7) } }
        #expect(throws: error) { try go { _, slots in _ = slots.value(index, as: .i64) } }
        // The first mistake counts; what follows does not hide it.
        #expect(throws: error) {
            try go { _, slots in
                _ = slots.i32(index)
                _ = slots[index &- 1]
                slots.setResult(i32: 1)
            }
        }
        #expect(try go { _, slots in slots.setResult(i32: 1) } == 1)
    }

    @Test func theCallAfterAMistakeIsAnother() throws {
        let isWrong = Mutex(true)
        let instance = try instance(Self.call) { linker in
            linker.defineFunction("e", "h", parameters: [.i32], results: [.i32]) { _, slots in
                slots.setResult(isWrong.withLock { $0 } ? 5 : 0, i32: 3)
            }
        }
        let go = try instance.function("go", as: ((Int32) -> Int32).self)
        #expect(throws: CallError.slot(index: 5, count: 1)) { try go(0) }
        isWrong.withLock { $0 = false }
        #expect(try go(0) == 3)
    }

    /// Numbers are no references, whatever they are taken for.
    @Test func numbersAreNoReferences() throws {
        let types = [
            ValueType.externref, .funcref, ValueType(ReferenceType(.any, nullable: true)),
            ValueType(ReferenceType(.exn, nullable: true)),
        ]
        for type in types {
            #expect(throws: CallError.slotType(index: 0, .typeMismatch(expected: type))) {
                try go { _, slots in
                    let value = slots.value(0, as: type)
                    #expect(value.description.hasPrefix("null"))
                }
            }
        }
    }

    @Test func referencesAreRead() throws {
        let text = """
            (module
              (import "e" "h" (func $h (param funcref externref anyref exnref)))
              (tag $t) (elem declare func $f) (func $f)
              (func (export "go") (param externref)
                (call $h (ref.func $f) (local.get 0) (ref.i31 (i32.const 3))
                  (block $b (result exnref)
                    (try_table (catch_all_ref $b) (throw $t)) (unreachable)))))
            """
        let any = ValueType(ReferenceType(.any, nullable: true))
        let exn = ValueType(ReferenceType(.exn, nullable: true))
        let types = [ValueType.funcref, .externref, any, exn]
        let instance = try instance(text) { linker in
            linker.defineFunction("e", "h", parameters: types) { _, slots in
                let values = types.indices.map { slots.value($0, as: types[$0]) }
                #expect(values[1] == .extern(ExternReference("value")))
                #expect(values[2] == .any(AnyReference(i31: 3)))
                guard case .function(_?) = values[0], case .exception(_?) = values[3] else {
                    Issue.record("null")
                    return
                }
                // As bits, those of one kind are not of another.
                slots[0] = slots[3]
                #expect(slots.value(0, as: .funcref) == .function(nil))
            }
        }
        #expect(throws: CallError.slotType(index: 0, .typeMismatch(expected: .funcref))) {
            try instance.function("go")?.call([.extern(ExternReference("value"))])
        }
    }

    // MARK: Types of the embedder

    /// Says that it is a function, and writes a number.
    private struct Forged: WasmValue {
        static let bits = Mutex<UInt64>(0x7fff_0000_1000)
        static var valueType: ValueType { .funcref }
        init() {}
        init(slots: borrowing CallSlots, at index: inout Int) { index += 1 }
        func write(to slots: borrowing CallSlots, at index: inout Int) {
            slots[index] = Self.bits.withLock { $0 }
            index += 1
        }
    }

    /// Uses slots that it does not have.
    private struct Greedy: WasmValue {
        static var valueType: ValueType { .i32 }
        init() {}
        init(slots: borrowing CallSlots, at index: inout Int) {
            _ = slots[index + 10]
            index += 1
        }
        func write(to slots: borrowing CallSlots, at index: inout Int) {
            slots[index] = UInt64.max
            index += 1
        }
    }

    @Test func valuesOfTheEmbedderAreChecked() throws {
        let text = """
            (module
              (import "e" "forged" (func $forged (result funcref)))
              (import "e" "greedy" (func $greedy (result i32)))
              (import "e" "reads" (func $reads (param i32)))
              (func (export "take") (param funcref))
              (func (export "wide") (param i32) (result i64) (i64.extend_i32_u (local.get 0)))
              (func (export "one") (result i32) (i32.const 1))
              (func (export "forged") (drop (call $forged)))
              (func (export "greedy") (result i64) (i64.extend_i32_u (call $greedy)))
              (func (export "reads") (call $reads (i32.const 1))))
            """
        let instance = try instance(text) { linker in
            linker.define("e", "forged") { () -> Forged in Forged() }
            linker.define("e", "greedy") { () -> Greedy in Greedy() }
            linker.define("e", "reads") { (_: Greedy) in }
        }
        let mismatch = ValueError.typeMismatch(expected: .funcref)
        #expect(throws: CallError.argument(index: 0, mismatch)) {
            try instance.function("take", as: ((Forged) -> Void).self)(Forged())
        }
        #expect(throws: CallError.result(index: 0, mismatch)) {
            try instance.function("forged")?.call()
        }
        let wide = try instance.function("wide", as: ((Greedy) -> Int64).self)
        #expect(try wide(Greedy()) == 0xffff_ffff)
        #expect(try instance.function("greedy")?.call() == [.i64(0xffff_ffff)])
        let one = try instance.function("one", as: (() -> Greedy).self)
        #expect(throws: CallError.slot(index: 10, count: 1)) { _ = try one() }
        #expect(throws: CallError.slot(index: 10, count: 1)) {
            try instance.function("reads")?.call()
        }
    }

    // MARK: Values that call the store

    /// A value of the host whose hash and comparison do what they like.
    private final class Restless: Hashable {
        let number: Int
        nonisolated(unsafe) static var action: () -> Void = {}
        init(_ number: Int) { self.number = number }
        static func == (a: Restless, b: Restless) -> Bool {
            action()
            return a.number == b.number
        }
        func hash(into hasher: inout Hasher) {
            Self.action()
            hasher.combine(number % 2)
        }
    }

    @Test func comparisonsMayUseTheStore() throws {
        let instance = try instance(
            """
            (module
              (table (export "table") 4 externref)
              (global $g (mut externref) (ref.null extern))
              (func (export "same") (param externref) (result externref) (local.get 0))
              (func (export "set") (param externref) (global.set $g (local.get 0))))
            """)
        let same = try #require(instance.function("same"))
        let table = try #require(instance.table("table"))
        let store = instance.store
        let depth = Mutex(0)
        let count = Mutex(0)
        Restless.action = {
            guard depth.withLock({ $0 == 0 }) else { return }
            depth.withLock { $0 += 1 }
            defer { depth.withLock { $0 -= 1 } }
            let number = count.withLock { count in
                count += 1
                return count
            }
            _ = try? same.call([.extern(ExternReference(Restless(number + 1000)))])
            _ = try? table.grow(by: 50, filledWith: .extern(ExternReference("new\(number)")))
            store.collectGarbage()
        }
        defer { Restless.action = {} }
        for number in 0..<20 {
            let value = Value.extern(ExternReference(Restless(number)))
            #expect(try same.call([value]) == [value])
            try table.set(value, at: UInt64(number % 4))
            #expect(try table.get(at: UInt64(number % 4)) == value)
        }
        let tag = Tag(store: store, parameters: [.externref, .externref, .externref])
        let values = (0..<3).map { Value.extern(ExternReference(Restless($0 + 50))) }
        let exception = try Exception(tag: tag, values: values)
        #expect(try exception.values(in: store) == values)
        Restless.action = {}
        #expect(count.withLock { $0 } > 20)
        // Equal values are one reference for the guest.
        try table.set(.extern(ExternReference(Restless(7))), at: 0)
        try table.set(.extern(ExternReference(Restless(7))), at: 1)
        #expect(try table.get(at: 0) == table.get(at: 1))
    }

    /// A definition that goes may use the linker.
    @Test func definitionsMayEndInTheLinker() {
        final class Ending {
            let linker: Linker
            init(_ linker: Linker) { self.linker = linker }
            deinit { linker.define("other", "f") { () in } }
        }
        let linker = Linker()
        do {
            let ending = Ending(linker)
            linker.define("e", "f") { () in withExtendedLifetime(ending) {} }
        }
        linker.define("e", "f") { () in }
        #expect(linker.isDefined("other", "f"))
    }

    // MARK: Threads

    private struct Handed<Value>: @unchecked Sendable { let value: Value }

    /// A second thread that comes while a guest runs is told so, and harms nobody.
    @Test func storesOfTwoThreads() throws {
        let isInside = Atomic(false)
        let isDone = Atomic(false)
        let text = """
            (module (import "e" "wait" (func $wait))
              (func (export "run") (call $wait))
              (func (export "one") (result i32) (i32.const 1)))
            """
        let instance = try instance(text) { linker in
            linker.define("e", "wait") { () in
                isInside.store(true, ordering: .releasing)
                while !isDone.load(ordering: .acquiring) { usleep(1000) }
            }
        }
        let handed = Handed(value: instance)
        let failures = try concurrently {
            while !isInside.load(ordering: .acquiring) { usleep(1000) }
            defer { isDone.store(true, ordering: .releasing) }
            let instance = handed.value
            let one = try instance.function("one", as: (() -> Int32).self)
            #expect(throws: CallError.storeInUse) { try one() }
            #expect(throws: CallError.storeInUse) { try instance.function("one")?.call() }
            #expect(throws: CallError.storeInUse) {
                try instance.function("one")?.start().resume()
            }
            #expect(throws: CallError.storeInUse) {
                try Instance(module("(module)", engine: instance.store.engine), in: instance.store)
            }
        } while: {
            _ = try instance.function("run")?.call()
        }
        #expect(failures == 0)
        // Handed over, it may be used by another thread; and by this one again.
        let again = try concurrently {
            let one = try handed.value.function("one", as: (() -> Int32).self)
            #expect(try one() == 1)
        } while: {
        }
        #expect(again == 0)
        #expect(try instance.function("one")?.call() == [.i32(1)])
    }

    /// Calls nested on one thread are not taken for another's, however much stack lies between.
    @Test func nestedCallsMayBeFarApart() throws {
        final class Inner { var function: Function? }
        let inner = Inner()
        let text = """
            (module (import "e" "h" (func $h))
              (func (export "run") (call $h)) (func (export "one")))
            """
        let instance = try instance(text) { linker in
            linker.define("e", "h") { () in
                withUnsafeTemporaryAllocation(byteCount: 300 << 10, alignment: 16) { buffer in
                    buffer[0] = 1
                    do {
                        _ = try inner.function?.call()
                    } catch {
                        Issue.record(error)
                    }
                }
            }
        }
        inner.function = instance.function("one")
        defer { inner.function = nil }
        _ = try instance.function("run")?.call()
    }

    /// An exception tells other threads its text, and nobody its store.
    @Test func exceptionsOfOtherThreads() throws {
        let text = """
            (module (tag $e (export "e") (param i32 externref))
              (func (export "throw") (throw $e (i32.const 7) (ref.null extern))))
            """
        let instance = try instance(text)
        let error = try #require(throws: Exception.self) {
            try instance.function("throw")?.call()
        }
        let failures = try concurrently {
            #expect(error.description == "exception e(7, null external reference)")
            #expect(error == error)
        } while: {
        }
        #expect(failures == 0)
        #expect(error.belongs(to: instance.store))
        #expect(try error.tag(in: instance.store) == instance.tag("e"))
        #expect(try error.values(in: instance.store) == [.i32(7), .extern(nil)])
        let other = Store(engine: instance.store.engine)
        #expect(throws: ValueError.foreignStore) { try error.values(in: other) }
        #expect(throws: ValueError.foreignStore) { try error.tag(in: other) }
    }

    @Test func exportsOfOtherModules() throws {
        let small = try module("(module)")
        let large = try module(
            """
            (module (func) (func) (func (export "f")) (memory (export "m") 1) (tag (export "t"))
              (table (export "a") 1 funcref) (global (export "g") i32 (i32.const 0)))
            """)
        for export in large.exports {
            #expect(small.functionType(of: small.type(of: export)) == nil)
        }
    }
}

/// Runs `other` on a thread of its own while `body` runs; answers 1 if `other` threw.
private func concurrently(
    _ other: @escaping @Sendable () throws -> Void, while body: () throws -> Void
) throws -> Int {
    final class Work: Sendable {
        let body: @Sendable () throws -> Void
        let failures = Atomic(0)
        init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
    }
    let work = Work(other)
    var thread = pthread_t()
    let started = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
            do {
                try work.body()
            } catch {
                work.failures.add(1, ordering: .relaxed)
            }
            return nil
        }, Unmanaged.passRetained(work).toOpaque())
    guard started == 0 else { return 1 }
    let result = Result { try body() }
    pthread_join(thread, nil)
    try result.get()
    return work.failures.load(ordering: .relaxed)
}
