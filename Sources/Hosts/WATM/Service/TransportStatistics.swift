import WasmdEventLoop

/// What a service did so far.
public struct TransportStatistics: Hashable, Sendable {
    /// Connections that were accepted, the refused ones included.
    public var accepted: UInt64 = 0
    /// Connections that are open.
    public var live = 0
    /// Connections that ended as they should.
    public var ended: UInt64 = 0
    /// Connections that ended because of a fault of the guest or of the remote.
    public var failed: UInt64 = 0
    /// Connections that were closed at once, because a limit was reached.
    public var refused: UInt64 = 0
    /// Bytes from accepted sides to the others, and back.
    public var bytesForth: UInt64 = 0
    public var bytesBack: UInt64 = 0
    /// Datagrams that came from peers and remotes for guests.
    public var datagramsReceived: UInt64 = 0
    /// Datagrams that were sent to peers and remotes.
    public var datagramsSent: UInt64 = 0
    /// Datagrams of both directions for which there was no room, no session or no way.
    public var datagramsDropped: UInt64 = 0
    /// How often the transports were replaced.
    public var replacements: UInt64 = 0

    public init() {}
}

/// A connection of a service: one that is open, or that has ended.
public struct TransportSummary: Sendable {
    /// Counted from 1 on, refused ones included.
    public var number: UInt64
    /// Who was accepted.
    public var peer: String
    public var role: TransportRole
    /// Since it was accepted.
    public var age: Duration
    /// Until the worker of the first guest began; nil if it did not.
    public var startTime: Duration?
    /// Bytes from the accepted side to the other, and back.
    public var bytesForth: UInt64
    public var bytesBack: UInt64
    /// Nil while it is open.
    public var outcome: TransportOutcome?
}
