import WasmSystem

/// The modules that are in a folder and its subfolders.
struct FolderScan: Sendable {
    struct File: Sendable {
        /// The names on the way from the folder to the file.
        var path: [[UInt8]]
        var version: FileVersion
        var isSettled: Bool
    }

    var tree = FolderTree()
    /// The programs by their numbers in the tree.
    var files: [File] = []
    /// Whether there is a folder for static files.
    var hasStaticFiles = false
    /// What is in the folder and not served, and why.
    var notices: [FolderNotice] = []

    private var folderCount = 0

    /// The most modules of all subfolders together, and the most subfolders.
    static let fileLimit = 10_000
    /// The most names in one folder.
    static let nameLimit = 100_000
    /// The folder of static files.
    static let staticName = Array("public".utf8)

    /// Reads a folder. Blocks.
    ///
    /// - Throws: why the folder itself cannot be read.
    init(_ folder: OpenFolder) throws(SystemError) {
        let names = try folder.names(limit: Self.nameLimit)
        let now = SystemClock.realtime.now
        add(names, of: folder, at: [], node: FolderTree.root, now)
    }

    /// Goes at most `FolderTree.maximumDepth` folders deep.
    private mutating func add(
        _ names: [[UInt8]], of folder: OpenFolder, at path: [[UInt8]], node: Int, _ now: UInt64
    ) {
        for name in names {
            if files.count >= Self.fileLimit || folderCount > Self.fileLimit {
                if notices.last != .tooMany(Self.fileLimit) {
                    notices.append(.tooMany(Self.fileLimit))
                }
                return
            }
            guard name.first != UInt8(ascii: "."), let status = try? folder.status(name) else {
                continue
            }
            let full = path + [name]
            switch status.kind {
            case .regular: add(name, full, node, status, now)
            case .directory where path.isEmpty && name == Self.staticName: hasStaticFiles = true
            case .directory: add(folder: name, of: folder, full, node, now)
            case .symbolicLink where FolderName(file: name) != .ignored:
                notices.append(.notServed(full, .symbolicLink))
            default: break
            }
        }
    }

    private mutating func add(
        _ name: [UInt8], _ path: [[UInt8]], _ node: Int, _ status: FileStatus, _ now: UInt64
    ) {
        switch FolderName(file: name) {
        case .ignored: return
        case .malformed: return notices.append(.notServed(path, .name))
        default: break
        }
        guard tree.add(files.count, file: name, to: node) else {
            return notices.append(.notServed(path, .samePaths))
        }
        let version = FileVersion(status)
        files.append(
            File(path: path, version: version, isSettled: version.isSettled(at: now)))
    }

    private mutating func add(
        folder name: [UInt8], of parent: OpenFolder, _ path: [[UInt8]], _ node: Int, _ now: UInt64
    ) {
        guard path.count < FolderTree.maximumDepth else {
            return notices.append(.notServed(path, .depth))
        }
        guard let next = tree.addFolder(name, to: node) else {
            return notices.append(.notServed(path, .name))
        }
        folderCount += 1
        do throws(SystemError) {
            let folder = try parent.folder(name)
            add(try folder.names(limit: Self.nameLimit), of: folder, at: path, node: next, now)
        } catch {
            // It may have been removed meanwhile.
            if error != .noent { notices.append(.unreadable(path, error)) }
        }
    }
}

/// What the owner of a served folder should know.
public enum FolderNotice: Equatable, Sendable {
    public enum Reason: Equatable, Sendable {
        /// The name is in brackets, but no parameter.
        case name
        /// Another program of the folder has a parameter in the same place.
        case samePaths
        case symbolicLink
        /// Too many folders within each other.
        case depth
    }

    /// A file or folder is not served.
    case notServed([[UInt8]], Reason)
    /// A folder within cannot be read.
    case unreadable([[UInt8]], SystemError)
    /// There are more modules or folders than are served.
    case tooMany(Int)
    /// The folder itself cannot be read; what was served before still is.
    case lost(SystemError)
    /// A module cannot be served. `keepsOld`: the version before is served instead.
    case refused([[UInt8]], reason: String, keepsOld: Bool)
    /// Another version of a module is served from now on.
    case changed([[UInt8]])
    /// A module was added.
    case added([[UInt8]])
    /// A module was removed.
    case removed([[UInt8]])
}
