// Soundness: the buffers that the kernel fills are arrays of this file, for the time of a call.

import Glibc

extension CurrentProcess {
    /// The user whose rights the process has: geteuid(2).
    public static var effectiveUser: UInt32 { geteuid() }

    /// Nanoseconds of processor time of all threads, in the program and in the kernel for it:
    /// getrusage(2).
    public static var processorTime: UInt64 {
        var usage = rusage()
        let who = Int32(truncatingIfNeeded: RUSAGE_SELF.rawValue)
        guard unsafe getrusage(who, &usage) == 0 else { return 0 }
        return [usage.ru_utime, usage.ru_stime].reduce(0) { sum, time in
            sum &+ UInt64(clamping: time.tv_sec) &* 1_000_000_000
                &+ UInt64(clamping: time.tv_usec) &* 1000
        }
    }

    /// Calls `body` with a mask of the permissions that new files do not get: umask(2). The mask is
    /// the process's: to be used before other threads make files.
    public static func withFileMask<Result>(
        _ mask: UInt32, _ body: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        let before = umask(mask)
        defer { umask(before) }
        return try body()
    }
}

/// What the process takes of the machine, as /proc says. The files are opened once, so that a
/// process that has restricted itself can go on reading them.
public struct ProcessUse: Sendable {
    /// What was read at one time.
    public struct Reading: Hashable, Sendable {
        /// Bytes of memory that are in use.
        public var residentBytes: UInt64
        /// Bytes of address space.
        public var virtualBytes: UInt64
        public var threads: UInt64
        /// Seconds since 1970 when the process started.
        public var startTime: Double
    }

    private let status: SharedDescriptor?
    private let descriptors: SharedDescriptor?
    /// Seconds since 1970 when the machine started.
    private let bootTime: Double

    public init() {
        status = SharedDescriptor("/proc/self/stat", .readOnly)
        descriptors = SharedDescriptor("/proc/self/fd", [.readOnly, .directory])
        let now = Double(SystemClock.realtime.now) * 1e-9
        var uptime = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &uptime)
        bootTime = now - Double(uptime.tv_sec) - Double(uptime.tv_nsec) * 1e-9
    }

    /// Nil without /proc.
    public func read() -> Reading? {
        guard let status else { return nil }
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe pread(status.number, buffer.baseAddress, buffer.count, 0)
        }
        guard count > 0 else { return nil }
        let pageSize = sysconf(Int32(truncatingIfNeeded: _SC_PAGESIZE))
        let ticks = sysconf(Int32(truncatingIfNeeded: _SC_CLK_TCK))
        return Self.reading(
            bytes.prefix(count), pageSize: UInt64(clamping: pageSize),
            ticks: Double(max(ticks, 1)), bootTime)
    }

    /// The fields of proc(5) after the program's name, which is in parentheses and may have any
    /// bytes.
    static func reading(
        _ line: ArraySlice<UInt8>, pageSize: UInt64, ticks: Double, _ bootTime: Double
    ) -> Reading? {
        guard let end = line.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = line[(end + 1)...].split { $0 == UInt8(ascii: " ") || $0 == 10 }
        // Field 3 is the first of these.
        func field(_ number: Int) -> UInt64? {
            guard fields.indices.contains(number - 3) else { return nil }
            return UInt64(String(decoding: fields[number - 3], as: UTF8.self))
        }
        guard let threads = field(20), let start = field(22), let virtual = field(23),
            let pages = field(24)
        else { return nil }
        return Reading(
            residentBytes: pages.multipliedReportingOverflow(by: pageSize).partialValue,
            virtualBytes: virtual, threads: threads, startTime: bootTime + Double(start) / ticks)
    }

    /// How many descriptors are open; nil without /proc. Linear in the number.
    public func openDescriptors() -> Int? {
        guard let descriptors else { return nil }
        return descriptors.countEntries()
    }
}

/// A descriptor that several threads read.
private final class SharedDescriptor: Sendable {
    let number: Int32
    private let lock = HostLock()

    init?(_ path: StaticString, _ flags: FileFlags) {
        let bytes = unsafe Array(
            UnsafeBufferPointer(start: path.utf8Start, count: path.utf8CodeUnitCount))
        guard let number = unsafe try? Kernel.open(CString(path: bytes), flags) else { return nil }
        self.number = number
    }

    deinit { try? Kernel.close(number) }

    /// The entries of a folder, without `.` and `..`.
    func countEntries() -> Int? {
        lock.locked {
            guard (try? Kernel.seekDirectory(number, 0)) != nil else { return nil }
            var count = 0
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            var hasMore = true
            while hasMore {
                let result = unsafe buffer.withUnsafeMutableBytes { buffer in
                    try? unsafe Kernel.readDirectory(number, into: buffer) { _ in
                        count += 1
                        return true
                    }
                }
                guard let result else { return nil }
                hasMore = result
            }
            return max(count - 2, 0)
        }
    }
}
