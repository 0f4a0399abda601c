import Glibc

/// The only owner of an open file, pipe, socket or other object of the kernel. Closed at the end of
/// its lifetime.
@frozen
public struct FileDescriptor: ~Copyable, Sendable {
    /// The descriptor's number; borrowed from the owner.
    public let number: Int32

    /// Takes ownership of an open descriptor.
    @inlinable
    public init(owning number: Int32) { self.number = number }

    deinit { _ = Glibc.close(number) }

    /// Closes the descriptor now. Some file systems report only then that data could not be
    /// written.
    public consuming func close() throws(SystemError) {
        try Kernel.close(release())
    }

    /// The number, which the caller owns from now on.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Another descriptor of the same open file: it shares position and flags.
    public borrowing func duplicated() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try Kernel.duplicate(number))
    }
}

/// A pipe: bytes written to `output` can be read from `input`.
@frozen
public struct Pipe: ~Copyable, Sendable {
    public let input: FileDescriptor
    public let output: FileDescriptor

    /// - Parameter isNonblocking: whether reads and writes fail with `EAGAIN` instead of waiting.
    /// - Throws: `EMFILE`, `ENFILE`: pipe(2).
    public init(isNonblocking: Bool = false) throws(SystemError) {
        let ends = try Kernel.makePipe(isNonblocking: isNonblocking)
        input = FileDescriptor(owning: ends.read)
        output = FileDescriptor(owning: ends.write)
    }
}
