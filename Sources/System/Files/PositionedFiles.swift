import Glibc

// Reading and writing one buffer at an offset, without the file's position.
//
// Invariants: a buffer's bytes are accessible during the call, which the kernel does not exceed.

extension Kernel {
    /// Reads at `offset`; 0 at the end of the file: pread(2).
    public static func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try retrying { unsafe pread(descriptor, buffer.baseAddress, buffer.count, offset) }
    }

    /// Reads at `offset` what is in memory, without waiting for the disk. Nil if the bytes are not
    /// in memory, or the kernel cannot read in this way from this kind of file: preadv2(2).
    public static func readAtOnce(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int? {
        do throws(SystemError) {
            return try unsafe withUnsafePointer(to: BufferVector(buffer)) {
                (vector) throws(SystemError) in
                try retrying { unsafe symbol_preadv2(descriptor, vector, 1, offset, RWF_NOWAIT) }
            }
        } catch {
            switch error {
            case .again, .opnotsupp, .inval, .nosys: return nil
            default: throw error
            }
        }
    }

    /// Writes at `offset`; returns how many bytes. No signal for a file that gets too long:
    /// pwrite(2).
    public static func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try Signals.withoutWriteSignals { () throws(SystemError) in
            try retrying { unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, offset) }
        }
    }
}
