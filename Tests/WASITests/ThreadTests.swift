import Glibc
import Synchronization
import Testing
@_spi(Loops) import WasmInterpreter
import WasmText

@testable import WasmWASI

/// Guests with threads: wasi-threads.
@Suite struct ThreadTests {
    /// What a thread of the guest below does; the raw value is the argument that it starts with.
    enum Act: Int32 {
        case nothing, wait, spin, read, sleep, exit, trap, count, write, grow, open

        /// Those that only somebody else can end.
        static let endless: [Act] = [.wait, .spin, .read, .sleep]
    }

    private static let guest = """
        (module
          (import "env" "memory" (memory 1 16 shared))
          (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (data (i32.const 64) "\\80\\00\\00\\00\\01\\00\\00\\00")
          (data (i32.const 80) "\\00\\04\\00\\00\\05\\00\\00\\00")
          (data (i32.const 272) "\\01") (data (i32.const 280) "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff")
          (data (i32.const 1024) "line\\0afile")
          (func (export "spawn") (param i32) (result i32) (call $spawn (local.get 0)))
          (func (export "load") (param i32) (result i32) (i32.atomic.load (local.get 0)))
          (func (export "await") (param $address i32) (param $value i32)
            (local $seen i32)
            (loop $again
              (local.set $seen (i32.atomic.load (local.get $address)))
              (if (i32.ne (local.get $seen) (local.get $value))
                (then
                  (drop (memory.atomic.wait32
                    (local.get $address) (local.get $seen) (i64.const -1)))
                  (br $again)))))
          (func (export "print") (param $address i32) (result i32)
            (i32.store (i32.const 96) (local.get $address))
            (i32.store (i32.const 100) (i32.const 5))
            (call $write (i32.const 1) (i32.const 96) (i32.const 1) (i32.const 112)))
          (func $count (param $id i32)
            (drop (i32.atomic.rmw.add (i32.const 8) (local.get $id)))
            (drop (i32.atomic.rmw.add (i32.const 4) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 4) (i32.const 1))))
          (func $openAndClose (param $result i32) (local $n i32)
            (loop $again
              (if (call $open (i32.const 3) (i32.const 0) (i32.const 1029) (i32.const 4)
                    (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (local.get $result))
                (then unreachable))
              (if (call $close (i32.load (local.get $result))) (then unreachable))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $n) (i32.const 500)))))
          (func $act (export "act") (param $act i32) (param $id i32)
            (block $open (block $grow (block $write (block $count (block $trap (block $exit
              (block $sleep (block $read (block $spin (block $wait (block $nothing
                (br_table $nothing $wait $spin $read $sleep $exit $trap $count $write $grow $open
                  (local.get $act)))
                return)
              (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))) return)
              (loop $spinning (br $spinning)))
              (drop (call $read (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 112)))
              return)
              (drop (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 112)))
              return)
              (call $exit (i32.const 42)))
              unreachable)
              (call $count (local.get $id)) return)
              (drop (call $write (i32.const 1) (i32.const 80) (i32.const 1) (i32.const 112)))
              (call $count (local.get $id)) return)
              (drop (memory.grow (i32.const 1)))
              (i64.store offset=65536 (i32.const 0) (i64.const 0x0a776f7267))
              (call $count (local.get $id)) return)
            (call $openAndClose (i32.add (i32.const 2048) (i32.mul (local.get $id) (i32.const 4))))
            (call $count (local.get $id)))
          (func (export "wasi_thread_start") (param $id i32) (param $act i32)
            (call $act (local.get $act) (local.get $id))))
        """

    private let engine = Engine()
    private let module: Module
    private let store: Store
    private let input: (read: Int32, write: Int32)
    private let output = OutputBuffer()
    private let folder = TestFolder()

    init() throws {
        module = try Module(try parseModule(Array(Self.guest.utf8)), engine: engine)
        store = Store(engine: engine)
        input = try System.makePipe()
    }

    /// The guest's first thread is the test: it spawns and acts through what the guest exports.
    private struct Program {
        let instance: Instance
        let threads: GuestThreads
        /// Whether all threads are suspended where they wait, and a loop of their own waits for each.
        var byLoop = false

