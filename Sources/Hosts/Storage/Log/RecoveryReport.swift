/// What opening a store found.
public struct RecoveryReport: Hashable, Sendable {
    /// Bytes that belong to no whole transaction, where whole ones were written later: what was
    /// there is lost. Its transactions were acknowledged.
    public struct Damage: Hashable, Sendable {
        /// The file, relative to the data folder.
        public var file: String
        public var offset: Int
        public var byteCount: Int
        /// How many transactions were there, as far as the ones after it tell.
        public var transactions: UInt64
    }

    /// The end of the log that was cut off: what was being written when the system stopped.
    public struct Tail: Hashable, Sendable {
        public var file: String
        public var offset: Int
        public var byteCount: Int
    }

    /// Files of the log.
    public var segments = 0
    /// Whole units of the log: transactions, and copies that compaction made.
    public var frames: UInt64 = 0
    /// Records now.
    public var records = 0
    /// Bytes of the log.
    public var logBytes = 0
    /// What is lost.
    public var damage: [Damage] = []
    public var tail: Tail?
    /// Numbers of files of the log that are not there.
    public var missingSegments: [ClosedRange<UInt32>] = []
    /// Files that an earlier compaction has set aside because a part of them is damaged.
    public var setAside: [String] = []

    /// Whether nothing that was acknowledged is lost.
    public var isComplete: Bool { damage.isEmpty && missingSegments.isEmpty }
}
