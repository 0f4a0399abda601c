import Testing
import WasmInterpreter
import WasmText
import WasmWASI
import WasmdDigests
import WasmdEventLoop

@testable import WasmdGuests

func module(_ text: String, engine: Engine = Engine()) throws -> Module {
    try Module(try parseModule(Array(text.utf8)), engine: engine)
}

/// A request for a guest that is in no cache.
func request(_ guest: PreparedGuest, in world: WASI = WASI()) -> RunRequest {
    RunRequest(
        guest, digest: SHA256.hash([UInt8]()), module: RunScope(.module, "test"), in: world)
}

extension Value {
    var i32: Int32? { if case .i32(let value) = self { value } else { nil } }
}

/// Functions of WASI that test guests import, and a function `$print` that writes 32 bytes at 64.
let preview1 = """
    (import "wasi_snapshot_preview1" "random_get"
      (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
      (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get"
      (func $environSizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get"
      (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get"
      (func $argsSizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get"
      (func $prestat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
      (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $print
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 32))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func $seed (drop (call $random (i32.const 64) (i32.const 32))))
    """

@Suite struct PreparedGuestTests {
    /// 1,000 runs of `function`, each of which prints 32 bytes.
    private func outputs(
        _ guest: PreparedGuest, _ function: Name, folders: [WASI.Folder] = []
    ) throws -> [[UInt8]] {
        try onLoop { guests in
            let runs = GuestRuns()
            var outputs: [[UInt8]] = []
            for _ in 0..<1000 {
                let output = OutputBuffer()
                var world = WASI()
                world.folders = folders
                world.standardOutput = .buffer(output)
                var request = request(guest, in: world)
                request.function = function
                let result = await runs.run(request, on: guests)
                #expect(result.outcome.kind == .succeeded)
                outputs.append(output.bytes)
            }
            return outputs
        }
    }

    private func expectDistinct(_ outputs: [[UInt8]]) {
        #expect(Set(outputs).count == 1000)
        #expect(outputs.allSatisfy { $0.count == 32 && $0 != [UInt8](repeating: 0, count: 32) })
    }

