import Glibc
import Testing
import WasmText

@_spi(Loops) @testable import WasmInterpreter
@testable import WasmWASI

/// A guest without code: a memory, and the calls that its code would make.
final class TestGuest {
    let guest: WASIGuest
    let memory: GuestMemory
    /// What stops the guest while it waits.
    let store = Store(engine: Engine())
    /// Who waits when the guest does.
    let driver: Driver
    private let instance: Instance
    private let bytes: UnsafeMutableRawBufferPointer
    private var next: UInt32 = 1024

    /// Where calls of the helpers below have results stored.
    static let resultAddress: UInt32 = 16
    static let byteCount = 1 << 18

    /// Who waits when a guest does.
    enum Driver: CaseIterable, Sendable {
        /// The thread that calls.
        case thread
        /// A loop, on that thread.
        case loop
    }

    init(_ wasi: WASI, _ driver: Driver = .thread) throws {
        guest = try WASIGuest(wasi)
        self.driver = driver
        let module = try Module(
            parseModule(Array("(module (memory 4 4))".utf8)), engine: store.engine)
        instance = try Instance(module, in: store)
        let record = instance.storage.memories[0].record.pointee
        memory = GuestMemory(record)
        bytes = UnsafeMutableRawBufferPointer(start: record.base, count: Self.byteCount)
    }

    /// A guest with `folder`'s root as descriptor 3.
    convenience init(
        _ folder: TestFolder, isReadOnly: Bool = false,
        _ resolution: WASI.PathResolution = .automatic, _ driver: Driver = .thread
    ) throws {
        var wasi = WASI()
        wasi.standardInput = .null
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/", isReadOnly: isReadOnly)]
        wasi.pathResolution = resolution
        try self.init(wasi, driver)
    }

    /// A guest with `folder`'s root as descriptor 3, or with the like in memory.
    convenience init(_ folder: TestFolder, _ backend: Backend) throws {
        switch backend {
        case .host: try self.init(folder, .automatic)
        case .hostWalk: try self.init(folder, .componentWalk)
        case .memory:
            let memory = MemoryFolder()
            try memory.write(Array("inside".utf8), to: "file")
            try memory.createFolder("sub/deep")
            var wasi = WASI()
            wasi.standardInput = .null
            wasi.folders = [.init(memory, guestPath: "/")]
            try self.init(wasi)
        }
    }

    // MARK: Memory

    /// Puts bytes somewhere and answers where.
    func place(_ content: [UInt8]) -> (UInt32, UInt32) {
        if Int(next) + content.count + 16 > bytes.count { next = 1024 }
        let address = next
        UnsafeMutableRawBufferPointer(rebasing: bytes[Int(address)...]).copyBytes(from: content)
        next += (UInt32(content.count) + 15) & ~15
        return (address, UInt32(content.count))
    }

    func place(_ text: String) -> (UInt32, UInt32) { place(Array(text.utf8)) }

    /// Room for `count` bytes, filled with 0xaa.
    func room(_ count: Int) -> UInt32 { place([UInt8](repeating: 0xaa, count: count)).0 }