        func call(_ name: Name, _ arguments: [Int32] = []) throws -> Int32? {
            let function = try #require(instance.function(name))
            let values = arguments.map { Value.i32($0) }
            let results =
                byLoop ? try loopDriver(function, values) : try function.call(values)
            guard case .i32(let value)? = results.first else { return nil }
            return value
        }

        func spawn(_ act: Act) throws -> Int32 { try #require(try call("spawn", [act.rawValue])) }
        func act(_ act: Act) throws { _ = try call("act", [act.rawValue, 0]) }
        /// Waits until as many threads as this have counted.
        func awaitCount(_ count: Int32) throws { _ = try call("await", [4, count]) }

        func run<Value>(_ body: (Program) throws -> Value) throws -> Value {
            try threads.run(in: instance.store) { try body(self) }
        }
    }

    private func makeProgram(
        byLoop: Bool = false, _ prepare: (inout WASI) -> Void = { _ in }
    ) throws -> Program {
        var wasi = WASI()
        wasi.standardInput = .descriptor(input.read)
        wasi.standardOutput = .buffer(output)
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        prepare(&wasi)
        let linker = Linker()
        let guest = try linker.define(wasi)
        let threads = try GuestThreads(of: module, guest)
        try threads.define(on: linker, in: store)
        if byLoop { threads.setDriver(loopDriver) }
        return Program(
            instance: try linker.instantiate(module, in: store), threads: threads, byLoop: byLoop)
    }

    private func closePipe() {
        close(input.read)
        close(input.write)
    }

    @Test(arguments: [false, true]) func threadsShareTheMemory(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        #expect(GuestThreads.areWanted(by: module))
        let ids = try program.run { (program) throws in
            let ids = try (0..<8).map { _ in try program.spawn(.count) }
            try program.awaitCount(8)
            return ids
        }
        #expect(ids == Array(1...8))
        #expect(try program.call("load", [8]) == 36)
    }

    /// An exit in any thread is the exit of the program, whatever the others do.
    @Test(arguments: Act.endless, [false, true])
    func exitElsewhereEndsTheProgram(_ act: Act, byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        for _ in 0..<3 {
            let exit = #expect(throws: GuestExit.self) {
                try program.run { (program) throws in
                    for act in Act.endless { _ = try program.spawn(act) }
                    _ = try program.spawn(.exit)
                    try program.act(act)
                }
            }
            #expect(exit?.code == 42)
            // The store can be used again.
            #expect(try program.call("load", [4]) == 0)
        }
    }

