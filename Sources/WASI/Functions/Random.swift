import WasmInterpreter

/// The source of a guest's random bytes.
public enum RandomSource: Sendable {
    /// The kernel; suitable for secrets.
    case system
    /// The same bytes for the same seed, in every run. Not for secrets.
    case seeded(UInt64)
    /// Fills the buffer, which may be empty. A large request is several calls with parts of it.
    case closure(@Sendable (UnsafeMutableRawBufferPointer) throws(Errno) -> Void)
}

/// Numbers that a seed determines: the SplitMix64 generator of Steele, Lea and Flood.
struct SeededGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var rest = buffer[...]
        while !rest.isEmpty {
            var word = next().littleEndian
            let count = min(rest.count, 8)
            withUnsafeBytes(of: &word) { word in
                UnsafeMutableRawBufferPointer(rebasing: rest.prefix(count))
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: word.prefix(count)))
            }
            rest = rest.dropFirst(count)
        }
    }
}

extension WASIGuest {
    func random_get(
        _ memory: GuestMemory, _ buffer: UInt32, _ byteCount: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        var rest = try memory.buffer(buffer, byteCount: byteCount)[...]
        repeat {
            // A multiple of the generator's words, so that pieces give the same bytes as the whole.
            let piece = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(Self.pieceByteCount))
            switch random {
            case .system: try System.random(piece)
            case .seeded: generator.withLock { $0.fill(piece) }
            case .closure(let fill): try fill(piece)
            }
            rest = rest.dropFirst(piece.count)
        } while !rest.isEmpty && !stop.isRaised
    }

    /// The same for a guest that can be suspended: others of its loop run in between.
    ///
    /// - Throws: `Errno` for the guest; `Suspension` before each further turn.
    func random_get(
        _ memory: GuestMemory, _ buffer: UInt32, _ byteCount: UInt32, _ caller: borrowing Caller
    ) throws {
        let count = Self.turnByteCount
        guard caller.canSuspend, byteCount > count else {
            return try random_get(memory, buffer, byteCount, caller.stopSignal)
        }
        // Checked as a whole, before anything is written.
        _ = try memory.buffer(buffer, byteCount: byteCount)
        try random_get(memory, buffer, count, caller.stopSignal)
        var turn = Wait()
        turn.end = .now
        throw waiting(turn) { [self] memory, caller in
            try random_get(memory, buffer &+ count, byteCount &- count, caller)
        }
    }

    /// Bytes that are made at once: some tenths of a millisecond.
    private static let pieceByteCount = 1 << 16
    /// Bytes of one turn: about a millisecond.
    private static let turnByteCount: UInt32 = 1 << 18
}
