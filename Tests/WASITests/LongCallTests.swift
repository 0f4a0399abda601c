import Glibc
import Testing
import WasmText

@testable import WasmInterpreter
@testable import WasmWASI

/// Calls that move much are cut into pieces, after which a guest can be stopped: nothing else changes.
@Suite struct LongCallTests {
    private let folder = TestFolder()

    /// A guest with 16 MiB of memory and the functions that the tests call; 3 is a folder.
    private struct Guest {
        let instance: Instance
        var store: Store { instance.store }

        init(_ wasi: WASI) throws {
            let functions = [
                "fd_read", "fd_write", "fd_pread", "fd_pwrite", "random_get", "path_open",
                "fd_close", "fd_allocate", "fd_filestat_set_size", "fd_readdir", "fd_advise",
                "path_create_directory", "path_unlink_file",
            ]
            let module = GuestModule(
                module: "wasi_snapshot_preview1",
                functions: GuestModule.preview1.filter { functions.contains($0.name) }, pages: 100)
            let store = Store(engine: Engine())
            let linker = Linker()
            try linker.define(wasi)
            instance = try linker.instantiate(
                try Module(module.binary(), engine: store.engine), in: store)
            _ = instance.memory("memory")?.grow(by: 156)
        }

        var memory: UnsafeMutableRawBufferPointer {
            let view = instance.memory("memory").map(\.bytes)
            return UnsafeMutableRawBufferPointer(start: view?.base, count: view?.byteCount ?? 0)
        }

        func call(_ name: String, _ arguments: [UInt64]) throws -> Errno? {
            let function = try #require(instance.function(Name(name)))
            let values = zip(arguments, function.type.parameters).map { argument, type in
                type == .i64
                    ? Value.i64(Int64(bitPattern: argument))
                    : .i32(Int32(truncatingIfNeeded: argument))
            }
            guard case .i32(let result)? = try function.call(values).first else { return nil }
            return Errno(rawValue: UInt16(truncatingIfNeeded: result))
        }

        /// Opens a file and answers its number.
        func open(_ name: String, _ oflags: Oflags = .creat, _ flags: Fdflags = []) throws -> UInt64
        {
            memory[64..<(64 + name.utf8.count)].copyBytes(from: Array(name.utf8))
            let result = try call(
                "path_open",
                [
                    3, 0, 64, UInt64(name.utf8.count), UInt64(oflags.rawValue),
                    Rights.regularFile.rawValue, 0, UInt64(flags.rawValue), 32,
                ])
            #expect(result == .success)
            return UInt64(memory.load(fromByteOffset: 32, as: UInt32.self))
        }

        /// Stores vectors at 128 and answers how many there are.
        func vectors(_ list: [(Int, Int)]) -> UInt64 {
            for (index, (start, count)) in list.enumerated() {
                memory.storeBytes(
                    of: UInt32(start), toByteOffset: 128 + 8 * index, as: UInt32.self)
                memory.storeBytes(
                    of: UInt32(count), toByteOffset: 132 + 8 * index, as: UInt32.self)
            }
            return UInt64(list.count)
        }

        var transferred: UInt32 { memory.load(fromByteOffset: 32, as: UInt32.self) }
    }

    private func guest(_ backend: Backend) throws -> Guest {
        var wasi = WASI()
        switch backend {
        case .memory: wasi.folders = [.init(MemoryFolder(), guestPath: "/")]
        default: wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        }
        return try Guest(wasi)
    }

