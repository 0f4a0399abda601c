/// The file of a unix socket that listens for a guest. It is removed with this object, or by
/// `remove()`, if it is still the same file.
final class BoundSocket: Sendable {
    private let path: CString
    private let identity: FileIdentity

    /// Nil if there is no file at the path.
    init?(path: [UInt8]) {
        self.path = path.map { CChar(truncatingIfNeeded: $0) } + [0]
        guard let identity = try? System.identity(self.path) else { return nil }
        self.identity = identity
    }

    deinit { remove() }

    func remove() {
        guard (try? System.identity(path)) == identity else { return }
        try? System.unlinkFile(path)
    }
}

/// Identifies a file of the host.
struct FileIdentity: Equatable {
    var dev: UInt64
    var ino: UInt64
}
