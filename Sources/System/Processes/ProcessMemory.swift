// Invariant: a buffer's bytes are accessible during the call, which the kernel does not exceed.

extension CurrentProcess {
    /// Resident memory of the process in bytes: proc(5), `/proc/self/statm`. Nil if the system does
    /// not tell.
    ///
    /// The file is opened by the first call and stays open, so that a process that restricts its
    /// files later can go on reading it.
    public static var residentMemory: UInt64? {
        guard let statistics else { return nil }
        var text = [UInt8](repeating: 0, count: 128)
        let count = unsafe text.withUnsafeMutableBytes { buffer in
            try? unsafe Kernel.read(statistics, buffer, at: 0)
        }
        let fields = text.prefix(count ?? 0).split(separator: 0x20)
        guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self))
        else { return nil }
        let (bytes, isTooMuch) = pages.multipliedReportingOverflow(
            by: UInt64(SystemMemory.pageSize))
        return isTooMuch ? nil : bytes
    }

    /// Open as long as the process lives.
    private static let statistics = try? unsafe Kernel.open("/proc/self/statm", [.readOnly])
}
