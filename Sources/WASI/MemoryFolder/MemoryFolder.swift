import WasmInterpreter

/// A folder in memory that can be given to guests like a folder of the host.
///
///     let folder = MemoryFolder()
///     try folder.write(Array("hello".utf8), to: "input/greeting.txt")
///     wasi.folders = [.init(folder, guestPath: "/data")]
///     // after the run
///     print(try folder.read("output.txt"))
///
/// May be shared by guests on several threads. Paths are relative to the folder. They are bytes,
/// and compared as such: guests can make names that are not UTF-8, for which the forms with bytes
/// are needed.
public final class MemoryFolder: Sendable {
    private let fileSystem: MemoryFileSystem
    /// Holds the root, which must be used under the file system's lock.
    private let root: Root

    private struct Root: @unchecked Sendable {
        let node: MemoryNode
    }

    /// An empty folder.
    ///
    /// - Parameters:
    ///   - byteLimit: bytes of all files, names and targets of links, and 448 for each name;
    ///     writing more fails with `nospc`. Bytes that a guest adds also count for its program's
    ///     `StoreLimits.totalBytes`.
    ///   - clock: the source of file times.
    public init(byteLimit: Int = 256 << 20, clock: ClockSource = .system) {
        fileSystem = MemoryFileSystem(byteLimit: byteLimit, clock: clock)
        root = Root(node: MemoryNode(fileSystem, .directory))
    }

    var directory: MemoryDirectory { MemoryDirectory(root.node) }
    var device: UInt64 { fileSystem.dev }

    /// Charges growth of the folder from now on to the last program that uses it.
    func adopt(_ account: ResourceAccount) { fileSystem.adopt(account) }

    /// Bytes in use, counted as for the limit.
    public var byteCount: Int { fileSystem.usedByteCount }

    /// Makes `bytes` the content of a file. Folders on the way and the file are made if they are
    /// missing.
    ///
    /// - Throws: `nospc` above the limit, `isdir`, `notdir`, and `perm` for a path that leads out.
    ///   The file is unchanged then.
    public func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        try write(bytes, to: Array(path.utf8))
    }

    /// The same for a path that need not be UTF-8.
    public func write(_ bytes: [UInt8], to path: [UInt8]) throws(Errno) {
        let path = try GuestPath(path)
        let made = try createFolders(path.withoutTrailingSlashes().splitLast().directory)
        do throws(Errno) {
            try directory.replaceFile(path, by: bytes)
        } catch {
            for folder in made.reversed() { try? directory.removeDirectory(folder) }
            throw error
        }
    }

    /// The content of a file.
    ///
    /// - Throws: `noent`, `isdir`, `notdir`, and `perm` for a path that leads out.
    public func read(_ path: String) throws(Errno) -> [UInt8] { try read(Array(path.utf8)) }

    /// The same for a path that need not be UTF-8.
    public func read(_ path: [UInt8]) throws(Errno) -> [UInt8] {
        let file = try openForReading(path)
        var bytes = [UInt8](repeating: 0, count: Int(clamping: try file.filestat().size))
        let count = try bytes.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
            let vector = HostVector(UnsafeMutableRawBufferPointer(bytes))
            return try withUnsafePointer(to: vector) { (vector) throws(Errno) in
                try file.read(UnsafeBufferPointer(start: vector, count: 1))
            }
        }
        return Array(bytes[..<count])
    }

    func openForReading(_ path: String) throws(Errno) -> any VirtualFile {
        try openForReading(Array(path.utf8))
    }

    private func openForReading(_ path: [UInt8]) throws(Errno) -> any VirtualFile {
        let opened = try directory.open(
            try GuestPath(path),
            OpenFlags(follow: true, reads: true, writes: false, oflags: [], fdflags: []))
        guard case .virtualFile(let file) = opened.resource else { throw .isdir }
        return file
    }

    /// Makes a folder and its missing parents. Does nothing if it exists.
    public func createFolder(_ path: String) throws(Errno) { try createFolder(Array(path.utf8)) }

    /// The same for a path that need not be UTF-8.
    public func createFolder(_ path: [UInt8]) throws(Errno) {
        _ = try createFolders(try GuestPath(path))
    }

    /// Removes a file or an empty folder.
    ///
    /// - Throws: `noent`, `notempty`, `notdir`, and `perm` for a path that leads out.
    public func remove(_ path: String) throws(Errno) { try remove(Array(path.utf8)) }

    /// The same for a path that need not be UTF-8.
    public func remove(_ path: [UInt8]) throws(Errno) {
        let path = try GuestPath(path)
        do throws(Errno) {
            try directory.unlinkFile(path)
        } catch .isdir {
            try directory.removeDirectory(path)
        }
    }

    /// Paths of all files, ascending; links and folders are not listed. Malformed UTF-8 is
    /// repaired.
    public var files: [String] {
        filePaths.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Paths of all files as bytes, ascending; links and folders are not listed, and files whose
    /// path is longer than the 4,095 bytes that a path can have.
    public var filePaths: [[UInt8]] {
        fileSystem.lock.locked {
            var found: [[UInt8]] = []
            var folders: [(path: [UInt8], node: MemoryNode)] = [([], root.node)]
            while let (path, node) = folders.popLast() {
                for entry in node.entries.all {
                    let name = path + entry.name.unsignedBytes
                    guard name.count < GuestPath.limit else { continue }
                    switch entry.node.filetype {
                    case .directory: folders.append((name + [UInt8(ascii: "/")], entry.node))
                    case .regularFile: found.append(name)
                    default: break
                    }
                }
            }
            return found.sorted { $0.lexicographicallyPrecedes($1) }
        }
    }

    /// Makes the folders of a path; returns the new ones, outermost first. Makes none if it throws.
    private func createFolders(_ path: GuestPath) throws(Errno) -> [GuestPath] {
        guard !path.isAbsolute else { throw .perm }
        var made: [GuestPath] = []
        var current = GuestPath.current
        var rest = path
        while true {
            let (name, following) = rest.splitFirst()
            if name.isEmpty { return made }
            rest = following
            do throws(Errno) {
                current = try current.appending(name)
                if try directory.ensureDirectory(current) { made.append(current) }
            } catch {
                for folder in made.reversed() { try? directory.removeDirectory(folder) }
                throw error
            }
        }
    }
}

extension MemoryFolder: Hashable {
    /// A folder is equal only to itself.
    public static func == (left: MemoryFolder, right: MemoryFolder) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
