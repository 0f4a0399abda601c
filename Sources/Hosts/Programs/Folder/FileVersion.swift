import WasmSystem

/// What tells one version of a file from another without reading it.
struct FileVersion: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let byteCount: Int64
    private let modificationTime: UInt64
    private let changeTime: UInt64

    init(_ status: FileStatus) {
        device = status.device
        inode = status.inode
        byteCount = status.byteCount
        modificationTime = status.modificationTime
        changeTime = status.changeTime
    }

    /// Nanoseconds for which a change may leave all of this as it was: the kernel's clock for files
    /// has ticks of up to 10 ms.
    private static let tick: UInt64 = 20_000_000

    /// Whether a later change of the file would change its version too.
    ///
    /// - Parameter now: the time at which it was seen, in nanoseconds since 1970.
    func isSettled(at now: UInt64) -> Bool {
        let last = max(modificationTime, changeTime)
        // A time in the future does not tell anything about the ticks.
        return last > now || now - last > Self.tick
    }
}