    /// Three vectors of 5 MiB and some, with an empty one, which end in the midst of pieces.
    @Test(arguments: [Backend.host, .memory]) func filesAreTheSame(_ backend: Backend) throws {
        let guest = try guest(backend)
        let start = 65_536
        let counts = [1_500_001, 0, 2_600_000, 1_300_007]
        let total = counts.reduce(0, +)
        for index in 0..<(total / 8) {
            guest.memory.storeBytes(
                of: UInt64(index) &* 0x9e37_79b9_7f4a_7c15, toByteOffset: start + 8 * index,
                as: UInt64.self)
        }
        let expected = Array(guest.memory[start..<(start + total)])
        var place = start
        let list = counts.map { count in
            defer { place += count }
            return (place, count)
        }
        let file = try guest.open("large")
        #expect(try guest.call("fd_write", [file, 128, guest.vectors(list), 32]) == .success)
        #expect(guest.transferred == UInt32(total))

        let other = 8 << 20
        #expect(
            try guest.call("fd_pread", [file, 128, guest.vectors([(other, total + 1000)]), 0, 32])
                == .success)
        #expect(guest.transferred == UInt32(total))
        #expect(Array(guest.memory[other..<(other + total)]) == expected)

        // From the middle, with a position.
        guest.memory[other..<(other + total)].copyBytes(from: repeatElement(0, count: total))
        #expect(
            try guest.call(
                "fd_pwrite", [file, 128, guest.vectors([(start, 2_000_000)]), 3_000_000, 32])
                == .success)
        #expect(
            try guest.call("fd_pread", [file, 128, guest.vectors([(other, total)]), 0, 32])
                == .success)
        #expect(
            Array(guest.memory[(other + 3_000_000)..<(other + 5_000_000)])
                == Array(expected[..<2_000_000]))
        #expect(
            Array(guest.memory[other..<(other + 3_000_000)]) == Array(expected[..<3_000_000]))

        // At the end of the file, whatever the position.
        let appending = try guest.open("large", [], .append)
        #expect(
            try guest.call("fd_write", [appending, 128, guest.vectors([(start, 1_100_000)]), 32])
                == .success)
        #expect(
            try guest.call(
                "fd_pread",
                [file, 128, guest.vectors([(other, 1_200_000)]), UInt64(total), 32]) == .success)
        #expect(guest.transferred == 1_100_000)
        #expect(
            Array(guest.memory[other..<(other + 1_100_000)]) == Array(expected[..<1_100_000]))
        // And what was opened to be empty is.
        let empty = try guest.open("large", .trunc)
        #expect(
            try guest.call("fd_pread", [empty, 128, guest.vectors([(other, 10)]), 0, 32])
                == .success)
        #expect(guest.transferred == 0)
    }

    /// A stream is read a piece at a time; one that is written to takes all.
    @Test func streams() throws {
        let output = OutputBuffer(limit: 4_000_000)
        var wasi = WASI()
        wasi.standardInput = .bytes(Array(repeating: 7, count: 3_000_000))
        wasi.standardOutput = .buffer(output)
        let guest = try Guest(wasi)
        let vectors = guest.vectors([(65_536, 3_000_000)])
        var total = 0
        repeat {
            #expect(try guest.call("fd_read", [0, 128, vectors, 32]) == .success)
            total += Int(guest.transferred)
        } while guest.transferred > 0
        #expect(total == 3_000_000)
        #expect(guest.memory[65_536] == 7)
        #expect(try guest.call("fd_write", [1, 128, vectors, 32]) == .success)
        #expect(guest.transferred == 3_000_000)
        // The limit comes in the midst of a piece.
        #expect(try guest.call("fd_write", [1, 128, vectors, 32]) == .success)
        #expect(guest.transferred == 1_000_000)
        #expect(try guest.call("fd_write", [1, 128, vectors, 32]) == .nospc)
        #expect(output.bytes.count == 4_000_000)
    }

    /// A request that is there already ends the call after its first piece, and then the guest.
    @Test(arguments: ["random_get", "fd_write", "fd_pwrite", "fd_pread", "fd_read"])
    func calls(_ name: String) throws {
        for backend in [Backend.host, .memory] {
            let guest = try guest(backend)
            let file = try guest.open("large")
            let vectors = guest.vectors([(65_536, 8_000_000)])
            _ = try guest.call("fd_pwrite", [file, 128, vectors, 0, 32])
            let arguments: [UInt64] =
                switch name {
                case "random_get": [65_536, 8_000_000]
                case "fd_write", "fd_read": [file, 128, vectors, 32]
                default: [file, 128, vectors, 0, 32]
                }
            guest.store.interruptHandle.interrupt()
            let signal = StopSignal(Unmanaged.passUnretained(guest.store))
            #expect(signal.isRaised)
            let trap = #expect(throws: Trap.self) { try guest.call(name, arguments) }
            #expect(trap?.code == .interrupted)
            #expect(!signal.isRaised)
            #expect(try guest.call(name, arguments) == .success)
        }
    }

    @Test func signals() throws {
        let test = try TestGuest(folder)
        test.store.interruptHandle.interrupt()
        let stop = test.caller.stopSignal
        let count = UInt32(TestGuest.byteCount)
        try test.guest.random_get(test.memory, 0, count, stop)
        // Only the first piece was filled.
        #expect(test.bytes(1 << 17, 1 << 17).allSatisfy { $0 == 0 })
        #expect(!test.bytes(0, 1000).allSatisfy { $0 == 0 })
        // Walks that a guest makes long end.
        let walk = try TestGuest(folder, .componentWalk)
        walk.store.deadline = .now
        walk.store.interruptHandle.ring()
        let path = walk.place("sub/deep/../deep/x")
        #expect(throws: Errno.intr) {
            try walk.guest.path_create_directory(
                walk.memory, 3, path.0, path.1, walk.caller.stopSignal)
        }
        walk.store.deadline = nil
        try walk.guest.path_create_directory(
            walk.memory, 3, path.0, path.1, walk.caller.stopSignal)
    }

    /// The generator makes the same bytes in pieces and at once.
    @Test func seeds() throws {
        var wasi = WASI()
        wasi.random = .seeded(5)
        let guest = try Guest(wasi)
        #expect(try guest.call("random_get", [0, 1_000_003]) == .success)
        var expected = [UInt8](repeating: 0, count: 1_000_003)
        var generator = SeededGenerator(seed: 5)
        expected.withUnsafeMutableBytes { generator.fill($0) }
        #expect(Array(guest.memory[..<1_000_003]) == expected)
    }

    @Test(arguments: [Backend.host, .memory]) func sizes(_ backend: Backend) throws {
        let guest = try guest(backend)
        let file = try guest.open("large")
        let vectors = guest.vectors([(65_536, 1000)])
        func byteCount() throws -> UInt64 {
            // Where appending goes.
            let end = try guest.open("large", [], .append)
            defer { _ = try? guest.call("fd_close", [end]) }
            _ = try guest.call("fd_write", [end, 128, guest.vectors([(0, 1)]), 32])
            var offset: UInt64 = 0
            var step: UInt64 = 1 << 32
            while step > 0 {
                _ = try guest.call("fd_pread", [file, 128, vectors, offset + step - 1, 32])
                if guest.transferred > 0 { offset += step }
                step /= 2
            }
            return offset
        }
        #expect(try guest.call("fd_allocate", [file, 5, 50 << 20]) == .success)
        #expect(try byteCount() == 50 << 20 + 6)
        #expect(try guest.call("fd_filestat_set_size", [file, 10]) == .success)
        #expect(try byteCount() == 11)
        #expect(try guest.call("fd_filestat_set_size", [file, 100 << 20]) == .success)
        #expect(try byteCount() == 100 << 20 + 1)
        for advice: UInt64 in 0...5 {
            #expect(try guest.call("fd_advise", [file, 3, 0, advice]) == .success)
        }
        #expect(try guest.call("fd_filestat_set_size", [file, 0]) == .success)
        #expect(try byteCount() == 1)
        if backend == .host {
            #expect(try guest.call("fd_allocate", [file, 1 << 62, 1 << 62]) != .success)
            #expect(try guest.call("fd_allocate", [file, 0, 1 << 62]) != .success)
            #expect(try byteCount() == 2)
        }
    }
}

