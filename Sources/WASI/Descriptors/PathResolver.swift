import WasmInterpreter

/// Resolves paths of a guest to descriptors of the host, and keeps them beneath a directory.
///
/// There are two methods with the same results. If the kernel has `openat2`, it resolves whole
/// paths and guarantees that no step leaves the directory. Elsewhere the walk below opens one
/// component at a time without following links, reads links itself, and takes `..` from its own
/// list of the directories on the way, so that a directory moved during the walk cannot lead
/// out.
///
/// In both, a call that changes or inspects a name is made on the directory that holds it, with a
/// single component that the host does not follow. A path that leads out fails with `perm`.
struct PathResolver {
    private let resolution: WASI.PathResolution
    /// The kernel's support is tested when the first path is resolved, because most guests use
    /// none.
    private var usesOpenat2: Bool { resolution == .automatic && System.hasOpenat2 }
    /// Ends long walks of a guest that must stop.
    private(set) var stop: StopSignal?

    /// Symbolic links followed in one resolution before it fails with `loop`, the limit of the
    /// host.
    private static let linkLimit = 40
    /// How often resolving is repeated after a concurrent rename.
    private static let retryLimit = 32

    init(_ resolution: WASI.PathResolution) {
        self.resolution = resolution
    }

    /// The same for one call of a guest.
    func watching(_ stop: StopSignal?) -> PathResolver {
        var resolver = self
        resolver.stop = stop
        return resolver
    }
}

/// An open directory of the host, closed with this value unless it is borrowed.
struct DirectoryHandle: ~Copyable {
    let number: Int32
    private let isOwned: Bool

    /// A directory that its owner closes.
    init(borrowed number: Int32) {
        self.number = number
        isOwned = false
    }

    init(owned number: Int32) {
        self.number = number
        isOwned = true
    }

    deinit {
        if isOwned { try? System.close(number) }
    }
}

/// A name in an open directory.
struct Location: ~Copyable {
    let directory: DirectoryHandle
    /// One component, or `.` for the directory itself; never `..`.
    let name: GuestPath
    /// The path ended with a slash: what it names must be a directory.
    let mustBeDirectory: Bool

    /// The name for calls that remove or create it: the host checks the slash at the end.
    var nameWithSlash: CString {
        mustBeDirectory ? name.bytes + [GuestPath.slash, 0] : name.cString
    }

    /// The attributes of the file, which may be a symbolic link.
    func filestat() throws(Errno) -> Filestat {
        let filestat = try System.filestat(directory.number, name.cString)
        guard !mustBeDirectory || filestat.filetype == .directory else { throw .notdir }
        return filestat
    }
}

extension PathResolver {
    /// The directory that holds what `path` names, and its name there.
    ///
    /// - Parameter follow: whether a symbolic link as the last component is followed. A slash at
    ///   the end has no influence.
    func locate(
        _ path: GuestPath, in root: Int32, follow: Bool
    ) throws(Errno) -> Location {
        guard !path.isEmpty else { throw .noent }
        var path = path
        var mustBeDirectory = false
        for _ in 0...Self.linkLimit {
            guard !path.isAbsolute else { throw .perm }
            mustBeDirectory = mustBeDirectory || path.hasTrailingSlash
            let (parent, name) = path.withoutTrailingSlashes().splitLast()
            if name.isDotDot {
                let directory = try openDirectory(path, in: root)
                return Location(directory: directory, name: .current, mustBeDirectory: true)
            }
            let directory = try openDirectory(parent, in: root)
            let target = follow && !name.isDot ? try readLink(name, in: directory) : nil
            guard let target else {
                return Location(
                    directory: directory, name: name,
                    mustBeDirectory: mustBeDirectory || name.isDot)
            }
            guard !target.isAbsolute else { throw .perm }
            path = try parent.appending(target)
        }
        throw .loop
    }

    /// Opens the file or directory that `path` names.
    ///
    /// - Parameter follow: as in `locate`, except that a link is also followed if the path ends
    ///   with a slash.
    func open(
        _ path: GuestPath, in root: Int32, _ mode: OpenMode, follow: Bool
    ) throws(Errno) -> Int32 {
        guard !path.isEmpty else { throw .noent }
        guard !path.isAbsolute else { throw .perm }
        if usesOpenat2 {
            let opened = try openBeneath(path, in: root, mode, follow: follow)
            if let opened { return opened }
        }
        let location = try locate(path, in: root, follow: follow || path.hasTrailingSlash)
        guard location.mustBeDirectory else {
            return try System.openComponent(location.directory.number, location.name.cString, mode)
        }
        guard !mode.creates else { throw .isdir }
        return try System.openComponent(
            location.directory.number, location.name.cString, mode.requiringDirectory)
    }

