import Synchronization

/// Counts of datagrams, which several sockets share. From any thread.
public final class DatagramCounts: Sendable {
    private let receivedCount = Atomic<UInt64>(0)
    private let sentCount = Atomic<UInt64>(0)
    private let droppedCount = Atomic<UInt64>(0)

    public init() {}

    /// Datagrams of peers that guests got, or will get.
    public var received: UInt64 { receivedCount.load(ordering: .relaxed) }
    /// Datagrams that the kernel took.
    public var sent: UInt64 { sentCount.load(ordering: .relaxed) }
    /// Datagrams of either direction for which there was no room, no session or no way.
    public var dropped: UInt64 { droppedCount.load(ordering: .relaxed) }

    public func countReceived() { receivedCount.wrappingAdd(1, ordering: .relaxed) }
    public func countSent() { sentCount.wrappingAdd(1, ordering: .relaxed) }
    public func countDropped() { droppedCount.wrappingAdd(1, ordering: .relaxed) }
}
