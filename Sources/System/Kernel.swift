import Glibc

/// The calls of the kernel, by the numbers of descriptors: each static function is one call, or
/// few that belong together. Failures are `SystemError`; a signal interrupts none of them unless the
/// function says so.
///
/// Who owns a descriptor closes it: `FileDescriptor`, or an object of a higher room. What is opened
/// here is closed in programs that the process starts (`O_CLOEXEC`), and has no number of a standard
/// stream where the function says so.
public enum Kernel {}

/// Bytes of a path or name, the last of them a NUL.
public typealias CString = [CChar]

extension CString {
    /// The path with its NUL; a NUL in it ends it.
    @inlinable
    public init(path: some Sequence<UInt8>) {
        self = path.map { CChar(bitPattern: $0) }
        append(0)
    }
}
