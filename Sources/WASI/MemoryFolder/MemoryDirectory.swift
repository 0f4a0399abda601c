/// A directory in memory that a guest opened; the counterpart of `HostDirectory`.
///
/// Every call holds the lock of the file system while it uses nodes.
final class MemoryDirectory: PathDirectory {
    private let node: MemoryNode
    private var fileSystem: MemoryFileSystem { node.fileSystem }

    /// As on the host: links followed in one resolution before it fails with `loop`.
    private static let linkLimit = 40
    /// As on the host: the longest name.
    private static let nameLimit = 255

    init(_ node: MemoryNode) { self.node = node }

    private func locked<Result>(
        _ body: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        try fileSystem.lock.locked(body)
    }
}

// MARK: Resolution

extension MemoryDirectory {
    /// A name in a directory, with its node.
    private struct Place {
        let parent: MemoryNode
        /// One component, or `.` for the directory itself.
        let name: GuestPath
        let node: MemoryNode?
        /// The path ended with a slash: what it names must be a directory.
        let mustBeDirectory: Bool

        /// The node; `noent` if there is none, `notdir` if it should be a directory.
        var existing: MemoryNode {
            get throws(Errno) {
                guard let node else { throw .noent }
                guard node.isDirectory || !mustBeDirectory else { throw .notdir }
                return node
            }
        }

        /// Adds the name for `node`; the entry counts against the limit.
        func insert(_ node: MemoryNode) throws(Errno) {
            // An open directory that was removed takes no new names.
            guard parent.nlink > 0 else { throw .noent }
            try parent.fileSystem.reserve(MemoryFileSystem.byteCount(ofEntry: name))
            insertReserved(node)
        }

        /// The same after the bytes were reserved and the directory was checked.
        func insertReserved(_ node: MemoryNode) {
            parent.entries.insert(name, node)
            if node.isDirectory { node.parent = parent }
            parent.touch()
        }

        func remove() {
            removeName()
            parent.fileSystem.release(MemoryFileSystem.byteCount(ofEntry: name))
        }

        /// The same, but the bytes stay reserved.
        func removeName() {
            parent.entries.remove(name)
            parent.touch()
        }
    }

    /// - Parameter follow: whether a link as the last component is followed.
    private func locate(_ path: GuestPath, follow: Bool) throws(Errno) -> Place {
        guard !path.isEmpty else { throw .noent }
        // The directories from this one to the current one.
        var trail = [node]
        var rest = path
        var links = 0
        while let current = trail.last {
            guard !rest.isAbsolute else { throw .perm }
            let (name, following) = rest.splitFirst()
            if name.isEmpty {
                return Place(
                    parent: current, name: .current, node: current, mustBeDirectory: true)
            }
            let next = following.withoutLeadingSlashes()
            rest = next
            if name.isDot { continue }
            if name.isDotDot {
                guard trail.count > 1 else { throw .perm }
                trail.removeLast()
                continue
            }
            guard name.bytes.count <= Self.nameLimit else { throw .nametoolong }
            let found = current.entries[name]
            if let target = found?.target, follow || !next.isEmpty {
                links += 1
                guard links <= Self.linkLimit else { throw .loop }
                rest = try target.appending(following)
                continue
            }
            guard !next.isEmpty else {
                return Place(
                    parent: current, name: name, node: found,
                    mustBeDirectory: !following.isEmpty)
            }
            guard let found else { throw .noent }
            guard found.isDirectory else { throw .notdir }
            trail.append(found)
        }
        throw .noent
    }
}

// MARK: Calls

