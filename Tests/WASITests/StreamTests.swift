import Glibc
import Synchronization
import Testing

@testable import WasmWASI

@Suite struct StreamTests {
    @Test func memory() throws {
        var wasi = WASI()
        wasi.standardInput = .bytes(Array("one two".utf8))
        let output = OutputBuffer(limit: 10)
        wasi.standardOutput = .buffer(output)
        wasi.standardError = .null
        let test = try TestGuest(wasi)
        #expect(try test.read(0, [2, 1, 3]) == "one tw")
        #expect(try test.read(0) == "o")
        #expect(try test.read(0) == "")
        #expect(try test.write(1, ["hello ", "w"]) == 7)
        #expect(try test.write(1, ["orld!"]) == 3)
        #expect(throws: Errno.nospc) { try test.write(1, ["x"]) }
        #expect(try test.write(1, [""]) == 0)
        #expect(output.string == "hello worl")
        #expect(try test.write(2, ["gone", "!"]) == 5)
        #expect(throws: Errno.badf) { try test.write(0, ["x"]) }
        #expect(throws: Errno.badf) { try test.read(1) }
        #expect(try test.stat(1).filetype == .unknown)
        #expect(try test.fdstat(1).base.contains(.fdWrite))
        #expect(throws: Errno.spipe) { try test.seek(1, 0, .set) }
        #expect(throws: Errno.notdir) { try test.open("x", in: 1) }
    }

    @Test func closures() throws {
        let written = Mutex<[UInt8]>([])
        var wasi = WASI()
        wasi.standardInput = .closure { buffer in
            buffer[0] = 0x78
            return 99
        }
        wasi.standardOutput = .closure { (bytes) throws(Errno) in
            guard bytes.count < 5 else { throw .io }
            written.withLock { $0 += bytes }
        }
        let test = try TestGuest(wasi)
        #expect(try test.read(0, [1]) == "x")
        #expect(try test.write(1, ["ab", "", "cd"]) == 4)
        // What was taken before the error counts.
        #expect(try test.write(1, ["ef", "too long"]) == 2)
        #expect(throws: Errno.io) { try test.write(1, ["too long"]) }
        #expect(written.withLock { $0 } == Array("abcdef".utf8))
    }

    @Test func pipes() throws {
        let (reader, writer) = try System.makePipe()
        var wasi = WASI()
        wasi.standardInput = .descriptor(reader)
        wasi.standardOutput = .descriptor(writer)
        let test = try TestGuest(wasi)
        close(reader)
        close(writer)
        #expect(try test.fdstat(0).filetype == .unknown)
        #expect(try test.write(1, ["through ", "the pipe"]) == 16)
        #expect(try test.read(0) == "through the pipe")
        try test.guest.fd_fdstat_set_flags(0, UInt32(Fdflags.nonblock.rawValue))
        #expect(try test.fdstat(0).flags == .nonblock)
        #expect(throws: Errno.again) { try test.read(0) }
        try test.guest.fd_close(1)
        #expect(try test.read(0) == "")
    }

    @Test func brokenPipe() throws {
        let (reader, writer) = try System.makePipe()
        var wasi = WASI()
        wasi.standardOutput = .descriptor(writer)
        let test = try TestGuest(wasi)
        close(writer)
        close(reader)
        #expect(throws: Errno.pipe) { try test.write(1, ["x"]) }
    }

    @Test func badDescriptors() {
        var wasi = WASI()
        wasi.descriptors = [9999]
        #expect(throws: WASISetupError.descriptor(9999, .badf)) { try TestGuest(wasi) }
        let folder = open("/tmp", O_RDONLY)
        wasi.descriptors = [folder]
        #expect(throws: WASISetupError.descriptor(folder, .isdir)) { try TestGuest(wasi) }
        close(folder)
    }

    @Test func strings() throws {
        let wasi = WASI(
            arguments: ["name", "", "größe"],
            environment: [("A", "1"), ("EMPTY", ""), ("B", "x=y")])
        let test = try TestGuest(wasi)
        try test.guest.args_sizes_get(test.memory, 32, 36)
        #expect(test.load(32, UInt32.self) == 3)
        #expect(test.load(36, UInt32.self) == 5 + 1 + 8)
        try test.guest.args_get(test.memory, 64, 128)
        #expect(test.bytes(128, 14) == Array("name\0\0größe\0".utf8))
        #expect((0..<3).map { test.load(64 + 4 * $0, UInt32.self) } == [128, 133, 134])
        try test.guest.environ_sizes_get(test.memory, 32, 36)
        #expect(test.load(32, UInt32.self) == 3)
        try test.guest.environ_get(test.memory, 64, 128)
        #expect(test.bytes(128, 17) == Array("A=1\0EMPTY=\0B=x=y\0".utf8))
        #expect(throws: WASISetupError.malformedArgument("a\0b")) {
            try TestGuest(WASI(arguments: ["a\0b"]))
        }
        for name in ["", "a=b", "a\0"] {
            #expect(throws: WASISetupError.malformedVariable(name: name)) {
                try TestGuest(WASI(environment: [(name, "x")]))
            }
        }
    }
}
