/// The limits of a socket that is given to a guest.
public struct GuestSocketLimits: Sendable {
    /// From this number of queued bytes on, at least 1 and at most `queuedBytes`, the paired socket is held back, and the guest is not told
    /// that it may write; until half of them are sent.
    public var holdMark = 64 << 10
    /// The most queued bytes. A write of more waits, also with the flag `nonblock`.
    public var queuedBytes = 256 << 10
    /// For how long queued bytes are sent after the guest has closed the socket. The connection is
    /// then reset.
    public var closingTime = Duration.seconds(10)
    /// Delays between the times when a guest that does not write is told that it may: the first, and
    /// the longest. Each is eight times the one before.
    public var writableDelays = Duration.milliseconds(50)...Duration.seconds(30)

    public init() {}

    /// With a mark that the queue can reach and leave.
    var checked: GuestSocketLimits {
        var checked = self
        checked.queuedBytes = max(queuedBytes, 1)
        checked.holdMark = min(max(holdMark, 1), checked.queuedBytes)
        return checked
    }
}

/// A socket could not be given to a guest.
public enum GuestSocketError: Error, Hashable, Sendable {
    /// `GuestLoop.socketLimit` is reached.
    case tooManySockets(limit: Int)
}

extension GuestSocketError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooManySockets(let limit):
            "\(limit) sockets of guests are open, which is the limit: end some, or allow more by "
                + "GuestLoop.socketLimit and the process's limit of open files (ulimit -n)"
        }
    }
}