extension MemoryDirectory {
    func open(_ path: GuestPath, _ flags: OpenFlags) throws(Errno) -> OpenedFile {
        try locked { () throws(Errno) in
            let creates = flags.oflags.contains(.creat)
            let isExclusive = creates && flags.oflags.contains(.excl)
            let place = try locate(
                path, follow: !isExclusive && (flags.follow || path.hasTrailingSlash))
            guard let found = place.node else {
                guard creates else { throw .noent }
                guard !place.mustBeDirectory else { throw .isdir }
                let made = MemoryNode(fileSystem, .regularFile)
                try place.insert(made)
                return OpenedFile(
                    resource: .virtualFile(MemoryFile(made, flags.fdflags)),
                    filetype: .regularFile)
            }
            guard !isExclusive else { throw .exist }
            let wantsDirectory = flags.oflags.contains(.directory)
            switch found.filetype {
            case .directory:
                guard !flags.writes, !creates else { throw .isdir }
                return OpenedFile(
                    resource: .memoryDirectory(MemoryDirectory(found)), filetype: .directory)
            case .symbolicLink: throw wantsDirectory ? .notdir : .loop
            default:
                guard !wantsDirectory, !place.mustBeDirectory else { throw .notdir }
                if flags.oflags.contains(.trunc) { try found.setSize(0) }
                return OpenedFile(
                    resource: .virtualFile(MemoryFile(found, flags.fdflags)),
                    filetype: .regularFile)
            }
        }
    }

    func createDirectory(_ path: GuestPath) throws(Errno) {
        try locked { () throws(Errno) in
            let place = try locate(path, follow: false)
            guard place.node == nil else { throw .exist }
            try place.insert(MemoryNode(fileSystem, .directory))
        }
    }

    func removeDirectory(_ path: GuestPath) throws(Errno) {
        try locked { () throws(Errno) in
            let place = try locate(path, follow: false)
            guard !place.name.isDot else { throw .inval }
            guard let found = place.node else { throw .noent }
            guard found.isDirectory else { throw .notdir }
            guard found.entries.isEmpty else { throw .notempty }
            place.remove()
            found.nlink = 0
        }
    }

    func unlinkFile(_ path: GuestPath) throws(Errno) {
        try locked { () throws(Errno) in
            let place = try locate(path, follow: false)
            let found = try place.existing
            guard !found.isDirectory else { throw .isdir }
            place.remove()
            found.nlink -= 1
            found.ctim = fileSystem.now
        }
    }

    func rename(
        _ path: GuestPath, to target: any PathDirectory, _ newPath: GuestPath
    ) throws(Errno) {
        guard let target = target as? MemoryDirectory, target.fileSystem === fileSystem else {
            throw .xdev
        }
        try locked { () throws(Errno) in
            let old = try locate(path, follow: false)
            let new = try target.locate(newPath, follow: false)
            guard !old.name.isDot, !new.name.isDot else { throw .busy }
            let moved = try old.existing
            guard moved.isDirectory || !new.mustBeDirectory else { throw .notdir }
            var above: MemoryNode? = new.parent
            while let node = above {
                guard node !== moved else { throw .inval }
                above = node.parent
            }
            // All steps that can fail come first, so that no name is lost.
            guard new.parent.nlink > 0 else { throw .noent }
            if let replaced = new.node {
                guard replaced !== moved else { return }
                try Self.checkReplacing(replaced, by: moved)
            }
            let given =
                MemoryFileSystem.byteCount(ofEntry: old.name)
                + (new.node == nil ? 0 : MemoryFileSystem.byteCount(ofEntry: new.name))
            let wanted = MemoryFileSystem.byteCount(ofEntry: new.name)
            try fileSystem.reserve(max(wanted - given, 0))
            if let replaced = new.node {
                new.removeName()
                replaced.nlink -= 1
            }
            old.removeName()
            new.insertReserved(moved)
            fileSystem.release(max(given - wanted, 0))
            moved.ctim = fileSystem.now
        }
    }

    private static func checkReplacing(
        _ replaced: MemoryNode, by moved: MemoryNode
    ) throws(Errno) {
        guard replaced.isDirectory else {
            guard !moved.isDirectory else { throw .notdir }
            return
        }
        guard moved.isDirectory else { throw .isdir }
        guard replaced.entries.isEmpty else { throw .notempty }
    }

    func link(
        _ path: GuestPath, follow: Bool, to target: any PathDirectory, _ newPath: GuestPath
    ) throws(Errno) {
        guard let target = target as? MemoryDirectory, target.fileSystem === fileSystem else {
            throw .xdev
        }
        try locked { () throws(Errno) in
            let old = try locate(path, follow: follow || path.hasTrailingSlash)
            let new = try target.locate(newPath, follow: false)
            let linked = try old.existing
            guard !linked.isDirectory else { throw .perm }
            guard new.node == nil else { throw .exist }
            guard !new.mustBeDirectory else { throw .noent }
            try new.insert(linked)
            linked.nlink += 1
            linked.ctim = fileSystem.now
        }
    }