    func load<T: FixedWidthInteger>(_ address: UInt32, _ type: T.Type = T.self) -> T {
        UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: Int(address), as: T.self)
    }

    func bytes(_ address: UInt32, _ count: UInt32) -> [UInt8] {
        Array(bytes[Int(address)..<Int(address) + Int(count)])
    }

    private var result: UInt32 { load(Self.resultAddress) }

    /// An array of iovecs for buffers at addresses.
    func vectors(_ buffers: [(UInt32, UInt32)]) -> (UInt32, UInt32) {
        var words: [UInt8] = []
        for word in buffers.flatMap({ [$0.0, $0.1] }) {
            withUnsafeBytes(of: word.littleEndian) { words += Array($0) }
        }
        return (place(words).0, UInt32(buffers.count))
    }

    // MARK: Calls

    var caller: Caller {
        Caller(store: Unmanaged.passUnretained(store), context: instance.storage.context)
    }

    /// Calls a function that may wait, waits for it, and goes on where it says.
    ///
    /// - Throws: the errno that the guest would get, or a trap.
    func waiting(_ body: () throws -> Void) throws {
        var next: Suspension
        do {
            return try body()
        } catch let suspension as Suspension {
            next = suspension
        }
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: 16)
        slots.initialize(repeating: 0, count: 16)
        defer { slots.deallocate() }
        while true {
            guard case .wait(let wait, let continuation) = next.content else { throw next }
            try self.wait(wait)
            do {
                try continuation(caller, CallSlots(slots, count: 16, of: store.exchange))
                let error = try #require(Errno(rawValue: UInt16(truncatingIfNeeded: slots[0])))
                if error != .success { throw error }
                return
            } catch let suspension as Suspension {
                next = suspension
            }
        }
    }

    private func wait(_ wait: Wait) throws {
        let cell = store.ownCell
        cell.reset()
        wait.subscribe(cell)
        defer { wait.unsubscribe(cell) }
        switch driver {
        case .thread:
            if let code = store.park(wait, cell) { throw Trap(code) }
        case .loop:
            var wait = wait
            if let deadline = store.deadline { wait.end(at: deadline) }
            let loop = try #require(WaitLoop())
            var isOver = false
            loop.watch(wait, [cell, store.interruptHandle.wakeCell]) { isOver = true }
            while !isOver { loop.runOnce() }
            if let code = store.stopRequest() { throw Trap(code) }
        }
    }

    func open(
        _ path: String, in fd: UInt32 = 3, _ oflags: Oflags = [],
        rights: Rights = [.fdRead, .fdSeek, .fdFilestatGet, .fdReaddir, .pollFdReadwrite],
        inheriting: Rights = .directoryInheriting, flags: Fdflags = [], follow: Bool = true
    ) throws(Errno) -> UInt32 {
        let path = place(path)
        do {
            try waiting {
                try guest.path_open(
                    memory, fd, follow ? 1 : 0, path.0, path.1, UInt32(oflags.rawValue),
                    rights.rawValue, inheriting.rawValue, UInt32(flags.rawValue),
                    Self.resultAddress, caller)
            }
        } catch let error as Errno {
            throw error
        } catch {
            // As the guest would not see anything any more.
            throw .canceled
        }
        return result
    }

    func create(_ path: String, in fd: UInt32 = 3) throws(Errno) -> UInt32 {
        try open(path, in: fd, [.creat, .trunc], rights: .regularFile)
    }

    func write(_ fd: UInt32, _ parts: [String]) throws -> Int {
        let vectors = vectors(parts.map { place($0) })
        try waiting {
            try guest.fd_write(memory, fd, vectors.0, vectors.1, Self.resultAddress, caller)
        }
        return Int(result)
    }

    func read(_ fd: UInt32, _ counts: [Int] = [4096]) throws -> String {
        let buffers = counts.map { (room($0), UInt32($0)) }
        let vectors = vectors(buffers)
        try waiting {
            try guest.fd_read(memory, fd, vectors.0, vectors.1, Self.resultAddress, caller)
        }
        let content = buffers.flatMap { bytes($0.0, $0.1) }.prefix(Int(result))
        return String(decoding: content, as: UTF8.self)
    }

    func seek(_ fd: UInt32, _ offset: Int64, _ whence: Whence) throws(Errno) -> UInt64 {
        try guest.fd_seek(memory, fd, offset, whence, Self.resultAddress)
        return load(Self.resultAddress)
    }

    func readFile(_ path: String, follow: Bool = true) throws -> String {
        let fd = try open(path, follow: follow)
        let content = try read(fd)
        try guest.fd_close(fd)
        return content
    }

    func stat(
        _ path: String, in fd: UInt32 = 3, follow: Bool = true
    ) throws(Errno) -> Filestat {
        let name = place(path)
        let target = room(64)
        try guest.path_filestat_get(
            memory, fd, follow ? 1 : 0, name.0, name.1, target, .preview1)
        return filestat(target)
    }

    func stat(_ fd: UInt32) throws(Errno) -> Filestat {
        let target = room(64)
        try guest.fd_filestat_get(memory, fd, target, .preview1)
        return filestat(target)
    }

    private func filestat(_ address: UInt32) -> Filestat {
        Filestat(
            dev: load(address), ino: load(address + 8),
            filetype: Filetype(rawValue: load(address + 16)) ?? .unknown,
            nlink: load(address + 24), size: load(address + 32), atim: load(address + 40),
            mtim: load(address + 48), ctim: load(address + 56))
    }

    func fdstat(_ fd: UInt32) throws(Errno) -> (
        filetype: Filetype?, flags: Fdflags, base: Rights, inheriting: Rights
    ) {
        let target = room(24)
        try guest.fd_fdstat_get(memory, fd, target)
        return (
            Filetype(rawValue: load(target)), Fdflags(rawValue: load(target + 2)),
            Rights(rawValue: load(target + 8)), Rights(rawValue: load(target + 16))
        )
    }

    func exists(_ path: String) -> Bool { (try? stat(path, follow: false)) != nil }

    func createDirectory(_ path: String, in fd: UInt32 = 3) throws(Errno) {
        let path = place(path)
        try guest.path_create_directory(memory, fd, path.0, path.1)
    }

    func removeDirectory(_ path: String, in fd: UInt32 = 3) throws(Errno) {
        let path = place(path)
        try guest.path_remove_directory(memory, fd, path.0, path.1)
    }

    func unlink(_ path: String, in fd: UInt32 = 3) throws(Errno) {
        let path = place(path)
        try guest.path_unlink_file(memory, fd, path.0, path.1)
    }

    func rename(_ old: String, _ new: String) throws(Errno) {
        let (old, new) = (place(old), place(new))
        try guest.path_rename(memory, 3, old.0, old.1, 3, new.0, new.1)
    }

    func link(_ old: String, _ new: String, follow: Bool = false) throws(Errno) {
        let (old, new) = (place(old), place(new))
        try guest.path_link(memory, 3, follow ? 1 : 0, old.0, old.1, 3, new.0, new.1)
    }

    func symlink(_ target: String, _ path: String) throws(Errno) {
        let (target, path) = (place(target), place(path))
        try guest.path_symlink(memory, target.0, target.1, 3, path.0, path.1)
    }

    func readLink(_ path: String, byteCount: Int = 256) throws(Errno) -> String {
        let path = place(path)
        let target = room(byteCount)
        try guest.path_readlink(
            memory, 3, path.0, path.1, target, UInt32(byteCount), Self.resultAddress)
        return String(decoding: bytes(target, result), as: UTF8.self)
    }

    func setTimes(
        _ path: String, atim: UInt64 = 0, mtim: UInt64 = 0, _ flags: Fstflags, follow: Bool = true
    ) throws(Errno) {
        let path = place(path)
        try guest.path_filestat_set_times(
            memory, 3, follow ? 1 : 0, path.0, path.1, atim, mtim, UInt32(flags.rawValue))
    }

    /// One page of entries: name, cookie of the next, inode, kind.
    func readDirectory(
        _ fd: UInt32, from cookie: UInt64 = 0, byteCount: Int = 4096
    ) throws(Errno) -> (
        entries: [(name: String, next: UInt64, ino: UInt64, filetype: Filetype?)], isEnd: Bool
    ) {
        let target = room(byteCount)
        try guest.fd_readdir(memory, fd, target, UInt32(byteCount), cookie, Self.resultAddress)
        var entries: [(String, UInt64, UInt64, Filetype?)] = []
        let end = target + result
        let isEnd = Int(result) < byteCount
        var at = target
        while at + 24 <= end {
            let count: UInt32 = load(at + 16)
            guard at + 24 + count <= end else { break }
            let name = String(decoding: bytes(at + 24, count), as: UTF8.self)
            entries.append((name, load(at), load(at + 8), Filetype(rawValue: load(at + 20))))
            at += 24 + count
        }
        return (entries, isEnd)
    }

    // MARK: Polling

    /// A subscription as it lies in memory.
    struct Subscribed {
        var userdata: UInt64
        var tag: UInt8
        var body: [UInt64]

        static func clock(
            _ userdata: UInt64, _ id: UInt32, _ timeout: UInt64, isAbsolute: Bool = false
        ) -> Subscribed {
            Subscribed(
                userdata: userdata, tag: 0, body: [UInt64(id), timeout, 0, isAbsolute ? 1 : 0])
        }

        static func read(_ userdata: UInt64, _ fd: UInt32) -> Subscribed {
            Subscribed(userdata: userdata, tag: 1, body: [UInt64(fd), 0, 0, 0])
        }

        static func write(_ userdata: UInt64, _ fd: UInt32) -> Subscribed {
            Subscribed(userdata: userdata, tag: 2, body: [UInt64(fd), 0, 0, 0])
        }
    }

    func poll(_ subscriptions: [Subscribed]) throws -> [Event] {
        let words = subscriptions.flatMap { [$0.userdata, UInt64($0.tag)] + $0.body }
        let input = place(words.flatMap { word in withUnsafeBytes(of: word) { Array($0) } })
        let output = room(32 * subscriptions.count)
        try waiting {
            try guest.poll_oneoff(
                memory, input.0, output, UInt32(subscriptions.count), Self.resultAddress,
                .preview1, caller)
        }
        return (0..<result).map { index in
            let at = output + index * 32
            return Event(
                userdata: load(at), error: Errno(rawValue: load(at + 8)) ?? .nosys,
                type: Eventtype(rawValue: load(at + 10)) ?? .clock, byteCount: load(at + 16),
                isHangup: load(at + 24, UInt16.self) == 1)
        }
    }
}

/// What a folder can be made of.
enum Backend: CaseIterable {
    case host, hostWalk, memory
}

extension WASI.PathResolution: CaseIterable {
    public static let allCases: [WASI.PathResolution] = [.automatic, .componentWalk]
}
