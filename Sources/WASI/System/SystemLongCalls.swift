import WasmInterpreter
import WasmSystem

// Calls of the operating system whose time depends on the size of a file, in pieces: the guest can
// be stopped between pieces, but not while the kernel works on one.

extension System {
    /// Bytes of a piece: a few milliseconds where the file system clears or frees pages of memory.
    private static let piece: Int64 = 16 << 20
    /// The most pieces; a file that needs more has larger ones.
    private static let pieceLimit: Int64 = 4096

    /// Sets the size of a file; frees much content step by step.
    static func setSize(
        _ descriptor: Int32, _ size: Int64, _ stop: StopSignal?
    ) throws(Errno) {
        let status = try? Kernel.status(descriptor)
        var end = status?.byteCount ?? 0
        // Freeing holes takes no time.
        if let status, size < end, status.blockCount > piece / 512 {
            let step = max(piece, (end - size) / pieceLimit)
            while end - size > step {
                end -= step
                try setSize(descriptor, end)
                if stop.isRaised { return }
            }
        }
        try setSize(descriptor, size)
    }

    /// Reserves space piece by piece, if there is enough for the whole.
    static func allocate(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64, _ stop: StopSignal?
    ) throws(Errno) {
        guard count > piece, !offset.addingReportingOverflow(count).overflow,
            let free = Kernel.freeByteCount(descriptor), UInt64(count) < free
        else { return try allocate(descriptor, offset, count) }
        let step = max(piece, count / pieceLimit)
        var done: Int64 = 0
        while done < count, !stop.isRaised {
            let size = min(step, count - done)
            try allocate(descriptor, offset + done, size)
            done += size
        }
    }

    /// Gives advice; cached content of a file is freed piece by piece.
    static func advise(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64, _ advice: Advice, _ stop: StopSignal?
    ) throws(Errno) {
        guard advice == .dontneed, offset >= 0, let status = try? Kernel.status(descriptor) else {
            return try self.advise(descriptor, offset, count, advice)
        }
        // A count of 0 means everything to the end.
        let size = max(status.byteCount, offset)
        let wanted = count > 0 ? min(count, size - offset) : size - offset
        guard wanted > piece else {
            return try self.advise(descriptor, offset, count, advice)
        }
        let step = max(piece, wanted / pieceLimit)
        var done: Int64 = 0
        while done < wanted, !stop.isRaised {
            let size = min(step, wanted - done)
            try self.advise(descriptor, offset + done, size, advice)
            done += size
        }
    }
}
