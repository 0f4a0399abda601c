import Glibc

/// All restrictions that a process puts on itself, in one step: first files and ports, then system
/// calls, among them those that restrict.
///
///     var confinement = Confinement()
///     confinement.landlock.allow(.path(folder), .readWrite)
///     let report = try confinement.enforce()
///
/// To be enforced before the first thread starts: existing threads would stay unrestricted.
public struct Confinement: Sendable {
    public var landlock = Landlock()
    /// The calls that stay allowed, by default those of the engine and its guests; nil for all.
    public var calls: SeccompFilter?

    /// The restrictions that are in force.
    public struct Report: Sendable, Equatable, CustomStringConvertible {
        public var landlock: Landlock.Enforcement
        public var calls: Bool

        /// Whether the kernel enforces everything that was requested.
        public var isWhole: Bool { landlock.isWhole && calls }
        /// Whether it enforces both parts at all: files are restricted since Linux 5.13, more
        /// operations on them in later versions.
        public var isUseful: Bool { landlock.files && calls }

        public var description: String {
            "\(landlock); \(calls ? "system calls" : "no filter of system calls in this kernel")"
        }
    }

    public enum Failure: Error, Equatable, CustomStringConvertible {
        /// The process has other threads, which would stay unrestricted; nil if their number cannot
        /// be read.
        case threads(Int?)
        case landlock(Landlock.Failure)
        case calls(SystemError)

        public var description: String {
            switch self {
            case .threads(let count):
                "the process has \(count.map { "\($0)" } ?? "an unknown number of") threads, and "
                    + "restrictions have to come before the second"
            case .landlock(let failure): "files cannot be restricted: \(failure)"
            case .calls(let error): "system calls cannot be restricted: \(error)"
            }
        }
    }

    public init() { calls = Self.engineCalls }

    /// The calls that the engine and guests without network of their own need: memory, files,
    /// waiting, threads, sockets that are open. No new process, program, namespace, socket, or
    /// memory that can be executed by another name; `EPERM` for all else.
    public static var engineCalls: SeccompFilter {
        var filter = SeccompFilter(
            allowing: .memory + .files + .waiting + .threads + .signals + .process + .connections,
            refusal: .error(.perm))
        filter.allowThreads()
        filter.allowSignals(toThreadsOf: CurrentProcess.identifier)
        filter.allowTerminalQueries()
        filter.allowNaming()
        filter.allowLimitQueries()
        return filter
    }

    /// The same, and new sockets of the Internet, and unix sockets: for a server that starts no
    /// process by itself. `landlock` restricts their ports and files.
    public static func serverCalls(hasUnixSockets: Bool) -> SeccompFilter {
        var filter = engineCalls
        filter.calls = filter.calls + .sockets
        filter.allowSockets(ofFamilies: [AF_INET, AF_INET6] + (hasUnixSockets ? [AF_UNIX] : []))
        return filter
    }

    /// Enforces all of it. Parts that the kernel does not support are left out, and the report
    /// shows this.
    ///
    /// - Throws: why a restriction failed; then the process may be restricted in part, and should
    ///   end.
    public func enforce() throws(Failure) -> Report {
        try Self.checkIsAlone()
        NativeStack.remember()
        _ = availableProcessors()
        let landlock: Landlock.Enforcement
        do throws(Landlock.Failure) {
            landlock = try self.landlock.restrict()
        } catch {
            throw .landlock(error)
        }
        guard let calls, SeccompFilter.isAvailable else {
            return Report(landlock: landlock, calls: false)
        }
        do throws(SystemError) { try calls.install() } catch { throw .calls(error) }
        return Report(landlock: landlock, calls: true)
    }

    /// A thread that was joined may be listed for a moment longer.
    private static func checkIsAlone() throws(Failure) {
        var count = CurrentProcess.threadCount
        for _ in 0..<200 where count != 1 {
            SystemClock.sleep(until: SystemClock.monotonic.now + 1_000_000)
            count = CurrentProcess.threadCount
        }
        guard count == 1 else { throw .threads(count) }
    }
}