    func createSymbolicLink(_ path: GuestPath, to target: GuestPath) throws(Errno) {
        try locked { () throws(Errno) in
            let place = try locate(path, follow: false)
            guard place.node == nil else { throw .exist }
            guard !place.mustBeDirectory, !target.isEmpty else { throw .noent }
            try place.insert(try MemoryNode(fileSystem, target: target))
        }
    }

    func readLink(
        _ path: GuestPath, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try locked { () throws(Errno) in
            let place = try locate(path, follow: path.hasTrailingSlash)
            guard let target = try place.existing.target else { throw .inval }
            let bytes = target.unsignedBytes.prefix(buffer.count)
            buffer.copyBytes(from: bytes)
            return bytes.count
        }
    }

    func filestat(_ path: GuestPath, follow: Bool) throws(Errno) -> Filestat {
        try locked { () throws(Errno) in
            try locate(path, follow: follow || path.hasTrailingSlash).existing.filestat
        }
    }

    func setTimes(_ path: GuestPath, follow: Bool, _ times: FileTimes) throws(Errno) {
        try locked { () throws(Errno) in
            try locate(path, follow: follow || path.hasTrailingSlash).existing.setTimes(times)
        }
    }
}

// MARK: Calls of the embedder

extension MemoryDirectory {
    /// Makes `content` the whole content of a file, which is made if it is missing. Changes nothing
    /// if that exceeds the limit.
    func replaceFile(_ path: GuestPath, by content: [UInt8]) throws(Errno) {
        try locked { () throws(Errno) in
            let place = try locate(path, follow: true)
            guard let found = place.node else {
                guard !place.mustBeDirectory else { throw .isdir }
                let made = MemoryNode(fileSystem, .regularFile)
                try made.replace(by: content)
                return try place.insert(made)
            }
            guard !found.isDirectory else { throw .isdir }
            guard !place.mustBeDirectory else { throw .notdir }
            try found.replace(by: content)
        }
    }

    /// Makes a directory; returns whether it is new.
    func ensureDirectory(_ path: GuestPath) throws(Errno) -> Bool {
        do throws(Errno) {
            try createDirectory(path)
            return true
        } catch .exist {
            guard try filestat(path, follow: true).filetype == .directory else { throw .notdir }
            return false
        }
    }
}

// MARK: The open directory

extension MemoryDirectory {
    func filestat() -> Filestat { fileSystem.lock.locked { node.filestat } }

    func setTimes(_ times: FileTimes) { fileSystem.lock.locked { node.setTimes(times) } }

    /// Passes the entries from `position` on to `body` until it returns false.
    func readEntries(
        from position: UInt64, _ body: (DirectoryEntry) throws(Errno) -> Bool
    ) throws(Errno) {
        // `body` runs without the lock, because it may read files.
        let dots: [CChar] = [GuestPath.dot, GuestPath.dot]
        for number in position..<max(position, 2) {
            guard try Self.hand(number, node.ino, .directory, dots[...Int(number)], body) else {
                return
            }
        }
        var next = max(position, 2)
        while true {
            let entries = fileSystem.lock.locked { node.entries.some(from: next) }
            guard let last = entries.last else { return }
            for entry in entries {
                let (name, node) = (entry.name.bytes, entry.node)
                guard try Self.hand(entry.number, node.ino, node.filetype, name, body) else {
                    return
                }
            }
            next = last.number + 1
        }
    }

    private static func hand(
        _ number: UInt64, _ ino: UInt64, _ filetype: Filetype, _ name: ArraySlice<CChar>,
        _ body: (DirectoryEntry) throws(Errno) -> Bool
    ) throws(Errno) -> Bool {
        try name.withUnsafeBufferPointer { (name) throws(Errno) in
            try body(
                DirectoryEntry(
                    next: number + 1, ino: ino, filetype: filetype,
                    name: UnsafeRawBufferPointer(name)))
        }
    }
}