/// Files and folders in memory are made of parts that are moved and hashed one at a time.
@Suite struct MemoryContentTests {
    private func write(_ content: inout FileContent, _ bytes: [UInt8], at offset: Int) {
        bytes.withUnsafeBytes { content.write($0, at: offset) }
    }

    private func read(_ content: FileContent, _ range: Range<Int>) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: range.count)
        let count = bytes.withUnsafeMutableBytes { content.read(into: $0, at: range.lowerBound) }
        return Array(bytes[..<count])
    }

    /// As an array would do it.
    @Test func contentIsAnArray() {
        var random = SeededGenerator(seed: 3)
        var content = FileContent()
        var model: [UInt8] = []
        for round in 0..<300 {
            let offset = Int(random.next() % 300_000)
            switch random.next() % 4 {
            case 0:
                let kept = Array(model.prefix(offset))
                model = kept + Array(repeating: 0, count: offset - kept.count)
                _ = content.setCount(offset)
            default:
                let count = Int(random.next() % 100_000)
                let bytes = Array(repeating: UInt8(truncatingIfNeeded: round + 1), count: count)
                write(&content, bytes, at: offset)
                guard count > 0 else { continue }
                if model.count < offset + count {
                    model += repeatElement(0, count: offset + count - model.count)
                }
                model.replaceSubrange(offset..<(offset + count), with: bytes)
            }
            #expect(content.count == model.count)
            let start = Int(random.next() % 400_000), end = start + Int(random.next() % 100_000)
            #expect(
                read(content, start..<end) == Array(model.dropFirst(start).prefix(end - start)))
        }
        #expect(content.bytes == model)
    }

    /// What was not written takes nothing; what is cut off is freed little by little.
    @Test func holes() throws {
        var content = FileContent()
        _ = content.setCount(1 << 40)
        #expect(read(content, (1 << 40 - 5)..<(1 << 40)) == [0, 0, 0, 0, 0])
        write(&content, [1], at: 10_000_000)
        _ = content.setCount(10_000_001)
        #expect(read(content, 9_999_999..<10_000_010) == [0, 1])
        var discarded = DiscardedContent()
        discarded.add(content.setCount(0))
        #expect(content.bytes == [])
        for _ in 0..<10 { discarded.freeSome() }

        let folder = MemoryFolder(byteLimit: 3_000_000)
        for _ in 0..<10 {
            try folder.write(Array(repeating: 1, count: 2_900_000), to: "file")
            try folder.remove("file")
            #expect(folder.byteCount == 0)
        }
    }

    @Test func thousandsOfEntries() throws {
        let fileSystem = MemoryFileSystem(byteLimit: 1 << 30, clock: .system)
        let node = MemoryNode(fileSystem, .regularFile)
        var entries = MemoryEntries()
        func name(_ number: Int) throws -> GuestPath { try GuestPath(Array("name-\(number)".utf8)) }
        for number in 0..<10_000 { entries.insert(try name(number), node) }
        #expect(entries[try name(9_999)] === node)
        #expect(entries[try name(10_000)] == nil)
        for number in 0..<10_000 where number % 3 != 0 { entries.remove(try name(number)) }
        #expect(entries[try name(3)] === node)
        #expect(entries[try name(4)] == nil)
        entries.remove(try name(4))
        // One that is there stays where it is; one that is made again goes to the end.
        let other = MemoryNode(fileSystem, .regularFile)
        entries.insert(try name(3), other)
        entries.insert(try name(4), node)
        #expect(entries[try name(3)] === other)
        let all = entries.all.map(\.name)
        #expect(all.count == 3335)
        #expect(all[1] == (try name(3)))
        #expect(all.last == (try name(4)))

        var listed: [GuestPath] = []
        var next: UInt64 = 0
        while true {
            let some = entries.some(from: next)
            guard let last = some.last else { break }
            listed += some.map(\.name)
            next = last.number + 1
        }
        #expect(listed == all)
        #expect(entries.some(from: .max).isEmpty)
        for name in all { entries.remove(name) }
        #expect(entries.isEmpty)
        #expect(entries.some(from: 0).isEmpty)
    }
}