    /// The target of the symbolic link `name`; nil if it is not a link or does not exist.
    private func readLink(
        _ name: GuestPath, in directory: borrowing DirectoryHandle
    ) throws(Errno) -> GuestPath? {
        do throws(Errno) {
            return try Self.readLink(name, in: directory.number)
        } catch {
            guard error == .inval || error == .noent else { throw error }
            return nil
        }
    }

    private static func readLink(
        _ name: GuestPath, in directory: Int32
    ) throws(Errno) -> GuestPath {
        let name = name.cString
        return try withUnsafeTemporaryAllocation(byteCount: GuestPath.limit, alignment: 1) {
            (buffer) throws(Errno) in
            let count = try System.readLink(directory, name, into: buffer)
            guard count > 0 else { throw .noent }
            return try GuestPath(Array(buffer[..<count]))
        }
    }
}

// MARK: Directories

extension PathResolver {
    /// Opens the directory that `path` names; an empty path is `root` itself.
    private func openDirectory(
        _ path: GuestPath, in root: Int32
    ) throws(Errno) -> DirectoryHandle {
        guard !path.isEmpty else { return DirectoryHandle(borrowed: root) }
        if usesOpenat2, let opened = try openBeneath(path, in: root, .path, follow: true) {
            return DirectoryHandle(owned: opened)
        }
        return try walk(path, from: root)
    }

    /// Resolves by the kernel; nil if concurrent renames prevented it.
    private func openBeneath(
        _ path: GuestPath, in root: Int32, _ mode: OpenMode, follow: Bool
    ) throws(Errno) -> Int32? {
        let path = path.cString
        for _ in 0..<Self.retryLimit {
            do throws(Errno) {
                return try System.openBeneath(root, path, mode, follow: follow)
            } catch .again {
                continue
            } catch {
                throw error == .xdev ? .perm : error
            }
        }
        return nil
    }

    /// Opens the directory that `path` names component by component.
    private func walk(
        _ path: GuestPath, from root: Int32
    ) throws(Errno) -> DirectoryHandle {
        var trail = Trail(root: root)
        var rest = path
        var links = 0
        while true {
            guard !rest.isAbsolute else { throw .perm }
            // The guest does not see this error: it is stopped when the call returns.
            guard !stop.isRaised else { throw .intr }
            let (name, following) = rest.splitFirst()
            if name.isEmpty { break }
            rest = following.withoutLeadingSlashes()
            if name.isDot { continue }
            if name.isDotDot {
                try trail.ascend()
                continue
            }
            do throws(Errno) {
                try trail.descend(name)
            } catch {
                guard error == .notdir || error == .loop else { throw error }
                links += 1
                guard links <= Self.linkLimit else { throw .loop }
                rest = try target(of: name, in: trail.current).appending(rest)
            }
        }
        return try trail.finish()
    }

    /// The target of a symbolic link on the way; `notdir` if it is not a link.
    private func target(of name: GuestPath, in directory: Int32) throws(Errno) -> GuestPath {
        do throws(Errno) {
            return try Self.readLink(name, in: directory)
        } catch {
            throw error == .inval ? .notdir : error
        }
    }
}

/// The directories of a walk, from its root to the current one.
///
/// The deepest of them are open. When a walk has returned above these, those above are opened
/// again by their names, which were not links.
private struct Trail: ~Copyable {
    private let root: Int32
    private var names: [GuestPath] = []
    /// The directories of the last names.
    private var opened: [Int32] = []

    /// The most components of a path; more fail with `nametoolong`.
    private static let depthLimit = GuestPath.limit / 2
    private static let openLimit = 256

    init(root: Int32) { self.root = root }

    deinit { for number in opened { try? System.close(number) } }

    /// The current directory.
    var current: Int32 { opened.last ?? root }

    mutating func descend(_ name: GuestPath) throws(Errno) {
        guard names.count < Self.depthLimit else { throw .nametoolong }
        try open(name)
        names.append(name)
    }

    /// Goes to the previous directory; `perm` at the root.
    mutating func ascend() throws(Errno) {
        guard names.popLast() != nil, let number = opened.popLast() else { throw .perm }
        try? System.close(number)
        guard opened.isEmpty else { return }
        for name in names { try open(name) }
    }

    /// Ends the walk; returns its current directory.
    consuming func finish() throws(Errno) -> DirectoryHandle {
        guard let number = opened.popLast() else {
            return DirectoryHandle(owned: try System.duplicate(root))
        }
        return DirectoryHandle(owned: number)
    }

    private mutating func open(_ name: GuestPath) throws(Errno) {
        opened.append(try System.openComponent(current, name.cString, .path))
        if opened.count > Self.openLimit { try? System.close(opened.removeFirst()) }
    }
}