    @Test func aReactorThatSeedsInInitializeIsNotForked() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module \(preview1)
                  (func (export "_initialize") (call $seed))
                  (func (export "run") (call $print)))
                """))
        #expect(guest.kind == .reactor)
        guard case .call(_, "random_get")? = guest.obstacle else {
            Issue.record("\(String(describing: guest.obstacle))")
            return
        }
        expectDistinct(try outputs(guest, "run"))
    }

    @Test func aModuleThatSeedsInItsStartFunctionIsNotForked() throws {
        let guest = try PreparedGuest(
            module(
                "(module \(preview1) (start $seed) (func (export \"run\") (call $print)))"))
        #expect(guest.kind == .plain)
        #expect(guest.obstacle != nil)
        expectDistinct(try outputs(guest, "run"))
    }

    @Test func aCommandThatSeedsInItsMainFunctionIsForked() throws {
        let guest = try PreparedGuest(
            module(
                "(module \(preview1) (func (export \"_start\") (call $seed) (call $print)))"))
        #expect(guest.kind == .command)
        #expect(guest.isForked(in: WASI()))
        expectDistinct(try outputs(guest, "_start"))
    }

    @Test func aGuestThatOpensAFileWhileItStartsIsNotForked() throws {
        let folder = MemoryFolder()
        let guest = try PreparedGuest(
            module(
                """
                (module \(preview1)
                  (data (i32.const 200) "urandom")
                  (func (export "_initialize")
                    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 200) (i32.const 7)
                      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 300))))
                  (func (export "run") (call $print)))
                """), in: world(folder))
        guard case .call(_, "path_open")? = guest.obstacle else {
            Issue.record("\(String(describing: guest.obstacle))")
            return
        }
    }

    private func world(_ folder: MemoryFolder) -> WASI {
        var world = WASI()
        world.folders = [.init(folder, guestPath: "/dev")]
        return world
    }

    /// A reactor that copies its environment's size, or that of its arguments, while it starts.
    private func observer(_ call: String) throws -> Module {
        try module(
            """
            (module \(preview1)
              (global $seen (mut i32) (i32.const -1))
              (func (export "_initialize")
                (drop (call \(call) (i32.const 64) (i32.const 68)))
                (global.set $seen (i32.load (i32.const 64))))
              (func (export "seen") (result i32) (global.get $seen)))
            """)
    }

    private func seen(_ guest: PreparedGuest, _ worlds: [WASI]) throws -> [(Int32?, Bool?)] {
        try onLoop { guests in
            let runs = GuestRuns()
            var results: [(Int32?, Bool?)] = []
            for world in worlds {
                var request = request(guest, in: world)
                request.function = "seen"
                let result = await runs.run(request, on: guests)
                results.append((result.values.first?.i32, result.record?.isForked))
            }
            return results
        }
    }

    @Test func environmentsThatDifferAreNeverMixed() throws {
        let (none, one, two) = (
            WASI(), WASI(environment: [("A", "1")]), WASI(environment: [("A", "1"), ("B", "2")])
        )
        let guest = try PreparedGuest(observer("$environSizes"), in: one)
        let results = try seen(guest, [one, none, two, one])
        #expect(results.map(\.0) == [1, 0, 2, 1])
        #expect(results.map(\.1) == [true, false, false, true])
        // Variables of a block are variables.
        var block = WASI()
        block.environmentBlock = Array("A=1\0".utf8)
        let more = try seen(guest, [block])
        #expect(more.map(\.0) == [1])
        #expect(more.map(\.1) == [false])
    }

    @Test func argumentsThatDifferAreNeverMixed() throws {
        let guest = try PreparedGuest(observer("$argsSizes"), in: WASI(arguments: ["a"]))
        let results = try seen(guest, [WASI(arguments: ["a"]), WASI(arguments: ["a", "b"])])
        #expect(results.map(\.0) == [1, 2])
        #expect(results.map(\.1) == [true, false])
        // The environment was not seen, and may differ.
        #expect(guest.isForked(in: WASI(arguments: ["a"], environment: [("A", "1")])))
    }

    @Test func foldersThatDifferAreNeverMixed() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module \(preview1)
                  (global $seen (mut i32) (i32.const -1))
                  (func (export "_initialize")
                    (global.set $seen (call $prestat (i32.const 3) (i32.const 64))))
                  (func (export "seen") (result i32) (global.get $seen)))
                """))
        let results = try seen(guest, [WASI(), world(MemoryFolder())])
        // 8 is badf.
        #expect(results.map(\.0) == [8, 0])
        #expect(results.map(\.1) == [true, false])
    }

    @Test func aGuestThatReadsTheClockIsForked() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module \(preview1)
                  (func (export "_initialize")
                    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 64))))
                  (func (export "run") (call $print)))
                """))
        #expect(guest.obstacle == nil)
    }

    @Test func whatTheHostReturnsWhileAGuestStartsIsInNoFork() throws {
        let count = Counter()
        let imports = GuestImports { linker in
            linker.defineShared("env", "next") { () -> Int32 in count.next() }
        }
        let guest = try PreparedGuest(
            module(
                """
                (module
                  (import "env" "next" (func $next (result i32)))
                  (global $first (mut i32) (i32.const 0))
                  (func (export "_initialize") (global.set $first (call $next)))
                  (func (export "seen") (result i32) (global.get $first)))
                """), imports: imports)
        guard case .call("env", "next")? = guest.obstacle else {
            Issue.record("\(String(describing: guest.obstacle))")
            return
        }
        #expect(try seen(guest, [WASI(), WASI()]).map(\.0) == [1, 2])
    }

    @Test func forksBeginAfterInitialize() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module
                  (global $count (mut i32) (i32.const 0))
                  (func $more (global.set $count (i32.add (global.get $count) (i32.const 10))))
                  (start $more)
                  (func (export "_initialize") (call $more))
                  (func (export "seen") (result i32) (call $more) (global.get $count)))
                """))
        #expect(guest.obstacle == nil)
        let results = try seen(guest, [WASI(), WASI()])
        #expect(results.map(\.0) == [30, 30])
        #expect(results.map(\.1) == [true, true])
    }

    @Test func aGuestThatTrapsWhileItStartsDoesSoInEachRun() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module (func (export "_initialize") unreachable) (func (export "run")))
                """))
        guard case .failure? = guest.obstacle else {
            Issue.record("\(String(describing: guest.obstacle))")
            return
        }
        let outcome = try onLoop { guests in
            var request = request(guest)
            request.function = "run"
            return await GuestRuns().run(request, on: guests).outcome
        }
        guard case .trapped(let trap) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(trap.code == .unreachable)
        #expect(trap.frames.count == 1)
    }

    /// The start function of a guest that is not forked takes turns with others.
    @Test func anEndlessStartFunctionHoldsNoLoop() throws {
        let endless = try PreparedGuest(
            module("(module (func $s (loop (br 0))) (start $s) (func (export \"run\")))"),
            limits: {
                var limits = RunLimits()
                limits.fuel = 1000
                return limits
            }())
        let kind = try onLoop { guests in
            let loop = guests.loop
            let task = loop.spawn {
                var request = request(endless)
                request.function = "run"
                request.limits.time = nil
                // Ends the test if the loop is held.
                request.limits.fuel = 20_000_000
                return await GuestRuns().run(request, on: guests).outcome.kind
            }
            for _ in 0..<3 { try await loop.sleep(for: .milliseconds(1)) }
            task.cancel()
            return await task.value
        }
        #expect(kind == .cancelled)
    }
}
