import Glibc

// Calls of the operating system that make listening sockets.
//
// Invariant: a structure of an address is handed to the host with its own size, which is the size
// of the memory that it stands in.

extension System {
    /// A socket that listens on `address`. It does not wait, so that a connection that somebody
    /// else takes first keeps no thread.
    ///
    /// The file of a unix socket on which nobody listens any more is replaced: a server that was
    /// killed leaves it.
    static func listen(_ address: SocketAddress) throws(Errno) -> Int32 {
        switch address {
        case .ipv4(let bytes, let port):
            guard bytes.count == 4 else { throw .inval }
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: bytes) }
            return try listen(AF_INET, name)
        case .ipv6(let bytes, let port):
            guard bytes.count == 16 else { throw .inval }
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: bytes) }
            return try listen(AF_INET6, name)
        case .unix, .unixBytes:
            let path = address.path ?? []
            let name = try unixName(path)
            do throws(Errno) {
                return try listen(AF_UNIX, name)
            } catch .addrinuse {
                let file = path.map { CChar(truncatingIfNeeded: $0) } + [0]
                guard isAbandoned(name, file) else { throw .addrinuse }
                try unlinkFile(file)
                return try listen(AF_UNIX, name)
            }
        }
    }

    private static func unixName(_ path: [UInt8]) throws(Errno) -> sockaddr_un {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: name.sun_path)
        guard !path.isEmpty, !path.contains(0) else { throw .inval }
        guard path.count < room else { throw .nametoolong }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path) }
        return name
    }

    /// Whether there is a socket at the path, and no process has it open. Asked by a socket of another
    /// type, which a server that listens does not notice.
    private static func isAbandoned(_ name: sockaddr_un, _ path: CString) -> Bool {
        // A file that is no socket refuses connections as well.
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        let type = SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        guard let made = try? aboveStandardStreams(socket(AF_UNIX, Int32(bitPattern: type), 0))
        else { return false }
        defer { try? close(made) }
        return withUnsafeBytes(of: name) { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return connect(made, start, socklen_t(bytes.count)) != 0 && errno == ECONNREFUSED
        }
    }

    private static func listen<Name>(
        _ family: Int32, _ name: Name
    ) throws(Errno) -> Int32 {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let made = try aboveStandardStreams(
            try retrying { socket(family, Int32(bitPattern: type), 0) })
        do throws(Errno) {
            if family != AF_UNIX {
                // Without it, a server cannot be started again while old connections fade.
                var yes: Int32 = 1
                let size = socklen_t(MemoryLayout<Int32>.size)
                try retrying { setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, size) }
            }
            try withUnsafeBytes(of: name) { (bytes) throws(Errno) in
                let start = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
                try retrying { bind(made, start, socklen_t(bytes.count)) }
            }
            try retrying { Glibc.listen(made, 128) }
            return made
        } catch {
            try? close(made)
            throw error
        }
    }

    /// The port that an internet socket is bound to; nil for others.
    static func port(of socket: Int32) -> UInt16? {
        var name = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let answer = withUnsafeMutableBytes(of: &name) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return getsockname(socket, start.assumingMemoryBound(to: sockaddr.self), &size)
        }
        let families = [sa_family_t(AF_INET), sa_family_t(AF_INET6)]
        // The port stands at the same place in both structures.
        return answer == 0 && families.contains(name.sin6_family)
            ? UInt16(bigEndian: name.sin6_port) : nil
    }

    /// What the file at a path of the embedder is; a symbolic link is not followed.
    static func identity(_ path: CString) throws(Errno) -> FileIdentity {
        let filestat = try filestat(AT_FDCWD, path)
        return FileIdentity(dev: filestat.dev, ino: filestat.ino)
    }

    /// Removes a file that the embedder names.
    static func unlinkFile(_ path: CString) throws(Errno) { try unlinkFile(AT_FDCWD, path) }

    /// The bytes of an address as people write it; nil if it is none.
    static func ipv4Bytes(_ text: String) -> [UInt8]? { bytes(text, AF_INET, 4) }
    static func ipv6Bytes(_ text: String) -> [UInt8]? { bytes(text, AF_INET6, 16) }

    private static func bytes(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    static func ipv6Text(_ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard bytes.count == 16, inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count)) != nil
        else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
