import WasmInterpreter
import WasmSystem

// Calls of the operating system that take as long as a file is large, in pieces, after which
// somebody may want the guest to stop. The kernel itself is interrupted by nobody meanwhile.

extension System {
    /// Bytes of a piece that a file system gives or takes: a few milliseconds where it clears or
    /// frees pages of memory.
    private static let piece: Int64 = 16 << 20
    /// The most pieces; a file that needs more has larger ones.
    private static let pieceLimit: Int64 = 4096

    /// Sets the size of a file. One with much content to give up becomes shorter step by step.
    static func setSize(
        _ descriptor: Int32, _ size: Int64, _ stop: StopSignal?
    ) throws(Errno) {
        let status = try? Kernel.status(descriptor)
        var end = status?.byteCount ?? 0
        // Holes cost nothing.
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

    /// Reserves space piece by piece, if there is enough for all.
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

    /// Gives advice; what a file has in memory is given up piece by piece.
    static func advise(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64, _ advice: Advice, _ stop: StopSignal?
    ) throws(Errno) {
        guard advice == .dontneed, offset >= 0, let status = try? Kernel.status(descriptor) else {
            return try self.advise(descriptor, offset, count, advice)
        }
        // A count of 0 is everything to the end.
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
