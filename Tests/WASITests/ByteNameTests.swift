import Glibc
import Testing

@testable import WasmWASI

/// Names, arguments and variables that are no UTF-8 are passed on byte by byte.
@Suite struct ByteNameTests {
    private static let name: [UInt8] = [0x61, 0xff, 0xfe, 0x62]

    @Test func argumentsAndVariables() throws {
        var wasi = WASI()
        wasi.argumentBytes = [Self.name, []]
        wasi.environmentBytes = [(Self.name, [0x80])]
        #expect(wasi.arguments == ["a\u{fffd}\u{fffd}b", ""])
        let test = try TestGuest(wasi)
        try test.guest.args_get(test.memory, 64, 128)
        #expect(test.bytes(128, 6) == Self.name + [0, 0])
        try test.guest.environ_get(test.memory, 64, 128)
        #expect(test.bytes(128, 7) == Self.name + [0x3d, 0x80, 0])
        wasi.arguments = ["x"]
        #expect(wasi.argumentBytes == [[0x78]])
        wasi.environment = [("A", "1")]
        #expect(wasi.environmentBytes.map(\.name) == [[0x41]])
        wasi.argumentBytes = [[0]]
        #expect(throws: WASISetupError.malformedArgument("\0")) { try TestGuest(wasi) }
    }

    @Test func blockOfVariables() throws {
        var wasi = WASI()
        wasi.environmentBytes = [([0x41], [0x31])]
        wasi.environmentBlock = Self.name + [0x3d, 0x3d, 0] + [0x42, 0x3d, 0]
        let test = try TestGuest(wasi)
        try test.guest.environ_sizes_get(test.memory, 64, 68)
        #expect(test.bytes(64, 8) == [3, 0, 0, 0, 14, 0, 0, 0])
        try test.guest.environ_get(test.memory, 64, 128)
        #expect(test.bytes(64, 12) == [128, 0, 0, 0, 132, 0, 0, 0, 139, 0, 0, 0])
        #expect(
            test.bytes(128, 14) == [0x41, 0x3d, 0x31, 0] + Self.name
                + [0x3d, 0x3d, 0, 0x42, 0x3d, 0])
        for (block, name) in [
            ("A=1", "A=1"), ("A", "A"), ("A\0B=\0", "A"), ("=1\0", ""), ("\0", ""),
            ("A=1\0B\0", "B"),
        ] {
            wasi.environmentBlock = Array(block.utf8)
            #expect(throws: WASISetupError.malformedVariable(name: name)) { try TestGuest(wasi) }
        }
    }

    @Test func folders() throws {
        let folder = TestFolder()
        let path = Array(folder.root.utf8) + [0x2f] + Self.name
        mkdir(path.map { CChar(bitPattern: $0) } + [0], 0o755)
        var wasi = WASI()
        wasi.folders = [.init(hostPath: path, guestPath: Self.name)]
        let test = try TestGuest(wasi)
        try test.guest.fd_prestat_dir_name(test.memory, 3, 64, 4)
        #expect(test.bytes(64, 4) == Self.name)
        // Two names that only look alike to a string.
        let (composed, decomposed) = (test.place("\u{e9}"), test.place("e\u{301}"))
        for name in [composed, decomposed] {
            try test.guest.path_create_directory(test.memory, 3, name.0, name.1)
        }
        #expect(try test.readDirectory(3).entries.count == 4)
        #expect(
            WASI.Folder(hostPath: "\u{e9}", guestPath: "")
                != WASI.Folder(hostPath: "e\u{301}", guestPath: ""))
        for name in [composed, decomposed] {
            try test.guest.path_remove_directory(test.memory, 3, name.0, name.1)
        }
        rmdir(path.map { CChar(bitPattern: $0) } + [0])
    }

    @Test func foldersInMemory() throws {
        let folder = MemoryFolder()
        try folder.write([1], to: Self.name)
        try folder.write([2], to: "a\u{fffd}\u{fffd}b")
        try folder.createFolder([0x80])
        try folder.write([3], to: [0x80, 0x2f, 0x81])
        try folder.write([4], to: "\u{e9}")
        try folder.write([5], to: "e\u{301}")
        #expect(try folder.read(Self.name) == [1])
        #expect(try folder.read([0x80, 0x2f, 0x81]) == [3])
        #expect(try folder.read("e\u{301}") == [5])
        #expect(folder.filePaths.contains(Self.name))
        #expect(folder.filePaths.contains([0x80, 0x2f, 0x81]))
        #expect(folder.filePaths.count == 5)
        try folder.remove(Self.name)
        #expect(throws: Errno.noent) { try folder.read(Self.name) }
        #expect(try folder.read("a\u{fffd}\u{fffd}b") == [2])

        var wasi = WASI()
        wasi.folders = [.init(folder, guestPath: "/")]
        let test = try TestGuest(wasi)
        let (target, link) = (test.place([0xfe]), test.place([0xfd]))
        try test.guest.path_symlink(test.memory, target.0, target.1, 3, link.0, link.1)
        try test.guest.path_readlink(test.memory, 3, link.0, link.1, 64, 8, 16)
        #expect(test.load(16, UInt32.self) == 1)
        #expect(test.bytes(64, 1) == [0xfe])
    }

    @Test func sockets() throws {
        let folder = TestFolder()
        let path = Array(folder.path.utf8) + [0x2f] + Self.name
        let address = try #require(SocketAddress(Array("unix:".utf8) + path))
        #expect(address == .unixBytes(path))
        #expect(SocketAddress.unix(path: "a") == .unixBytes([0x61]))
        #expect(SocketAddress.unix(path: "\u{e9}") != .unix(path: "e\u{301}"))
        var wasi = WASI()
        wasi.listeners = [address]
        let cPath = path.map { CChar(bitPattern: $0) } + [0]
        do {
            let test = try TestGuest(wasi)
            #expect(test.guest.listeners == [address])
            #expect(access(cPath, F_OK) == 0)
            test.guest.closeAll()
        }
        #expect(access(cPath, F_OK) != 0)
        do { _ = try TestGuest(wasi) }
        #expect(access(cPath, F_OK) != 0)
        // What was left by a process that was killed is replaced; what is another's is not removed.
        let left = try System.listen(address)
        close(left)
        do {
            let test = try TestGuest(wasi)
            #expect(throws: WASISetupError.listener(address, .addrinuse)) { try TestGuest(wasi) }
            unlink(cPath)
            close(open(cPath, O_CREAT | O_WRONLY, 0o644))
            test.guest.closeAll()
        }
        #expect(access(cPath, F_OK) == 0)
        unlink(cPath)
    }

    @Test func chosenPorts() throws {
        var wasi = WASI()
        wasi.listeners = [
            .ipv4([127, 0, 0, 1], port: 0), .ipv6(.init(repeating: 0, count: 15) + [1], port: 0),
        ]
        let test = try TestGuest(wasi)
        for (given, chosen) in zip(wasi.listeners, test.guest.listeners) {
            #expect(given != chosen)
            switch chosen {
            case .ipv4(_, let port), .ipv6(_, let port): #expect(port > 0)
            default: Issue.record("another kind of address")
            }
        }
    }
}
