import WasmSystem

/// The right to run the instances of an image: only one process at a time has it, because it has
/// states of instances in memory. Other programs may read and write the file meanwhile.
///
/// A lock on one byte far behind those that SQLite locks. It belongs to the open file, so it ends
/// with the process, and closing the file of the image does not release it.
public final class ImageHold: Sendable {
    private let descriptor: FileDescriptor

    private static let place: Int64 = 0x4000_0000 + 0x1000

    /// Nil if another process has the right.
    ///
    /// - Throws: `SystemError` if the file cannot be opened.
    public init?(path: [UInt8]) throws(SystemError) {
        descriptor = FileDescriptor(
            owning: try unsafe Kernel.open(CString(path: path), [.readWrite]))
        guard try Kernel.tryLock(descriptor.number, .exclusive, from: Self.place, count: 1) else {
            return nil
        }
    }

    // A process that is being started has a copy of the descriptor until it executes its program.
    deinit { try? Kernel.unlock(descriptor.number, from: Self.place, count: 1) }
}
