import Synchronization
import Testing
import Wasmd

/// Calls with `await`: guests that wait for asynchronous host functions.
@Suite struct AsyncCallTests {
    private static func module(_ fields: String, _ engine: Engine) throws -> Module {
        try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
    }

    private static let guest = """
        (import "env" "sleep" (func $sleep (param i32)))
        (import "env" "double" (func $double (param i64) (result i64)))
        (memory (export "memory") 1)
        (func (export "work") (param i64) (result i64)
          (call $sleep (i32.const 2))
          (i64.add (call $double (local.get 0)) (call $double (i64.const 1))))
        (func (export "forever") (loop $again (br $again)))
        (func (export "sleepy") (call $sleep (i32.const 60000)))
        (func (export "add") (param i32 f64) (result f64)
          (f64.add (f64.convert_i32_s (local.get 0)) (local.get 1)))
        """

    private static func instantiate(
        _ fields: String = guest, engine: Engine = Engine(), linker: Linker = Linker()
    ) throws -> Instance {
        linker.define("env", "sleep") { (_: AsyncCaller, milliseconds: Int32) in
            try await Task.sleep(for: .milliseconds(Int(milliseconds)))
        }
        linker.define("env", "double") { (_: AsyncCaller, number: Int64) -> Int64 in
            await Task.yield()
            return number * 2
        }
        return try linker.instantiate(module(fields, engine), in: Store(engine: engine))
    }

    private static func function(_ name: Name, of instance: Instance) throws -> Function {
        try #require(instance.function(name))
    }

