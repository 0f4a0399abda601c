import Glibc
import Synchronization
import Testing
import Wasmd

/// Guests that are called with `await` and wait in WASI, for other guests, or for a time: they hold no
/// thread.
@Suite struct AsyncWaitTests {
    private static let sleeper = """
        (module
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "sleep") (param $nanoseconds i64) (result i32)
            (i32.store8 (i32.const 8) (i32.const 0))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (local.get $nanoseconds))
            (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
          (func (export "read") (result i32)
            (i32.store (i32.const 0) (i32.const 64))
            (i32.store (i32.const 4) (i32.const 8))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
            (i32.load8_u (i32.const 64))))
        """

    private static func instance(
        _ module: Module, _ engine: Engine, _ input: WASI.Input = .null
    ) throws -> Instance {
        var wasi = WASI()
        wasi.standardInput = input
        let linker = Linker()
        try linker.define(wasi)
        return try linker.instantiate(module, in: Store(engine: engine))
    }

    /// More guests sleep at once than any pool has threads, each for as long as it asked.
    @Test func manySleepingGuests() async throws {
        let engine = Engine()
        let module = try Module(text: Self.sleeper, engine: engine)
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    let sleep = try #require(try Self.instance(module, engine).function("sleep"))
                    return try await sleep.call(300_000_000 as Int64, returning: Int32.self)
                }
            }
            for try await error in group { #expect(error == 0) }
        }
        #expect(ContinuousClock.now - start >= .milliseconds(300))
    }

    @Test func pipesInMemory() async throws {
        let engine = Engine()
        let module = try Module(text: Self.sleeper, engine: engine)
        let pipes = (0..<50).map { _ in MemoryPipe() }
        try await withThrowingTaskGroup(of: (Int, Int32).self) { group in
            for (index, pipe) in pipes.enumerated() {
                group.addTask {
                    let read = try #require(
                        try Self.instance(module, engine, .stream(pipe)).function("read"))
                    return (index, try await read.call(returning: Int32.self))
                }
            }
            try await Task.sleep(for: .milliseconds(20))
            for (index, pipe) in pipes.enumerated() { try pipe.write([UInt8(index)]) }
            for try await (index, byte) in group { #expect(Int(byte) == index) }
        }
    }

    @Test func pipesOfTheHost() async throws {
        let engine = Engine()
        let module = try Module(text: Self.sleeper, engine: engine)
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        defer { for end in ends { close(end) } }
        let input = WASI.Input.descriptor(ends[0])
        async let byte = {
            let read = try #require(try Self.instance(module, engine, input).function("read"))
            return try await read.call(returning: Int32.self)
        }()
        try await Task.sleep(for: .milliseconds(20))
        write(ends[1], "*", 1)
        #expect(try await byte == 42)
    }

    /// Cancelling, interrupting and deadlines end the waiting, which would take a day by itself.
    @Test(arguments: ["cancel", "interrupt", "deadline"])
    func stopping(how: String) async throws {
        let handle = Mutex<InterruptHandle?>(nil)
        let task = Task {
            let engine = Engine()
            let instance = try Self.instance(Module(text: Self.sleeper, engine: engine), engine)
            handle.withLock { $0 = instance.store.interruptHandle }
            if how == "deadline" { instance.store.deadline = .now + .milliseconds(30) }
            let sleep = try #require(instance.function("sleep"))
            do {
                _ = try await sleep.call(86_400_000_000_000 as Int64, returning: Int32.self)
            } catch {
                // Nothing is left for the next call.
                instance.store.deadline = nil
                #expect(instance.store.stopRequest() == nil)
                let status = try await sleep.call(1 as Int64, returning: Int32.self)
                #expect(status == 0)
                throw error
            }
        }
        while handle.withLock({ $0 == nil }) { try await Task.sleep(for: .milliseconds(1)) }
        try await Task.sleep(for: .milliseconds(30))
        if how == "cancel" { task.cancel() }
        if how == "interrupt" { handle.withLock { $0?.interrupt() } }
        let error = await #expect(throws: (any Error).self) { try await task.value }
        switch how {
        case "cancel": #expect(error is CancellationError)
        case "interrupt": #expect((error as? Trap)?.code == .interrupted)
        default: #expect((error as? Trap)?.code == .deadlineExceeded)
        }
    }

    /// The waiting task comes back to its actor.
    @MainActor @Test func waitsOnAnActor() async throws {
        let engine = Engine()
        let instance = try Self.instance(Module(text: Self.sleeper, engine: engine), engine)
        let sleep = try #require(instance.function("sleep"))
        #expect(try await sleep.call(2_000_000 as Int64, returning: Int32.self) == 0)
        MainActor.assertIsolated()
    }

    @Test func guestsNotifyEachOther() async throws {
        let engine = Engine()
        let module = try Module(
            text: """
                (module
                  (memory (import "env" "memory") 1 1 shared)
                  (func (export "wait") (result i32)
                    (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
                """, engine: engine)
        let memory = try SharedMemory(
            MemoryType(limits: Limits(minimum: 1, maximum: 1), shared: true))
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let store = Store(engine: engine)
                    let linker = Linker()
                    linker.define(
                        "env", "memory", .memory(try Memory(store: store, sharing: memory)))
                    let instance = try linker.instantiate(module, in: store)
                    let wait = try #require(instance.function("wait"))
                    return try await wait.call(returning: Int32.self)
                }
            }
            var woken: UInt32 = 0
            while woken < 20 {
                woken += memory.notify(at: 0, count: 3)
                try await Task.sleep(for: .milliseconds(1))
            }
            for try await answer in group { #expect(answer == 0) }
        }
    }
}
