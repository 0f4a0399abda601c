/// The results of a script's commands.
public struct ScriptReport: Hashable, Sendable {
    /// All commands, those in threads included.
    public var commandCount = 0
    /// Those of them that assert something.
    public var assertionCount = 0
    /// Commands that failed, in the order of their lines.
    public var failures: [ScriptFailure] = []

    public init() {}

    public var passedCount: Int { commandCount - failures.count }

    mutating func add(_ other: ScriptReport) {
        commandCount += other.commandCount
        assertionCount += other.assertionCount
        failures += other.failures
    }
}

/// A command that failed.
public struct ScriptFailure: Hashable, Sendable {
    /// Where the command starts, from 1.
    public let line: Int
    /// The expected and the actual result.
    public let reason: String

    public init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }
}

/// Why a command fails.
struct CommandFailure: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
