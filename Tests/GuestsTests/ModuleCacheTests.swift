import Testing
import WasmInterpreter
import WasmText
import WasmWASI
import WasmdDigests
import WasmdEventLoop

@testable import WasmdGuests

private func bytes(_ text: String) throws -> [UInt8] {
    try parseModule(Array(text.utf8))
}

@Suite struct ModuleCacheTests {
    @Test func theSameBytesAreCompiledOnce() throws {
        let cache = ModuleCache()
        let bytes = try bytes("(module $m (func (export \"f\")))")
        try EventLoop().run { loop in
            let tasks = (0..<20).map { _ in
                loop.spawn { try? await cache.module(bytes, on: loop) }
            }
            let first = try await cache.module(bytes, on: loop)
            for task in tasks { #expect(await task.value === first) }
            #expect(first.digest == SHA256.hash(bytes))
            #expect(first.scope.name == "m")
            #expect(cache.knownModule(first.digest) === first)
        }
        let counters = cache.counters
        #expect(counters.misses == 1)
        #expect(counters.hits == 21)
        #expect(counters.modules == 1)
        #expect(counters.bytes == cache.modules[0].byteCount)
    }

    @Test func allLoopsShareAModule() throws {
        let cache = ModuleCache()
        let bytes = try bytes("(module (func (export \"f\")))")
        let group = try LoopGroup(count: 3)
        let isSame = try group.run { _ in
            let tasks = group.loops.map { loop in
                loop.spawn { try? await cache.module(bytes, on: loop) }
            }
            var modules: [CachedModule?] = []
            for task in tasks { modules.append(await task.value) }
            return modules.allSatisfy { $0 != nil && $0 === modules[0] }
        }
        #expect(isSame)
        #expect(cache.counters.misses == 1)
    }

    @Test func aRefusedModuleIsRememberedWithItsError() throws {
        var options = ModuleCache.Options()
        options.failureLimit = 2
        let cache = ModuleCache(options)
        try EventLoop().run { loop in
            for round in 1...3 {
                await #expect(throws: ModuleError.self) {
                    try await cache.module([0, 1, 2], on: loop)
                }
                #expect(cache.counters.failures == 1)
                #expect(cache.counters.failureHits == UInt64(round - 1))
            }
            // The oldest of three is forgotten.
            for byte: UInt8 in 1...2 { _ = try? await cache.module([byte], on: loop) }
            #expect(cache.counters.failures == 3)
            _ = try? await cache.module([0, 1, 2], on: loop)
            #expect(cache.counters.failures == 4)
        }
        #expect(cache.counters.modules == 0)
    }

    @Test func modulesAreDroppedBySizeAndLiveOnWhileTheyAreUsed() throws {
        var options = ModuleCache.Options()
        options.byteLimit = 3 * 4600
        let cache = ModuleCache(options)
        try EventLoop().run { loop in
            let first = try await cache.module(
                bytes("(module (func (export \"f0\")))"), on: loop)
            for index in 1..<10 {
                _ = try await cache.module(
                    bytes("(module (func (export \"f\(index)\")))"), on: loop)
                // The first one is used again and again; the others make room.
                #expect(cache.knownModule(first.digest) === first)
            }
            #expect(cache.counters.modules == 3)
            #expect(cache.counters.drops == 7)
            #expect(cache.counters.bytes <= options.byteLimit)
            cache.forget(first.digest)
            #expect(cache.knownModule(first.digest) == nil)
            let guest = try await first.prepared(on: loop)
            let guests = try GuestLoop(loop)
            var request = RunRequest(guest, of: first)
            request.function = "f0"
            let result = await GuestRuns().run(request, on: guests)
            #expect(result.outcome.kind == .succeeded)
        }
    }

    @Test func modulesAreDroppedByAge() throws {
        var options = ModuleCache.Options()
        options.idleTime = .milliseconds(20)
        let cache = ModuleCache(options)
        try EventLoop().run { loop in
            _ = try await cache.module(bytes("(module (func))"), on: loop)
            try await loop.sleep(for: .milliseconds(30))
            cache.trim()
            #expect(cache.counters.modules == 0)
            #expect(cache.counters.bytes == 0)
        }
    }

