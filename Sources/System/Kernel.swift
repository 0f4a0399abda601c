import Glibc

/// The calls of the kernel, by the numbers of descriptors: each static function is one call, or a
/// few related ones. Failures are `SystemError`; a signal interrupts none of them unless the
/// function says so.
///
/// The owner of a descriptor closes it: `FileDescriptor`, or an object of a higher room.
/// Descriptors opened here are closed in programs that the process executes (`O_CLOEXEC`), and have
/// numbers above those of the standard streams where the function says so.
public enum Kernel {}

/// Bytes of a path or name, the last of them a NUL.
public typealias CString = [CChar]

extension CString {
    /// The path and a NUL; ends at the first NUL in `path`.
    @inlinable
    public init(path: some Sequence<UInt8>) {
        self = path.map { CChar(bitPattern: $0) }
        append(0)
    }
}