    @Test func waitsForHostFunctions() async throws {
        let instance = try Self.instantiate()
        let work = try Self.function("work", of: instance)
        #expect(try await work.call([.i64(20)]) == [.i64(42)])
        #expect(try await work.call(5 as Int64, returning: Int64.self) == 12)
        let add = try Self.function("add", of: instance)
        #expect(try await add.call(1 as Int32, 0.5, returning: Double.self) == 1.5)
        await #expect(throws: CallError.self) {
            try await add.call(1 as Int32, returning: Double.self)
        }
    }

    @Test func callsWithoutAwaitSayWhatToDo() throws {
        let instance = try Self.instantiate()
        let work = try Self.function("work", of: instance)
        #expect(throws: SuspensionError.cannotWait) { try work.call([.i64(1)]) }
        #expect(throws: SuspensionError.cannotWait) { try work(1 as Int64, returning: Int64.self) }
    }

    /// A thousand guests wait for one another: no pool has so many threads.
    @Test func guestsHoldNoThreads() async throws {
        let count = 1000
        let engine = Engine()
        let module = try Self.module(
            """
            (import "env" "meet" (func $meet (param i32) (result i32)))
            (func (export "run") (param i32) (result i32)
              (i32.add (call $meet (local.get 0)) (call $meet (i32.const 0))))
            """, engine)
        let meeting = Meeting(count)
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<count {
                group.addTask {
                    let linker = Linker()
                    linker.define("env", "meet") { (_: AsyncCaller, number: Int32) -> Int32 in
                        await meeting.wait()
                        return number
                    }
                    let store = Store(engine: engine)
                    let instance = try linker.instantiate(module, in: store)
                    let run = try #require(instance.function("run"))
                    return Int(try await run.call(Int32(number), returning: Int32.self))
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(total == count * (count - 1) / 2)
    }

    /// Calls of one store that wait at the same time, in the isolation of one actor.
    @Test func callsOfOneStoreInterleave() async throws {
        let plugin = try Plugin()
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for number in 0..<50 { group.addTask { try await plugin.twice(Int32(number)) } }
            var numbers = Set<Int32>()
            for try await number in group { numbers.insert(number) }
            #expect(numbers == Set((0..<50).map { Int32($0) * 2 }))
        }
        #expect(await plugin.most > 1)
    }

    /// Code of guests, and of the host functions that they call, runs on the caller's actor: never
    /// at two places at once.
    @Test func callsOfOneActorDoNotOverlap() async throws {
        let room = try Room()
        try await withThrowingTaskGroup { group in
            for _ in 0..<20 { group.addTask { try await room.visit() } }
            try await group.waitForAll()
        }
        #expect(room.meetings == 0)
    }

    private actor Room {
        private let function: Function
        private let visitors = Shared()
        /// How often a visitor found another one.
        nonisolated var meetings: Int { visitors.meetings.load(ordering: .relaxed) }

        /// Counts what should not happen, so it must not rely on what is tested.
        private final class Shared: Sendable {
            let inside = Atomic(0)
            let meetings = Atomic(0)

            func stay() {
                if inside.add(1, ordering: .relaxed).oldValue > 0 {
                    meetings.add(1, ordering: .relaxed)
                }
                let start = ContinuousClock.now
                while .now - start < .microseconds(200) {}
                inside.subtract(1, ordering: .relaxed)
            }
        }

        init() throws {
            let engine = Engine()
            let linker = Linker()
            // A capture list that names a property of `self` takes the closure out of the caller's
            // isolation here (Swift 6.3, in initializers of actors); a local constant does not.
            let visitors = self.visitors
            linker.define("env", "stay") { visitors.stay() }
            linker.define("env", "pause") { (_: AsyncCaller) in
                visitors.stay()
                await Task.yield()
                visitors.stay()
            }
            let module = try AsyncCallTests.module(
                """
                (import "env" "stay" (func $stay))
                (import "env" "pause" (func $pause))
                (func (export "visit") (call $stay) (call $pause) (call $stay))
                """, engine)
            let instance = try linker.instantiate(module, in: Store(engine: engine))
            function = try #require(instance.function("visit"))
        }

        func visit() async throws { _ = try await function.call() }
    }

    private actor Plugin {
        private let function: Function
        private let counter = Counter()
        /// The most calls that waited at the same time.
        var most: Int { counter.most }

        private final class Counter {
            var now = 0, most = 0
        }

        init() throws {
            let engine = Engine()
            let linker = Linker()
            linker.define("env", "pause") { [counter] (_: AsyncCaller, number: Int32) -> Int32 in
                counter.now += 1
                counter.most = max(counter.most, counter.now)
                try await Task.sleep(for: .milliseconds(Int(50 - number)))
                counter.now -= 1
                return number
            }
            let module = try AsyncCallTests.module(
                """
                (import "env" "pause" (func $pause (param i32) (result i32)))
                (func (export "twice") (param i32) (result i32)
                  (i32.add (local.get 0) (call $pause (local.get 0))))
                """, engine)
            let instance = try linker.instantiate(module, in: Store(engine: engine))
            function = try #require(instance.function("twice"))
        }

        func twice(_ number: Int32) async throws -> Int32 {
            try await function.call(number, returning: Int32.self)
        }
    }

    // MARK: The host's side

    @Test func hostFunctionsSeeTheirCaller() async throws {
        let linker = Linker()
        linker.define("env", "fill") { (caller: AsyncCaller, address: Int32) in
            await Task.yield()
            #expect(caller.memory?.size == 1)
            // The guest may be called while it waits, in both ways.
            let poke = try #require(caller.instance?.function("poke"))
            try poke(address, 1000 as Int32)
            let grow = try #require(caller.instance?.function("grow"))
            #expect(try await grow.call() == [.i32(1)])
        }
        let instance = try Self.instantiate(
            """
            (import "env" "fill" (func $fill (param i32)))
            (memory (export "memory") 1)
            (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
            (func (export "grow") (result i32) (memory.grow (i32.const 1)))
            (func (export "run") (result i32)
              (call $fill (i32.const 65000))
              (i32.add (memory.size) (i32.load (i32.const 65000))))
            """, linker: linker)
        let run = try Self.function("run", of: instance)
        #expect(try await run.call(returning: Int32.self) == 1002)
    }

    @Test func errorsOfHostFunctionsPass() async throws {
        struct Own: Error, Equatable {}
        let linker = Linker()
        linker.define("env", "fail") { (_: AsyncCaller) in
            await Task.yield()
            throw Own()
        }
        let instance = try Self.instantiate(
            #"(import "env" "fail" (func $fail)) (func (export "run") (call $fail))"#,
            linker: linker)
        let run = try Self.function("run", of: instance)
        await #expect(throws: Own()) { _ = try await run.call() }
    }

    @Test func exceptionsOfHostFunctionsAreCaught() async throws {
        let linker = Linker()
        linker.define("env", "fail") { (caller: AsyncCaller, number: Int32) in
            await Task.yield()
            let tag = try #require(caller.instance?.tag("e"))
            throw try Exception(tag: tag, values: [.i32(number + 1)])
        }
        let instance = try Self.instantiate(
            """
            (import "env" "fail" (func $fail (param i32)))
            (tag $e (export "e") (param i32))
            (func (export "run") (result i32)
              (block $caught (result i32)
                (try_table (catch $e $caught) (call $fail (i32.const 6)))
                (i32.const 0)))
            """, linker: linker)
        let run = try Self.function("run", of: instance)
        #expect(try await run.call(returning: Int32.self) == 7)
    }

    // MARK: Cancellation

    /// Runs `name` in a task, cancels it after a while, and answers how the task ended.
    private func cancelled(_ name: Name) async throws -> (any Error)? {
        let task = Task {
            let instance = try Self.instantiate()
            let function = try Self.function(name, of: instance)
            do {
                _ = try await function.call()
            } catch {
                // The store is as good as before, and the wish is gone.
                #expect(instance.store.stopRequest() == nil)
                throw error
            }
        }
        try await Task.sleep(for: .milliseconds(30))
        task.cancel()
        if case .failure(let error) = await task.result { return error }
        return nil
    }

    @Test(arguments: ["forever", "sleepy"] as [Name])
    func cancellationEndsTheGuest(name: Name) async throws {
        let error = try await cancelled(name)
        #expect(error is CancellationError)
    }

    @Test func cancelledTasksDoNotStart() async throws {
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            let instance = try Self.instantiate()
            _ = try await Self.function("forever", of: instance).call()
        }
        task.cancel()
        let error = await #expect(throws: (any Error).self) { try await task.value }
        #expect(error is CancellationError)
    }

    // MARK: Time

    /// Guests that compute without end leave room for other tasks of the same actor.
    @MainActor @Test func longRunningGuestsYield() async throws {
        let instance = try Self.instantiate()
        let forever = try Self.function("forever", of: instance)
        let task = Task { @MainActor in _ = try await forever.call() }
        // Each of these steps waits until the guest lets the main actor go.
        for _ in 0..<20 { await Task.yield() }
        task.cancel()
        let error = await #expect(throws: (any Error).self) { try await task.value }
        #expect(error is CancellationError)
    }

    @Test func fuelAndDeadlinesHold() async throws {
        let instance = try Self.instantiate()
        let forever = try Self.function("forever", of: instance)
        for policy in [OutOfFuelPolicy.trap, .suspend, .ask { _ in 0 }] {
            instance.store.fuel = 1_000_000
            instance.store.onOutOfFuel = policy
            let trap = await #expect(throws: Trap.self) { _ = try await forever.call() }
            #expect(trap?.code == .outOfFuel)
            #expect(trap?.backtrace.frames.count == 1)
        }
        instance.store.fuel = nil
        instance.store.deadline = .now + .milliseconds(20)
        let trap = await #expect(throws: Trap.self) { _ = try await forever.call() }
        #expect(trap?.code == .deadlineExceeded)
    }
}

/// Where tasks wait until all have come, again and again.
private actor Meeting {
    private let count: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { self.count = count }

    func wait() async {
        guard waiting.count + 1 < count else {
            let all = waiting
            waiting = []
            for continuation in all { continuation.resume() }
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }
}
