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
    /// Bytes of connections that have ended, from the accepted side to the other, and back.
    public var bytesForth: UInt64 = 0
    public var bytesBack: UInt64 = 0
    /// How often the transports were replaced.
    public var replacements: UInt64 = 0

    public init() {}

    static func += (sum: inout TransportStatistics, other: TransportStatistics) {
        sum.accepted &+= other.accepted
        sum.live += other.live
        sum.ended &+= other.ended
        sum.failed &+= other.failed
        sum.refused &+= other.refused
        sum.bytesForth &+= other.bytesForth
        sum.bytesBack &+= other.bytesBack
        sum.replacements &+= other.replacements
    }
}

/// A connection of a service: one that is open, or that has ended.
public struct TransportSummary: Sendable {
    /// Counted from 1 on.
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
