/// What a guest waits for, as a value: descriptors of the host, streams of the embedder, a time.
///
///     linker.define("env", "receive") { (caller: borrowing Caller) -> Int32 in
///         if let byte = readByte(socket) { return byte }
///         var wait = Wait()
///         wait.add(socket, .reading)
///         throw Suspension(wait) { caller, slots in slots.setResult(i32: readByte(socket) ?? -1) }
///     }
///
/// The wait is over as soon as one of these is ready; which one is not reported. So the
/// continuation checks again, and waits again if necessary. An empty wait ends only when the guest
/// is stopped or its `Execution.wakeCell` is woken.
public struct Wait: Sendable {
    /// Ways in which a descriptor can be ready.
    public struct Directions: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Reading, or accepting a connection, would not block.
        public static let reading = Directions(rawValue: 1)
        /// Writing would not block.
        public static let writing = Directions(rawValue: 2)
    }

    /// A descriptor of the host to wait for. It is also ready after an error or a hang-up.
    public struct Interest: Hashable, Sendable {
        public let descriptor: Int32
        public internal(set) var directions: Directions
    }

    /// Each descriptor once.
    public private(set) var interests: [Interest] = []
    /// The end of the wait; nil for no end.
    public var end: ContinuousClock.Instant?
    /// Sources, each with its turn before it was checked.
    var sources: [(source: WakeSource, turn: UInt64)] = []
    /// Objects that keep the descriptors open while the guest waits.
    private var kept: [any AnyObject & Sendable] = []
    /// The index of each descriptor's interest, if there are many.
    private var indices: [Int32: Int] = [:]

    public init() {}

    /// Adds a descriptor of the host.
    ///
    /// - Parameters:
    ///   - descriptor: a descriptor of the host.
    ///   - directions: the directions to wait for.
    ///   - owner: kept alive until the wait is over, so that it does not close the descriptor
    ///     before; nil if the caller ensures that.
    public mutating func add(
        _ descriptor: Int32, _ directions: Directions,
        keeping owner: (any AnyObject & Sendable)? = nil
    ) {
        if let index = index(of: descriptor) {
            interests[index].directions.formUnion(directions)
            return
        }
        if interests.count >= Self.searchLimit { indices[descriptor] = interests.count }
        interests.append(Interest(descriptor: descriptor, directions: directions))
        if let owner { kept.append(owner) }
    }

    /// Adds a source of the embedder.
    ///
    /// - Parameters:
    ///   - source: is signalled when the guest can continue.
    ///   - turn: `source.turn`, read before the check that found nothing. If the source was
    ///     signalled since, the wait is over at once.
    public mutating func add(_ source: WakeSource, since turn: UInt64) {
        sources.append((source, turn))
    }

    /// Ends the wait at `end` or earlier.
    public mutating func end(at end: ContinuousClock.Instant) {
        self.end = min(self.end ?? end, end)
    }

    /// Up to this number, interests are searched one by one.
    private static let searchLimit = 8

    private func index(of descriptor: Int32) -> Int? {
        interests.prefix(Self.searchLimit).firstIndex { $0.descriptor == descriptor }
            ?? indices[descriptor]
    }
}
