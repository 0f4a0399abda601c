/// The order in which a process that runs untrusted code starts. Restrictions hold only for threads
/// that are made after them, and a process that is restricted can neither open the files that it
/// needs nor start programs: each step requires that those before it are done, and those after it
/// are not.
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

    /// Runs the steps in order. Each gets the results of those before it.
    ///
    /// - Throws: what a step throws; `Confinement.Failure.threads` if a step before the last one
    ///   has left a thread running.
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
