import Glibc

/// The process at the other end of a unix socket, as it was when it connected: unix(7),
/// `SO_PEERCRED`.
public struct PeerCredentials: Hashable, Sendable {
    public var process: Int32
    public var user: UInt32
    public var group: UInt32
}

extension Kernel {
    /// The peer of a connected unix socket.
    ///
    /// - Throws: `EINVAL` for a socket of another family.
    public static func peerCredentials(
        _ descriptor: Int32
    ) throws(SystemError) -> PeerCredentials {
        guard case .unix = try localAddress(descriptor) else { throw .inval }
        // Linux's `struct ucred`: process, user and group.
        var words: (Int32, UInt32, UInt32) = (0, .max, .max)
        let wanted = socklen_t(MemoryLayout.size(ofValue: words))
        var size = wanted
        try retrying {
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &words, &size)
        }
        guard size == wanted else { throw .inval }
        return PeerCredentials(process: words.0, user: words.1, group: words.2)
    }
}