    @Test(arguments: [false, true]) func trapElsewhereEndsTheProgram(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        let trap = #expect(throws: Trap.self) {
            try program.run { (program) throws in
                _ = try program.spawn(.trap)
                try program.act(.wait)
            }
        }
        #expect(trap?.code == .unreachable)
        #expect(trap?.backtrace.frames.count == 2)
    }

    /// When the first thread returns, traps or exits, the others end too.
    @Test(arguments: [false, true]) func endOfTheFirstThread(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        let start = ContinuousClock.now
        let answer = try program.run { (program) throws in
            for act in Act.endless + Act.endless { _ = try program.spawn(act) }
            try program.act(.nothing)
            return 7
        }
        #expect(answer == 7)
        let exit = #expect(throws: GuestExit.self) {
            try program.run { (program) throws in
                for act in Act.endless { _ = try program.spawn(act) }
                try program.act(.exit)
            }
        }
        #expect(exit?.code == 42)
        let trap = #expect(throws: Trap.self) {
            try program.run { (program) throws in
                for act in Act.endless { _ = try program.spawn(act) }
                try program.act(.trap)
            }
        }
        #expect(trap?.code == .unreachable)
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func limits() throws {
        defer { closePipe() }
        let program = try makeProgram { $0.limits.threads = 2 }
        let again = -Int32(Errno.again.rawValue)
        // Only while the program runs is there somebody to end them.
        #expect(try program.spawn(.nothing) == again)
        try program.run { (program) throws in
            #expect(try program.spawn(.wait) > 0)
            #expect(try program.spawn(.wait) > 0)
            #expect(try program.spawn(.wait) == again)
        }
        // A thread that has ended makes room.
        try program.run { (program) throws in
            for count in 1...20 {
                while try program.spawn(.count) < 0 { sched_yield() }
                try program.awaitCount(Int32(count))
            }
        }
    }

    @Test(arguments: [false, true]) func requestsAndDeadlinesStopAllThreads(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        let handle = store.interruptHandle
        for act in Act.endless {
            let trap = Background.during({ handle.interrupt() }) {
                #expect(throws: Trap.self) {
                    try program.run { (program) throws in
                        for act in Act.endless { _ = try program.spawn(act) }
                        try program.act(act)
                    }
                }
            }
            #expect(trap?.code == .interrupted)
            store.deadline = .now + .milliseconds(20)
            #expect(throws: Trap.self) {
                try program.run { (program) throws in
                    _ = try program.spawn(act)
                    try program.act(.wait)
                }
            }
            store.deadline = nil
        }
    }

    /// All threads together use no more fuel than the program was given.
    @Test(arguments: [false, true]) func fuelIsShared(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        store.fuel = 1_000_000
        let trap = #expect(throws: Trap.self) {
            try program.run { (program) throws in
                _ = try program.spawn(.spin)
                try program.act(.wait)
            }
        }
        #expect(trap?.code == .outOfFuel)
        // But for what the first thread has at hand.
        #expect(try #require(store.fuel) <= 110_000)
    }

    /// What a thread has not used when it ends is there for others.
    @Test(arguments: [false, true]) func fuelComesBack(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        store.fuel = 1_000_000
        try program.run { (program) throws in
            for count in 1...8 {
                _ = try program.spawn(.count)
                try program.awaitCount(Int32(count))
            }
        }
        #expect(try #require(store.fuel) > 990_000)
        store.fuel = 5
        #expect(store.fuel == 5)
    }

    private final class Watcher: StoreLimiter, StoreObserver {
        var growths = 0
        var threads: Set<UInt> = []
        var allows = true

        func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
            growths += current > 0 ? 1 : 0
            threads.insert(UInt(pthread_self()))
            return allows
        }

        func didTrap(_ trap: Trap) { threads.insert(UInt(pthread_self())) }
    }

    @Test(arguments: [false, true]) func limitersAreAskedByAllThreads(byLoop: Bool) throws {
        defer { closePipe() }
        let watcher = Watcher()
        let program = try makeProgram(byLoop: byLoop)
        store.limiter = watcher
        try program.run { (program) throws in
            for _ in 0..<4 { _ = try program.spawn(.grow) }
            // One that goes on: those that end may have the same handle, one after another.
            try program.act(.grow)
            try program.awaitCount(5)
        }
        #expect(watcher.growths == 5)
        #expect(watcher.threads.count > 1)
    }

    @Test(arguments: [false, true]) func observersAreToldByAllThreads(byLoop: Bool) throws {
        defer { closePipe() }
        let watcher = Watcher()
        let program = try makeProgram(byLoop: byLoop)
        store.observer = watcher
        #expect(throws: Trap.self) {
            try program.run { (program) throws in
                _ = try program.spawn(.trap)
                try program.act(.wait)
            }
        }
        #expect(watcher.threads.count == 2, "the one that failed and the one that was stopped")
    }

    @Test(arguments: [false, true]) func closuresForFuelAreAskedByAllThreads(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        store.fuel = 1000
        var asked = 0
        store.onOutOfFuel = .ask { missing in
            asked += 1
            return asked < 20 ? 10_000 : 0
        }
        let trap = #expect(throws: Trap.self) {
            try program.run { (program) throws in
                for _ in 0..<3 { _ = try program.spawn(.spin) }
                try program.act(.wait)
            }
        }
        #expect(trap?.code == .outOfFuel)
        #expect(asked >= 20)
    }

    /// A total holds for all threads together, and what they took is given back.
    @Test func totalIsShared() throws {
        defer { closePipe() }
        var limits = StoreLimits()
        limits.totalBytes = 8 << 20
        let store = Store(engine: engine, limits: limits)
        let linker = Linker()
        let guest = try linker.define(WASI())
        let threads = try #require(try linker.defineThreads(of: module, guest, in: store))
        #expect(guest.account == nil)
        let program = Program(
            instance: try linker.instantiate(module, in: store), threads: threads)
        #expect(guest.account === store.account)
        let before = store.account.byteCount
        let nomem = -Int32(Errno.nomem.rawValue)
        let count = try program.run { (program) throws in
            var count = 0
            while try program.spawn(.wait) != nomem { count += 1 }
            return count
        }
        #expect(4...12 ~= count)
        // But for the stack of the first thread, and the code of what was called first.
        #expect(before..<(before + 620_000) ~= store.account.byteCount)
        try program.run { (program) throws in #expect(try program.spawn(.nothing) > 0) }
    }

    @Test(arguments: [false, true]) func manyThreadsWait(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        try program.run { (program) throws in
            for _ in 0..<100 {
                #expect(try program.spawn(.wait) > 0)
                #expect(try program.spawn(.sleep) > 0)
            }
            try program.act(.nothing)
        }
    }

    @Test(arguments: [false, true]) func descriptorsAreShared(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        try program.run { (program) throws in
            for _ in 0..<4 {
                _ = try program.spawn(.open)
                _ = try program.spawn(.write)
            }
            try program.awaitCount(8)
        }
        #expect(output.string == String(repeating: "line\n", count: 4))
    }

    /// What one thread added to the memory, calls of another may use.
    @Test(arguments: [false, true]) func growthIsSeenByCalls(byLoop: Bool) throws {
        defer { closePipe() }
        let program = try makeProgram(byLoop: byLoop)
        try program.run { (program) throws in
            #expect(try program.call("print", [65_536]) == Int32(Errno.fault.rawValue))
            _ = try program.spawn(.grow)
            try program.awaitCount(1)
            #expect(try program.call("print", [65_536]) == 0)
        }
        #expect(output.string == "grow\n")
    }

    @Test func threadsThatCannotStart() throws {
        defer { closePipe() }
        let text = """
            (module
              (import "env" "memory" (memory 1 1 shared))
              (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
              (func (export "wasi_thread_start") (param i32))
              (func (export "spawn") (param i32) (result i32) (call $spawn (local.get 0))))
            """
        let module = try Module(try parseModule(Array(text.utf8)), engine: engine)
        let linker = Linker()
        let threads = try GuestThreads(of: module, try WASIGuest(WASI()))
        try threads.define(on: linker, in: store)
        let instance = try linker.instantiate(module, in: store)
        let program = Program(instance: instance, threads: threads)
        try program.run { (program) throws in
            #expect(try program.spawn(.nothing) == -Int32(Errno.notsup.rawValue))
        }
    }

    /// What a thread misses is what the program ends with.
    @Test func importsOfThreads() throws {
        defer { closePipe() }
        let text = """
            (module
              (import "env" "memory" (memory 1 1 shared))
              (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
              (import "host" "note" (func $note (param i32)))
              (func (export "wasi_thread_start") (param i32 i32) (call $note (local.get 1)))
              (func (export "spawn") (param i32) (result i32) (call $spawn (local.get 0)))
              (func (export "act") (param i32 i32)
                (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))
            """
        struct Noted: Error { let value: Int32 }
        let module = try Module(try parseModule(Array(text.utf8)), engine: engine)
        for isComplete in [true, false] {
            let linker = Linker()
            let imports: GuestThreads.Imports = { linker, _ in
                linker.define("host", "note") { (_: borrowing Caller, value: Int32) in
                    throw Noted(value: value)
                }
            }
            let guest = try WASIGuest(WASI())
            let threads =
                try isComplete
                ? GuestThreads(of: module, guest, imports: imports)
                : GuestThreads(of: module, guest)
            try threads.define(on: linker, in: store)
            try imports(linker, store)
            let program = Program(
                instance: try linker.instantiate(module, in: store), threads: threads)
            do {
                try program.run { (program) throws in
                    _ = try program.spawn(.count)
                    try program.act(.wait)
                }
            } catch let error as Noted {
                #expect(isComplete)
                #expect(error.value == Act.count.rawValue)
            } catch {
                #expect(!isComplete)
                #expect(error is LinkError)
            }
        }
    }
}

/// Waits for the guest by a loop of the thread that runs it.
private let loopDriver: GuestThreads.Driver = { function, arguments in
    guard let loop = WaitLoop() else { throw Errno.nfile }
    return try loop.finish(function.start(arguments))
}
