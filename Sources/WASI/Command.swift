import WasmInterpreter

/// The instance is no command: it exports no function `_start`.
public struct NoStartFunction: Error, Hashable, Sendable {}

extension NoStartFunction: CustomStringConvertible {
    public var description: String { "the module exports no function _start" }
}

extension Instance {
    /// Runs a command: calls `_start` and answers the exit code, 0 if the function returns or what
    /// the guest gave to `proc_exit`.
    ///
    /// - Parameter threads: the guest's threads, if it has any; they are gone afterwards.
    /// - Throws: `NoStartFunction`, `Trap` if the guest traps, and errors of host functions.
    public func runCommand(_ threads: GuestThreads? = nil) throws -> UInt32 {
        guard let start = function("_start") else { throw NoStartFunction() }
        do {
            if let threads {
                _ = try threads.run(in: store) { try start.call() }
            } else {
                _ = try start.call()
            }
            return 0
        } catch let exit as GuestExit {
            return exit.code
        }
    }
}
