import Synchronization
import Testing
import WasmInterpreter
import WasmWASI

/// What `WASI.trace` writes down.
@Suite struct TraceTests {
    /// Lines of a trace.
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])

        func add(_ line: String) { lines.withLock { $0.append(line) } }
        func take() -> [String] {
            lines.withLock { lines in
                defer { lines = [] }
                return lines
            }
        }
    }

    /// A guest that makes one call after another, and what is written down.
    private struct Traced {
        let lines = Lines()
        let instance: Instance
        let memory: Memory

        init(
            module: String = "wasi_snapshot_preview1", isTraced: Bool = true,
            _ change: (inout WASI) throws -> Void = { _ in }
        ) throws {
            var wasi = WASI(
                arguments: ["prog", "two words", "ü\u{1b}"],
                environment: [("HOME", "/secret"), ("EMPTY", "")])
            wasi.standardInput = .bytes(Array("typed\n".utf8))
            wasi.standardOutput = .null
            let folder = MemoryFolder()
            try folder.write(Array("inside".utf8), to: "file")
            try folder.createFolder("sub")
            wasi.folders = [WASI.Folder(folder, guestPath: "/data")]
            wasi.makeDeterministic()
            if isTraced {
                let lines = lines
                var trace = CallTrace { lines.add($0) }
                trace.showsDurations = false
                wasi.trace = trace
            }
            try change(&wasi)
            let guest = GuestModule(module: module, functions: GuestModule.preview1, pages: 2)
            let engine = Engine()
            let linker = Linker()
            try linker.define(wasi)
            instance = try linker.instantiate(
                Module(guest.binary(), engine: engine), in: Store(engine: engine))
            memory = try #require(instance.memory("memory"))
        }

        /// Makes a call and answers its line. Addresses and counts are i32, `Int64`s are i64.
        func call(_ name: String, _ arguments: any FixedWidthInteger...) throws -> String? {
            _ = try? instance.function(Name(name))?.call(
                arguments.map {
                    $0 is Int64
                        ? .i64(Int64(truncatingIfNeeded: $0))
                        : .i32(bits: UInt32(truncatingIfNeeded: $0))
                })
            let lines = lines.take()
            #expect(lines.count == 1)
            return lines.first
        }

        func place(_ text: String, at address: Int) throws -> Int {
            try memory.storeString(text, at: address)
        }

        func vectors(_ list: [(Int, Int)], at address: Int) throws {
            try memory.store(
                contentsOf: list.flatMap { [UInt32($0.0), UInt32($0.1)] }, at: address)
        }
    }

    @Test func processes() throws {
        let guest = try Traced()
        #expect(
            try guest.call("args_sizes_get", 0, 4)
                == "args_sizes_get() = success argc=3 argv_buf_size=19")
        #expect(
            try guest.call("args_get", 0, 100)
                == #"args_get() = success argv=["prog", "two words", "ü\x1b"]"#)
        #expect(
            try guest.call("environ_get", 0, 100)
                == #"environ_get() = success environ=["HOME", "EMPTY"]"#)
        #expect(try guest.call("proc_raise", 17) == "proc_raise(sig=cont) = success")
        #expect(try guest.call("proc_raise", 99) == "proc_raise(sig=0x63) = inval")
        #expect(try guest.call("proc_exit", 3) == "proc_exit(rval=3) = exit")
        #expect(try guest.call("sched_yield") == "sched_yield() = success")
    }

    @Test func clocksAndWaiting() throws {
        let guest = try Traced()
        #expect(
            try guest.call("clock_res_get", 1, 0)
                == "clock_res_get(id=monotonic) = success resolution=1")
        let time = try guest.call("clock_time_get", 0, 1 as Int64, 0)
        #expect(time?.hasPrefix("clock_time_get(id=realtime, precision=1) = success time=") == true)
        #expect(try guest.call("clock_res_get", 9, 0) == "clock_res_get(id=0x9) = inval")
        #expect(try guest.call("random_get", 0, 16) == "random_get(buf_len=16) = success")
        // A clock, relative and absolute, and a descriptor that can be read.
        try guest.memory.store(1 as UInt32, at: 1016)
        try guest.memory.store(5_000_000 as UInt64, at: 1024)
        try guest.memory.store(1 as UInt8, at: 1056)
        #expect(
            try guest.call("poll_oneoff", 1000, 2000, 2, 0)
                == "poll_oneoff(in=[clock(monotonic, 5000000), fd_read(0)]) = success nevents=1 "
                + "events=[fd_read(success, nbytes=6)]")
        #expect(
            try guest.call("poll_oneoff", 1000, 2000, 1, 0)
                == "poll_oneoff(in=[clock(monotonic, 5000000)]) = success nevents=1 "
                + "events=[clock(success)]")
    }

    @Test func files() throws {
        let guest = try Traced()
        let count = try guest.place("file", at: 100)
        #expect(
            try guest.call("path_open", 3, 1, 100, count, 0, 6 as Int64, 0 as Int64, 4, 16)
                == #"path_open(fd=3, dirflags=symlink_follow, path="file", oflags=0, "#
                + "fs_rights_base=fd_read|fd_seek, fs_rights_inheriting=0, fdflags=nonblock) "
                + "= success fd=4")
        try guest.vectors([(200, 4), (300, 10)], at: 24)
        #expect(
            try guest.call("fd_read", 4, 24, 2, 16)
                == #"fd_read(fd=4, iovs=[4, 10]) = success nread=6 data="inside""#)
        #expect(
            try guest.call("fd_seek", 4, -2 as Int64, 2, 16)
                == "fd_seek(fd=4, offset=-2, whence=end) = success newoffset=4")
        #expect(try guest.call("fd_tell", 4, 16) == "fd_tell(fd=4) = success offset=4")
        #expect(
            try guest.call("fd_pread", 4, 24, 1, 1 as Int64, 16)
                == #"fd_pread(fd=4, iovs=[4], offset=1) = success nread=4 data="nsid""#)
        let stat = try guest.call("fd_filestat_get", 4, 400)
        #expect(
            stat?.hasPrefix(
                "fd_filestat_get(fd=4) = success filetype=regular_file size=6 nlink=1 dev=") == true
        )
        #expect(try guest.call("fd_close", 4) == "fd_close(fd=4) = success")
        #expect(try guest.call("fd_close", 4) == "fd_close(fd=4) = badf")
        _ = try guest.place("a\n", at: 200)
        try guest.vectors([(200, 2), (0, 0), (200, 1), (200, 1), (200, 1), (200, 1)], at: 24)
        #expect(
            try guest.call("fd_write", 1, 24, 6, 16)
                == #"fd_write(fd=1, iovs=["a\n", "", "a", "a", ...+2]) = success nwritten=6"#)
        try guest.vectors([(0, 100_000)], at: 24)
        let long = try guest.call("fd_write", 1, 24, 1, 16)
        #expect(long?.hasSuffix(#""...+99936]) = success nwritten=100000"#) == true)
    }

    @Test func folders() throws {
        let guest = try Traced()
        #expect(
            try guest.call("fd_prestat_get", 3, 0) == "fd_prestat_get(fd=3) = success pr_name_len=5"
        )
        #expect(
            try guest.call("fd_prestat_dir_name", 3, 0, 5)
                == #"fd_prestat_dir_name(fd=3, path_len=5) = success path="/data""#)
        #expect(
            try guest.call("fd_readdir", 3, 1000, 500, 0 as Int64, 0)
                == #"fd_readdir(fd=3, buf_len=500, cookie=0) = success bufused=106 "#
                + #"entries=[".", "..", "file", "sub"]"#)
        let stat = try guest.call("fd_fdstat_get", 3, 0)
        #expect(
            stat?.contains("fs_filetype=directory fs_flags=0 fs_rights_base=~(fd_read|") == true)
        let old = try guest.place("file", at: 100), new = try guest.place("other", at: 120)
        #expect(
            try guest.call("path_rename", 3, 100, old, 3, 120, new)
                == #"path_rename(fd=3, old_path="file", new_fd=3, new_path="other") = success"#)
        #expect(
            try guest.call("path_symlink", 120, new, 3, 100, old)
                == #"path_symlink(old_path="other", fd=3, new_path="file") = success"#)
        #expect(
            try guest.call("path_readlink", 3, 100, old, 500, 99, 0)
                == #"path_readlink(fd=3, path="file", buf_len=99) = success bufused=5 buf="other""#)
        #expect(
            try guest.call("path_unlink_file", 3, 100, old)
                == #"path_unlink_file(fd=3, path="file") = success"#)
        // Bits that have no name.
        #expect(
            try guest.call(
                "path_open", 3, 0, 100, old, 9, 1 << 30 | 1 as Int64, 1 << 40 as Int64, 0x8001, 0)
                == #"path_open(fd=3, dirflags=0, path="file", oflags=creat|trunc, "#
                + "fs_rights_base=fd_datasync|0x40000000, fs_rights_inheriting=0x10000000000, "
                + "fdflags=append|0x8000) = inval")
    }

    @Test func theOlderVersion() throws {
        let guest = try Traced(module: "wasi_unstable")
        let count = try guest.place("file", at: 100)
        _ = try guest.call("path_open", 3, 1, 100, count, 0, 6 as Int64, 0 as Int64, 0, 16)
        #expect(
            try guest.call("fd_seek", 4, 3 as Int64, 2, 16)
                == "fd_seek(fd=4, offset=3, whence=set) = success newoffset=3")
        let stat = try guest.call("fd_filestat_get", 4, 400)
        #expect(stat?.contains("filetype=regular_file size=6 nlink=1 ") == true)
    }

    @Test func linesAreBounded() throws {
        let guest = try Traced { wasi in
            wasi.trace?.lineLimit = 40
            wasi.trace?.showsThreads = true
        }
        try guest.vectors([(100, 60)], at: 24)
        let line = try guest.call("fd_write", 1, 24, 1, 16)
        #expect(line == #"[0] fd_write(fd=1, iovs=["\x00\x00\x00\x..."#)
    }

    /// Whatever pointers a guest gives, the trace neither fails nor changes what the call does.
    @Test func hostilePointers() throws {
        let traced = try Traced(), plain = try Traced(isTraced: false)
        let hostile: [UInt32] = [
            0, 1, 8, 16, 65_535, 131_064, 131_071, 131_072, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8,
            0xffff_ffff,
        ]
        var generator = SystemRandomNumberGenerator()
        for (name, parameters) in GuestModule.preview1 where name != "poll_oneoff" {
            for _ in 0..<60 {
                let arguments: [Value] = parameters.utf8.map {
                    let value = hostile.randomElement(using: &generator) ?? 0
                    return $0 == 0x49
                        ? .i64(bits: UInt64(value) << (value & 1 == 0 ? 0 : 32)) : .i32(bits: value)
                }
                let results = [traced, plain].map { guest in
                    try? guest.instance.function(Name(name))?.call(arguments)
                }
                #expect(results[0] == results[1], "\(name) \(arguments)")
                for line in traced.lines.take() {
                    #expect(line.hasPrefix("\(name)("))
                    #expect(line.utf8.count <= 2051)
                    #expect(!line.contains("\n") && !line.contains("\u{1b}"))
                }
            }
        }
        // Subscriptions are made of what stands in memory; nothing that would wait.
        for (input, count) in [(131_000, 4), (0xffff_ff00, 2), (0, 0xffff_ffff)]
            as [(UInt32, UInt32)]
        {
            let line = try traced.call("poll_oneoff", input, 0, count, 0)
            #expect(line?.hasPrefix("poll_oneoff(in=") == true)
        }
    }
}
