import Testing
import WasmInterpreter

@testable import WasmWASI

/// Calls from inside an instance, through the linker.
@Suite struct LinkedTests {
    private let store = Store(engine: Engine())

    private func instantiate(
        _ wasi: WASI, _ functions: [GuestModule.Function] = GuestModule.preview1,
        module: String = "wasi_snapshot_preview1"
    ) throws -> Instance {
        let guest = GuestModule(module: module, functions: functions, pages: 4)
        let linker = Linker()
        try linker.define(wasi)
        return try linker.instantiate(
            try Module(guest.binary(), engine: store.engine), in: store)
    }

    private func call(
        _ instance: Instance, _ name: String, _ arguments: [UInt64]
    ) throws -> Errno? {
        let function = try #require(instance.function(Name(name)))
        let values = zip(arguments, function.type.parameters).map { argument, type in
            type == .i64
                ? Value.i64(Int64(bitPattern: argument))
                : .i32(Int32(truncatingIfNeeded: argument))
        }
        guard case .i32(let result)? = try function.call(values).first else { return nil }
        return Errno(rawValue: UInt16(truncatingIfNeeded: result))
    }

    private func memory(_ instance: Instance) throws -> UnsafeMutableRawBufferPointer {
        let memory = try #require(instance.memory("memory"))
        let view = memory.bytes
        return UnsafeMutableRawBufferPointer(start: view.base, count: view.byteCount)
    }

    @Test(arguments: ["wasi_snapshot_preview1", "wasi_unstable"])
    func everyFunctionIsThere(_ module: String) throws {
        #expect(GuestModule.preview1.count == 46)
        let instance = try instantiate(WASI(), module: module)
        #expect(try call(instance, "sched_yield", []) == .success)
        #expect(try call(instance, "fd_close", [77]) == .badf)
    }

    @Test func hello() throws {
        let output = OutputBuffer()
        var wasi = WASI()
        wasi.standardOutput = .buffer(output)
        let instance = try instantiate(wasi)
        let memory = try memory(instance)
        memory.copyBytes(from: Array("hello".utf8))
        memory.storeBytes(of: 0, toByteOffset: 16, as: UInt32.self)
        memory.storeBytes(of: 5, toByteOffset: 20, as: UInt32.self)
        #expect(try call(instance, "fd_write", [1, 16, 1, 24]) == .success)
        #expect(memory.load(fromByteOffset: 24, as: UInt32.self) == 5)
        #expect(output.string == "hello")
    }

