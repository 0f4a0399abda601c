import WasmDecoder
import WasmInterpreter
import WasmWASI

/// Cases that call the functions of WASI with numbers that mean little: pointers out of memory,
/// lists that overlap their results, descriptors that are not open, paths that lead everywhere.
struct WASICases {
    /// The functions but `proc_exit`, with an `i` for each i32 and an `I` for each i64 parameter.
    private static let functions: [(name: String, parameters: String)] = [
        ("args_get", "ii"), ("args_sizes_get", "ii"), ("environ_get", "ii"),
        ("environ_sizes_get", "ii"), ("proc_raise", "i"), ("sched_yield", ""),
        ("clock_res_get", "ii"), ("clock_time_get", "iIi"), ("random_get", "ii"),
        ("poll_oneoff", "iiii"), ("fd_read", "iiii"), ("fd_write", "iiii"),
        ("fd_pread", "iiiIi"), ("fd_pwrite", "iiiIi"), ("fd_seek", "iIii"), ("fd_tell", "ii"),
        ("fd_sync", "i"), ("fd_datasync", "i"), ("fd_advise", "iIIi"), ("fd_allocate", "iII"),
        ("fd_filestat_set_size", "iI"), ("fd_filestat_set_times", "iIIi"),
        ("fd_filestat_get", "ii"), ("fd_close", "i"), ("fd_renumber", "ii"),
        ("fd_fdstat_get", "ii"), ("fd_fdstat_set_flags", "ii"), ("fd_fdstat_set_rights", "iII"),
        ("fd_prestat_get", "ii"), ("fd_prestat_dir_name", "iii"), ("fd_readdir", "iiiIi"),
        ("path_open", "iiiiiIIii"), ("path_create_directory", "iii"),
        ("path_remove_directory", "iii"), ("path_unlink_file", "iii"), ("path_rename", "iiiiii"),
        ("path_link", "iiiiiii"), ("path_symlink", "iiiii"), ("path_readlink", "iiiiii"),
        ("path_filestat_get", "iiiii"), ("path_filestat_set_times", "iiiiIIi"),
        ("sock_accept", "iii"), ("sock_recv", "iiiiii"), ("sock_send", "iiiii"),
        ("sock_shutdown", "ii"),
    ]
    private static let paths: [String] = [
        "a", "b", "d", "d/e", "link", "loop", "/", ".", "..", "", "../..", "d/../../etc/passwd",
        "/etc/passwd", "link/x", "a/", "a/.", "./././a", "d//e", "\u{0}", "a\u{0}b", "\u{fffd}",
        String(repeating: "x", count: 300), String(repeating: "d/", count: 2100),
        String(repeating: "../", count: 50),
    ]
    /// Where paths lie in memory, one every 8 KiB.
    private static let pathBase = 0x10000
    private static let pathStride = 0x2000

    private var random: RandomNumbers
    private var tally = Tally(.ran)

    static func run(_ random: RandomNumbers, hostFolder: String) -> Tally {
        var cases = WASICases(random: random)
        do {
            try cases.run(hostFolder)
        } catch {
            _ = "\(error)"
            return Tally(.refusedByLinking)
        }
        return cases.tally
    }

    private mutating func run(_ hostFolder: String) throws {
        let folder = MemoryFolder(byteLimit: 1 << 20, clock: .custom(VirtualClock()))
        try folder.write(Array("content of a file".utf8), to: "d/e")
        try folder.write([], to: "a")
        var wasi = WASI(arguments: ["program", ""], environment: [(name: "KEY", value: "value")])
        wasi.folders = [
            .init(folder, guestPath: "/"), .init(folder, guestPath: "read", isReadOnly: true),
            .init(hostPath: hostFolder, guestPath: "host", isReadOnly: true),
        ]
        wasi.standardInput = .bytes(Array("a line\nand another\n".utf8))
        wasi.standardOutput = .buffer(OutputBuffer(limit: 1 << 16))
        wasi.standardError = .null
        wasi.clock = .custom(VirtualClock())
        wasi.random = .seeded(random.next())
        wasi.limits.descriptors = 40
        wasi.limits.writtenBytes = 1 << 20
        wasi.pathResolution = random.oneIn(2) ? .automatic : .componentWalk
        let linker = Linker()
        try linker.define(wasi)
        let module = try Module(Self.guest(isOld: random.oneIn(5)), engine: Engine())
        let store = Store(
            engine: module.engine, limits: StoreLimits(memoryBytes: CaseRunner.memoryBytes))
        store.deadline = .now + .seconds(2)
        let instance = try linker.instantiate(module, in: store)
        guard let memory = instance.memory("memory") else { return }
        for (index, path) in Self.paths.enumerated() {
            for (offset, byte) in path.utf8.enumerated() {
                try memory.store(
                    byte, at: UInt64(Self.pathBase + index * Self.pathStride + offset))
            }
        }
        for _ in 0..<random.between(4...40) {
            let index = random.below(Self.functions.count)
            try prepare(memory)
            guard let function = instance.function(Name("f\(index)")) else { continue }
            tally.calls += 1
            do {
                _ = try function.call(arguments(Self.functions[index].parameters))
                tally.returns += 1
            } catch is Trap {
                tally.trapped = 1
                return
            } catch is GuestExit {
                return
            }
        }
    }