    @Test func limitsOfOneModule() throws {
        var options = ModuleCache.Options()
        options.moduleByteLimit = 100
        let small = ModuleCache(options)
        try EventLoop().run { loop in
            await #expect(throws: ModuleCacheError.tooLarge(bytes: 101, limit: 100)) {
                try await small.module([UInt8](repeating: 0, count: 101), on: loop)
            }
            await #expect(throws: ModuleCacheError.tooLarge(bytes: 101, limit: 100)) {
                try await small.module(SHA256.hash([1]), on: loop) {
                    ModuleBytes([UInt8](repeating: 0, count: 101))
                }
            }
        }
        var slow = ModuleCache.Options()
        slow.compilationTime = .zero
        let cache = ModuleCache(slow)
        let functions = String(repeating: "(func (loop (br 0)))", count: 30_000)
        let large = try bytes("(module \(functions))")
        try EventLoop().run { loop -> Void in
            await #expect(throws: ModuleCacheError.tooSlow(limit: .zero)) {
                _ = try await cache.module(large, on: loop)
            }
        }
        // Slowness is no fault of the module.
        #expect(cache.counters.failures == 0)
    }

    @Test func whatLoadThrowsIsNotRemembered() throws {
        struct Gone: Error {}
        let cache = ModuleCache()
        let bytes = try bytes("(module)")
        try EventLoop().run { loop in
            let digest = SHA256.hash(bytes)
            await #expect(throws: Gone.self) {
                try await cache.module(digest, on: loop) { throw Gone() }
            }
            let module = try await cache.module(digest, on: loop) { ModuleBytes(bytes) }
            #expect(module.digest == digest)
        }
    }

    /// The one who asked first goes away; the compilation goes on for the second.
    @Test func cancelledTasksDoNotCancelTheOthers() throws {
        let cache = ModuleCache()
        let bytes = try bytes("(module)")
        let digest = SHA256.hash(bytes)
        try EventLoop().run { loop in
            let gate = Gate()
            let first = loop.spawn {
                try? await cache.module(digest, on: loop) {
                    gate.wait()
                    return ModuleBytes(bytes)
                }
            }
            await loop.yield()
            let second = loop.spawn {
                try? await cache.module(digest, on: loop) { ModuleBytes(bytes) }
            }
            await loop.yield()
            first.cancel()
            #expect(await first.value == nil)
            gate.open()
            #expect(await second.value != nil)
        }
        #expect(cache.counters.misses == 1)
    }

    @Test func workThatNobodyWaitsForIsGivenUp() throws {
        let cache = ModuleCache()
        let functions = String(repeating: "(func (loop (br 0)))", count: 20_000)
        let large = try bytes("(module \(functions))")
        let digest = SHA256.hash(large)
        try EventLoop().run { loop in
            let gate = Gate()
            let task = loop.spawn {
                try? await cache.module(digest, on: loop) {
                    gate.wait()
                    return ModuleBytes(large)
                }
            }
            await loop.yield()
            task.cancel()
            #expect(await task.value == nil)
            gate.open()
            // Somebody who comes later gets a compilation of his own.
            let module = try await cache.module(digest, on: loop) { ModuleBytes(large) }
            #expect(cache.knownModule(digest) === module)
        }
        #expect(cache.counters.misses == 2)
    }

    @Test func guestsArePreparedOnceForWorldsThatTheyCannotTellApart() throws {
        let cache = ModuleCache()
        let starts = try bytes(
            """
            (module
              (import "wasi_snapshot_preview1" "environ_sizes_get"
                (func $sizes (param i32 i32) (result i32)))
              (memory (export "memory") 1)
              (func (export "_initialize")
                (drop (call $sizes (i32.const 64) (i32.const 68))))
              (func (export "count") (result i32) (i32.load (i32.const 64))))
            """)
        try EventLoop().run { loop in
            let module = try await cache.module(starts, on: loop)
            let guests = try GuestLoop(loop)
            let runs = GuestRuns()
            for count in [0, 1, 2, 0, 1, 2] {
                let world = WASI(
                    arguments: ["\(count)"],
                    environment: (0..<count).map { ("V\($0)", "") })
                let guest = try await module.prepared(in: world, on: loop)
                #expect(guest.isForked(in: world))
                var request = RunRequest(guest, of: module, in: world)
                request.function = "count"
                let result = await runs.run(request, on: guests)
                #expect(result.values.first == .i32(Int32(count)))
                #expect(result.record?.isForked == true)
            }
        }
    }

    /// Each run has a world of its own: after some preparations no more are made, and runs are right.
    @Test func preparationsAreBoundedInNumber() throws {
        let cache = ModuleCache()
        let starts = try bytes(
            """
            (module
              (import "wasi_snapshot_preview1" "args_sizes_get"
                (func $sizes (param i32 i32) (result i32)))
              (memory (export "memory") 1)
              (func (export "_initialize")
                (drop (call $sizes (i32.const 64) (i32.const 68))))
              (func (export "bytes") (result i32) (i32.load (i32.const 68))))
            """)
        try EventLoop().run { loop in
            let module = try await cache.module(starts, on: loop)
            let guests = try GuestLoop(loop)
            let runs = GuestRuns()
            var forks = 0
            for count in 1...100 {
                let world = WASI(arguments: [String(repeating: "a", count: count)])
                let guest = try await module.prepared(in: world, on: loop)
                var request = RunRequest(guest, of: module, in: world)
                request.function = "bytes"
                let result = await runs.run(request, on: guests)
                #expect(result.values.first == .i32(Int32(count + 1)))
                if result.record?.isForked == true { forks += 1 }
            }
            #expect(forks == 64)
        }
    }

    /// Objects and memories of saved states count.
    @Test func savedStatesCount() throws {
        let cache = ModuleCache()
        let starts = try bytes(
            """
            (module
              (type $a (array (mut i64)))
              (global $kept (mut (ref null $a)) (ref.null $a))
              (memory (export "memory") 16)
              (func (export "_initialize")
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 1000000))
                (global.set $kept (array.new $a (i64.const 1) (i32.const 100000))))
              (func (export "f")))
            """)
        try EventLoop().run { loop in
            let module = try await cache.module(starts, on: loop)
            #expect(module.byteCount < 100_000)
            let guest = try await module.prepared(on: loop)
            #expect(guest.obstacle == nil)
            #expect(module.byteCount > 1_800_000)
            cache.trim()
            #expect(cache.counters.bytes == module.byteCount)
        }
    }

    @Test func aPreparationIsBoundedInTime() throws {
        let cache = ModuleCache()
        let endless = try bytes(
            "(module (func (export \"_initialize\") (loop (br 0))) (func (export \"f\")))")
        try EventLoop().run { loop in
            let module = try await cache.module(endless, on: loop)
            var limits = RunLimits()
            limits.time = .milliseconds(20)
            let guest = try await module.prepared(limits: limits, on: loop)
            guard case .failure? = guest.obstacle else {
                Issue.record("\(String(describing: guest.obstacle))")
                return
            }
        }
    }
}