    /// The older version counts `whence` in another order and has other structures.
    @Test func olderVersion() throws {
        let folder = TestFolder()
        var wasi = WASI()
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        let instance = try instantiate(wasi, module: "wasi_unstable")
        let memory = try memory(instance)
        memory.copyBytes(from: Array("file".utf8))
        let rights = Rights.regularFile.rawValue
        #expect(
            try call(instance, "path_open", [3, 0, 0, 4, 0, rights, 0, 0, 8]) == .success)
        #expect(memory.load(fromByteOffset: 8, as: UInt32.self) == 4)
        // From the end, from the start, from the position.
        for (offset, whence, position) in [(-2, 1, 4), (1, 2, 1), (2, 0, 3)]
            as [(Int, UInt64, UInt64)]
        {
            let offset = UInt64(bitPattern: Int64(offset))
            #expect(try call(instance, "fd_seek", [4, offset, whence, 16]) == .success)
            #expect(memory.load(fromByteOffset: 16, as: UInt64.self) == position)
        }
        #expect(try call(instance, "fd_filestat_get", [4, 64]) == .success)
        #expect(memory.load(fromByteOffset: 64 + 20, as: UInt32.self) == 1)
        #expect(memory.load(fromByteOffset: 64 + 24, as: UInt64.self) == 6)
        #expect(try call(instance, "path_filestat_get", [3, 0, 0, 4, 128]) == .success)
        #expect(memory.load(fromByteOffset: 128 + 24, as: UInt64.self) == 6)
    }

    @Test func exitReachesTheCaller() throws {
        let instance = try instantiate(WASI())
        let exit = #expect(throws: GuestExit.self) { try call(instance, "proc_exit", [42]) }
        #expect(exit?.code == 42)
        let aborted = #expect(throws: GuestExit.self) { try call(instance, "proc_raise", [6]) }
        #expect(aborted?.code == 134)
        #expect(try call(instance, "proc_raise", [99]) == .inval)
        #expect(throws: NoStartFunction.self) { try instance.runCommand() }
    }

    /// A guest that waits is stopped by the store's deadline, whatever it waits in.
    @Test func deadlineEndsWaiting() throws {
        let (reader, writer) = try System.makePipe()
        defer {
            try? System.close(reader)
            try? System.close(writer)
        }
        var wasi = WASI()
        wasi.standardInput = .descriptor(reader)
        let instance = try instantiate(wasi)
        let memory = try memory(instance)
        memory.storeBytes(of: 4, toByteOffset: 20, as: UInt32.self)
        // A subscription to a clock, forever.
        memory.storeBytes(of: 1, toByteOffset: 64 + 16, as: UInt32.self)
        memory.storeBytes(of: .max, toByteOffset: 64 + 24, as: UInt64.self)
        let waits: [(String, [UInt64])] = [
            ("fd_read", [0, 16, 1, 24]), ("poll_oneoff", [64, 256, 1, 24]),
        ]
        for (name, arguments) in waits {
            let start = ContinuousClock.now
            store.deadline = start + .milliseconds(30)
            let trap = #expect(throws: Trap.self) { try call(instance, name, arguments) }
            #expect(trap?.code == .deadlineExceeded)
            #expect(ContinuousClock.now - start < .seconds(20))
        }
    }

    @Test func withoutMemory() throws {
        let linker = Linker()
        try linker.define(WASI())
        let module = GuestModule(
            module: "wasi_snapshot_preview1", functions: GuestModule.preview1, pages: 0)
        let instance = try linker.instantiate(
            try Module(module.binary(), engine: store.engine), in: store)
        #expect(try call(instance, "clock_time_get", [0, 0, 0]) == .fault)
        #expect(try call(instance, "fd_write", [1, 0, 1, 0]) == .fault)
        #expect(try call(instance, "random_get", [0, 0]) == .success)
        #expect(try call(instance, "random_get", [0, 1]) == .fault)
    }

    /// Calls with arguments of all kinds of wrongness: every one answers, and nothing outside of
    /// the folder changes.
    @Test(arguments: Backend.allCases)
    func anyArguments(_ backend: Backend) throws {
        let folder = SandboxTests.makeFolder()
        let before = folder.snapshot("outside")
        let memoryFolder = MemoryFolder(byteLimit: 1 << 20)
        try memoryFolder.write(Array("inside".utf8), to: "file")
        try memoryFolder.createFolder("sub/deep")
        var wasi = WASI(arguments: ["name", "argument"], environment: [("A", "B")])
        wasi.standardInput = .bytes(Array("input".utf8))
        wasi.standardOutput = .buffer(OutputBuffer(limit: 1 << 20))
        wasi.standardError = .null
        wasi.clock = .custom(VirtualClock())
        wasi.random = .seeded(1)
        wasi.limits.writtenBytes = 1 << 20
        wasi.pathResolution = backend == .hostWalk ? .componentWalk : .automatic
        wasi.folders = [
            backend == .memory
                ? .init(memoryFolder, guestPath: "/")
                : .init(hostPath: folder.root, guestPath: "/")
        ]
        var arguments = ArgumentGenerator(seed: 7)
        store.deadline = .now + .seconds(120)
        var answers: [Errno: Int] = [:]
        for _ in 0..<40 {
            // A fresh guest now and then: one that closed its folder has nothing left to try.
            let instance = try instantiate(wasi)
            let memory = try memory(instance)
            for _ in 0..<1000 {
                let function = arguments.pick(GuestModule.preview1)
                arguments.prepare(memory)
                do {
                    let values = function.parameters.utf8.map { _ in arguments.next() }
                    let answer = try call(instance, function.name, values)
                    answers[try #require(answer), default: 0] += 1
                } catch is GuestExit {
                    #expect(function.name.hasPrefix("proc_"))
                }
            }
        }
        #expect(answers[.success, default: 0] > 100)
        #expect(answers[.nosys] == nil)
        #expect(answers.count > 10)
        #expect(folder.snapshot("outside") == before)
    }
}

/// Numbers that a careless or hostile program might pass.
private struct ArgumentGenerator {
    private var random: SeededGenerator
    /// Lengths of the paths in memory by address.
    private var lengths: [UInt64: UInt64] = [:]
    /// What follows the address of a path.
    private var pending: UInt64?

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private static let paths = [
        "file", "sub", "sub/deep", ".", "..", "new", "sub/new", "../outside/secret", "out",
        "out/secret", "/etc/passwd", "up/outside/secret", "dangling", "file/", "sub/../file",
        "", "/", "x\0y", "proc/self", "sub/deep/out/secret", "chain1/secret",
    ]

    mutating func pick<Element>(_ list: [Element]) -> Element {
        list[Int(random.next() % UInt64(list.count))]
    }

    mutating func next() -> UInt64 {
        if let length = pending {
            pending = nil
            if random.next() % 8 != 0 { return length }
        }
        switch random.next() % 8 {
        case 0: return random.next()
        case 1: return pick([0, .max, 1 << 31, 1 << 32, 1 << 63, 65535, 65536, 262_143, 262_144])
        case 2: return UInt64(bitPattern: -Int64(random.next() % 100))
        case 3: return (1 << 30) - 1
        case 4, 6:
            let address = 4096 + 64 * (random.next() % 64)
            pending = lengths[address]
            return address
        case 5: return 8192 + 16 * (random.next() % 64)
        default: return random.next() % 10
        }
    }

    /// Fills the places that arguments point at with paths, and with addresses and numbers.
    mutating func prepare(_ memory: UnsafeMutableRawBufferPointer) {
        let path = pick(Self.paths)
        let slot = 4096 + 64 * Int(random.next() % 64)
        UnsafeMutableRawBufferPointer(rebasing: memory[slot..<(slot + 64)])
            .copyBytes(from: Array(path.utf8))
        lengths[UInt64(slot)] = UInt64(path.utf8.count)
        let word = 8192 + 16 * Int(random.next() % 64)
        memory.storeBytes(of: next(), toByteOffset: word, as: UInt64.self)
        memory.storeBytes(of: next(), toByteOffset: word + 8, as: UInt64.self)
    }
}