    /// Writes structures to low memory: lists of buffers, subscriptions, anything.
    private mutating func prepare(_ memory: Memory) throws {
        let base = UInt64(8 * random.below(64))
        for word in 0..<UInt64(random.between(1...12)) {
            try memory.store(UInt32(truncatingIfNeeded: pointer()), at: base + 4 * word)
        }
    }

    private mutating func pointer() -> UInt64 {
        switch random.weighted([8, 4, 4, 2, 2]) {
        case 0: UInt64(8 * random.below(64))
        case 1: UInt64(random.below(200))
        case 2: UInt64(Self.pathBase + Self.pathStride * random.below(Self.paths.count))
        case 3: UInt64(0x4_0000 - random.below(64))
        default: random.element(of: InterestingValues.words) ?? 0
        }
    }

    private mutating func arguments(_ parameters: String) -> [Value] {
        var path: Int?
        return parameters.utf8.enumerated().map { (position, kind) in
            if kind == UInt8(ascii: "I") {
                let word = random.element(of: InterestingValues.words) ?? 0
                return .i64(Int64(bitPattern: random.oneIn(2) ? word : UInt64(random.below(64))))
            }
            // A length often fits the path before it.
            if let known = path, random.percent(80) {
                path = nil
                return .i32(Int32(Self.paths[known].utf8.count))
            }
            if position > 0, random.oneIn(3) {
                let index = random.below(Self.paths.count)
                path = index
                return .i32(Int32(Self.pathBase + index * Self.pathStride))
            }
            let number =
                random.percent(position == 0 ? 80 : 30) ? UInt64(random.below(9)) : pointer()
            return .i32(Int32(truncatingIfNeeded: number))
        }
    }

    /// A module with four pages of memory that exports a function `f<n>` for each of `functions`.
    private static func guest(isOld: Bool) -> [UInt8] {
        let name = isOld ? "wasi_unstable" : "wasi_snapshot_preview1"
        let types = functions.map { (_, parameters) in
            BinaryWriter.build { writer in
                writer.byte(0x60)
                writer.vector(parameters.utf8.map { [$0 == UInt8(ascii: "I") ? 0x7e : 0x7f] })
                writer.vector([[0x7f]])
            }
        }
        let imports = functions.indices.map { index in
            BinaryWriter.build { writer in
                writer.name(name)
                writer.name(functions[index].name)
                writer.byte(0)
                writer.unsigned(index)
            }
        }
        let exports = functions.indices.map { index in
            BinaryWriter.build { writer in
                writer.name("f\(index)")
                writer.byte(0)
                writer.unsigned(functions.count + index)
            }
        }
        let bodies = functions.indices.map { index in
            BinaryWriter.build { writer in
                writer.sized(
                    BinaryWriter.build { body in
                        body.unsigned(0)
                        for local in 0..<functions[index].parameters.utf8.count {
                            body.opcode(.localGet, local)
                        }
                        body.opcode(.call, index)
                        body.opcode(.end)
                    })
            }
        }
        var module = BinaryWriter()
        module.bytes = BinaryWriter.header
        module.section(1, items: types)
        module.section(2, items: imports)
        module.section(
            3, items: functions.indices.map { i in BinaryWriter.build { $0.unsigned(i) } })
        module.section(5, items: [[0, 4]])
        module.section(
            7,
            items: exports + [
                BinaryWriter.build {
                    $0.name("memory"); $0.bytes += [2, 0]
                }
            ])
        module.section(10, items: bodies)
        return module.bytes
    }
}
