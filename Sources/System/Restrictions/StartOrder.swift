/// The order in which a process that runs strangers' code starts. Restrictions hold only for threads
/// that are made after them, and a process that is restricted can neither open what it needs nor start
/// programs: each step needs that those before it are done, and those after it are not.
public enum StartOrder: Int, CaseIterable, Comparable, Sendable {
    /// Reads the configuration.
    case configuration
    /// Opens the data folder, the folders of guests and the listeners.
    case opening
    /// Starts the process that may execute programs (`Spawner`).
    case spawner
    /// Restricts files, then system calls (`Confinement`).
    case restrictions
    /// Starts threads, and with them guests.
    case threads

    public static func < (left: StartOrder, right: StartOrder) -> Bool {
        left.rawValue < right.rawValue
    }

    /// Takes the steps in order. Each gets what those before it made.
    ///
    /// - Throws: what a step throws; `Confinement.Failure.threads` if a step before the last one left
    ///   a thread behind.
    public static func run<Configuration, Opened, Helper: ~Copyable, Result>(
        configuration: () throws -> Configuration,
        opening: (Configuration) throws -> Opened,
        spawner: (Configuration) throws -> Helper,
        restrictions: (Configuration, Opened) throws -> Confinement,
        threads: (Opened, consuming Helper, Confinement.Report) throws -> Result
    ) throws -> Result {
        let configuration = try configuration()
        let opened = try opening(configuration)
        let helper = try spawner(configuration)
        let report = try restrictions(configuration, opened).enforce()
        return try threads(opened, helper, report)
    }
}
