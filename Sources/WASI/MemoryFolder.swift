/// A folder that exists in memory only and can be given to guests as one of the host can.
///
///     let folder = MemoryFolder()
///     try folder.write(Array("hello".utf8), to: "input/greeting.txt")
///     wasi.folders = [.init(folder, guestPath: "/data")]
///     // after the run
///     print(try folder.read("output.txt"))
///
/// May be shared by guests on several threads. Paths are relative to the folder.
public final class MemoryFolder: Sendable {
    private let fileSystem: MemoryFileSystem
    /// Holds the root, which only the file system's lock makes safe to use.
    private let root: Root

    private struct Root: @unchecked Sendable {
        let node: MemoryNode
    }

    /// An empty folder.
    ///
    /// - Parameters:
    ///   - byteLimit: bytes of all files, and 256 a name; writing more fails with `nospc`.
    ///   - clock: where the times of files come from.
    public init(byteLimit: Int = 256 << 20, clock: ClockSource = .system) {
        fileSystem = MemoryFileSystem(byteLimit: byteLimit, clock: clock)
        root = Root(node: MemoryNode(fileSystem, .directory))
    }

    var directory: MemoryDirectory { MemoryDirectory(root.node) }
    var device: UInt64 { fileSystem.dev }

    /// Bytes in use: of all files, and 256 a name.
    public var byteCount: Int { fileSystem.usedByteCount }

    /// Makes `bytes` the content of a file. Folders on the way and the file are made if they are
    /// missing.
    ///
    /// - Throws: `nospc` above the limit, `isdir`, `notdir`, and `perm` for a path that leads out.
    public func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        let path = try GuestPath(Array(path.utf8))
        try createFolders(path.withoutTrailingSlashes().splitLast().directory)
        let file = try open(path, [.creat, .trunc])
        try bytes.withUnsafeBufferPointer { (bytes) throws(Errno) in
            try Self.withVector(UnsafeRawBufferPointer(bytes)) { (vectors) throws(Errno) in
                _ = try file.write(vectors)
            }
        }
    }

    /// The content of a file.
    ///
    /// - Throws: `noent`, `isdir`, `notdir`, and `perm` for a path that leads out.
    public func read(_ path: String) throws(Errno) -> [UInt8] {
        let file = try open(try GuestPath(Array(path.utf8)), [])
        var bytes = [UInt8](repeating: 0, count: Int(clamping: try file.filestat().size))
        let count = try bytes.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
            try Self.withVector(UnsafeRawBufferPointer(bytes)) { (vectors) throws(Errno) in
                try file.read(vectors)
            }
        }
        return Array(bytes[..<count])
    }

    /// Makes a folder, and those on the way to it. It may exist.
    public func createFolder(_ path: String) throws(Errno) {
        try createFolders(try GuestPath(Array(path.utf8)))
    }

    /// Removes a file or an empty folder.
    ///
    /// - Throws: `noent`, `notempty`, `notdir`, and `perm` for a path that leads out.
    public func remove(_ path: String) throws(Errno) {
        let path = try GuestPath(Array(path.utf8))
        do throws(Errno) {
            try directory.unlinkFile(path)
        } catch .isdir {
            try directory.removeDirectory(path)
        }
    }

    /// Paths of all files, ascending; links and folders are not listed.
    public var files: [String] {
        fileSystem.lock.locked {
            var found: [String] = []
            var folders: [(path: String, node: MemoryNode)] = [("", root.node)]
            while let (path, node) = folders.popLast() {
                for entry in node.entries.all {
                    let name = path + entry.name.description
                    switch entry.node.filetype {
                    case .directory: folders.append((name + "/", entry.node))
                    case .regularFile: found.append(name)
                    default: break
                    }
                }
            }
            return found.sorted()
        }
    }

    private func createFolders(_ path: GuestPath) throws(Errno) {
        guard !path.isAbsolute else { throw .perm }
        var made = GuestPath.current
        var rest = path
        while true {
            let (name, following) = rest.splitFirst()
            if name.isEmpty { return }
            made = try made.appending(name)
            rest = following
            do throws(Errno) {
                try directory.createDirectory(made)
            } catch .exist {
                guard try directory.filestat(made, follow: true).filetype == .directory else {
                    throw .notdir
                }
            }
        }
    }

    private func open(_ path: GuestPath, _ oflags: Oflags) throws(Errno) -> any VirtualFile {
        let opened = try directory.open(
            path,
            OpenFlags(follow: true, reads: true, writes: false, oflags: oflags, fdflags: []))
        guard case .virtualFile(let file) = opened.resource else { throw .isdir }
        return file
    }

    private static func withVector<Result>(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let vector = HostVector(UnsafeMutableRawBufferPointer(mutating: bytes))
        return try withUnsafePointer(to: vector) { (vector) throws(Errno) in
            try body(UnsafeBufferPointer(start: vector, count: 1))
        }
    }
}

extension MemoryFolder: Hashable {
    /// A folder is equal to itself only.
    public static func == (left: MemoryFolder, right: MemoryFolder) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
