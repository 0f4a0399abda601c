import WasmInterpreter
import WasmSystem

// Reading and writing streams for guests that wait. Calls of the host never wait: they fail with
// `again`, and the function of WASI waits and continues with the number of bytes done.
//
// One call of the host moves at most a piece, so that the guest can be stopped between pieces.

/// The most bytes that one call of the host moves: a tenth of a millisecond, or a millisecond where
/// the kernel has to find room for the file's content first.
private let pieceByteCount = 256 << 10
/// The same for streams that are made of Swift, which may look at each byte.
private let smallPieceByteCount = 8 << 10

extension Descriptor {
    /// Reads once into the buffers; waits first if necessary. Reads at most a piece of a stream.
    ///
    /// - Parameter done: bytes of a file that the call read before others had their turn.
    @inline(__always)
    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, after done: Int, _ caller: borrowing Caller
    ) throws(Errno) -> Transferred {
        guard isStream else {
            guard takesTurns(vectors, caller) else {
                return .bytes(try read(vectors, caller.stopSignal))
            }
            return try movingInTurns(vectors, after: done, isWriting: false, caller) {
                (piece, _) throws(Errno) in try read(piece)
            }
        }
        let limit = transferLimit
        return try patiently(isPatient) { () throws(Errno) in
            try vectors.withFirst(limit) { (vectors) throws(Errno) in try read(vectors) }
        }
    }

    /// Writes the buffers once; to a stream, if the guest waits, all of them.
    ///
    /// - Parameter done: bytes that the call wrote before it waited.
    @inline(__always)
    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, after done: Int, _ caller: borrowing Caller
    ) throws(Errno) -> Transferred {
        if takesTurns(vectors, caller) {
            return try movingInTurns(vectors, after: done, isWriting: true, caller) {
                (piece, _) throws(Errno) in try write(piece)
            }
        }
        guard isStream else { return .bytes(try write(vectors, caller.stopSignal)) }
        return try transferringAll(
            vectors, after: done, isPatient: isPatientWriting,
            failsAsAWhole: streamSocket != nil, caller.stopSignal
        ) { (vectors) throws(Errno) in try write(vectors) }
    }

    /// Messages are not split into pieces; they are short.
    private var transferLimit: Int { filetype == .socketDgram ? .max : pieceByteCount }

    /// Whether bytes are moved in turns: those of a guest that shares its thread with others, unless
    /// they are so few that no clock is needed.
    @inline(__always)
    func takesTurns(
        _ vectors: UnsafeBufferPointer<HostVector>, _ caller: borrowing Caller
    ) -> Bool {
        caller.canSuspend && vectors.byteCount >= 1024 && filetype != .socketDgram
    }

    /// Moves all bytes, piece by piece, as `write` does; a guest's turn ends after some time.
    ///
    /// What takes a stream's bytes may take long for each of them: a log looks for ends of lines.
    ///
    /// - Parameters:
    ///   - before: bytes that the call moved before.
    ///   - move: gets the number of bytes that were moved.
    @inline(never)
    func movingInTurns(
        _ vectors: UnsafeBufferPointer<HostVector>, after before: Int, isWriting: Bool,
        _ caller: borrowing Caller,
        _ move: (UnsafeBufferPointer<HostVector>, _ done: Int) throws(Errno) -> Int
    ) throws(Errno) -> Transferred {
        let begin = SystemClock.monotonic.now
        defer {
            if SystemClock.monotonic.now &- begin > Self.longTime { caller.tookLong() }
        }
        let waits = isWriting ? isPatientWriting : isPatient
        let isLookedAt = kind == .virtualFile && streamSocket == nil
        let piece = isLookedAt ? smallPieceByteCount : pieceByteCount
        let total = vectors.byteCount
        // Most calls move all bytes at once, and need no array of what is left.
        var rest: [HostVector] = []
        var done = before
        while done < total {
            // Read before the transfer, so that a change meanwhile ends the wait at once.
            let turn = guestStream?.changes.turn ?? 0
            let count: Int
            do throws(Errno) {
                if done == 0 {
                    count = try vectors.withFirst(piece) { (piece) throws(Errno) in
                        try move(piece, 0)
                    }
                } else {
                    if rest.isEmpty {
                        rest = Array(vectors)
                        rest.drop(done)
                    }
                    count = try rest.withUnsafeBufferPointer { (rest) throws(Errno) in
                        try rest.withFirst(piece) { (piece) throws(Errno) in try move(piece, done) }
                    }
                }
            } catch {
                if error == .again, waits { return .notYet(done: done, since: turn) }
                guard done > 0, streamSocket == nil else { throw error }
                return .bytes(done)
            }
            done &+= count
            // A stream that waits for nobody takes what it can; a file has an end.
            let isShort = count < min(piece, total &- done &+ count)
            if count == 0 || (isStream ? !waits : isShort) || caller.stopSignal.isRaised { break }
            if !rest.isEmpty { rest.drop(count) }
            if done < total, SystemClock.monotonic.now &- begin > Self.turn {
                return .notYet(done: done, since: nil)
            }
        }
        return .bytes(done)
    }

    /// Nanoseconds after which others have their turn, and after which the guest's clock is looked at.
    private static let turn: UInt64 = 300_000
    private static let longTime: UInt64 = 50_000

    /// Reads from a file, or once from a stream of the embedder.
    @inline(__always)
    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, _ stop: StopSignal?
    ) throws(Errno) -> Int {
        guard vectors.byteCount > pieceByteCount else { return try read(vectors) }
        let isFile = filetype == .regularFile || filetype == .blockDevice
        return try movingPieces(of: vectors, isFile ? stop : nil) {
            (vectors, _) throws(Errno) in try read(vectors)
        }
    }

    /// Writes to a file, or to a stream of the embedder.
    @inline(__always)
    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, _ stop: StopSignal?
    ) throws(Errno) -> Int {
        guard vectors.byteCount > pieceByteCount else { return try write(vectors) }
        return try movingPieces(of: vectors, stop) { (vectors, _) throws(Errno) in
            try write(vectors)
        }
    }

    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int, _ stop: StopSignal?
    ) throws(Errno) -> Int {
        guard vectors.byteCount > pieceByteCount else { return try read(vectors, at: offset) }
        return try movingPieces(of: vectors, stop) { (vectors, done) throws(Errno) in
            try read(vectors, at: offset.saturatingAdding(done))
        }
    }

    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int, _ stop: StopSignal?
    ) throws(Errno) -> Int {
        guard vectors.byteCount > pieceByteCount else { return try write(vectors, at: offset) }
        return try movingPieces(of: vectors, stop) { (vectors, done) throws(Errno) in
            try write(vectors, at: offset.saturatingAdding(done))
        }
    }

    /// Calls `move` with the buffers piece by piece and the bytes that it has moved, until it moves
    /// less than a piece or the guest must stop; only once without a signal. Bytes moved before an
    /// error are reported; the next call gets the error.
    @inline(never)
    private func movingPieces(
        of vectors: UnsafeBufferPointer<HostVector>, _ stop: StopSignal?,
        _ move: (UnsafeBufferPointer<HostVector>, _ done: Int) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        let total = vectors.byteCount
        var rest = Array(vectors)
        var done = 0
        while done < total {
            let wanted = min(total - done, pieceByteCount)
            do throws(Errno) {
                let count = try rest.withUnsafeBufferPointer { (rest) throws(Errno) in
                    try rest.withFirst(wanted) { (piece) throws(Errno) in try move(piece, done) }
                }
                done &+= count
                guard count == wanted, let stop, !stop.isRaised else { return done }
                rest.drop(count)
            } catch {
                guard done > 0 else { throw error }
                return done
            }
        }
        return done
    }

    /// Runs `transfer` once. If it throws `again`, a guest that waits must wait.
    @inline(__always)
    func patiently(
        _ isPatient: @autoclosure () -> Bool, _ transfer: () throws(Errno) -> Int
    ) throws(Errno) -> Transferred {
        // Read before the transfer, so that a change meanwhile ends the wait at once.
        let turn = guestStream?.changes.turn ?? 0
        do throws(Errno) {
            return .bytes(try transfer())
        } catch {
            guard error == .again, isPatient() else { throw error }
            return .notYet(done: 0, since: turn)
        }
    }

    /// Repeats `transfer` until the buffers are used up or the stream ends, unless the guest does
    /// not wait. Bytes moved before an error are reported; the next call gets the error.
    ///
    /// - Parameters:
    ///   - before: bytes that the call moved before it waited.
    ///   - isPatient: whether the guest waits.
    ///   - failsAsAWhole: whether an error is thrown although bytes were moved.
    func transferringAll(
        _ vectors: UnsafeBufferPointer<HostVector>, after before: Int,
        isPatient: @autoclosure () -> Bool, failsAsAWhole: Bool = false, _ stop: StopSignal,
        _ transfer: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    ) throws(Errno) -> Transferred {
        let limit = transferLimit
        var done = before
        if before == 0 {
            let first = try patiently(isPatient()) { () throws(Errno) in
                try vectors.withFirst(limit, transfer)
            }
            guard case .bytes(let count) = first, count > 0, count < vectors.byteCount, isPatient()
            else { return first }
            done = count
        }
        let total = vectors.byteCount
        var rest = Array(vectors)
        rest.drop(done)
        while done < total, !stop.isRaised {
            do throws(Errno) {
                let next = try patiently(isPatient()) { () throws(Errno) in
                    try rest.withUnsafeBufferPointer { (rest) throws(Errno) in
                        try rest.withFirst(limit, transfer)
                    }
                }
                guard case .bytes(let count) = next else {
                    if case .notYet(_, let turn) = next { return .notYet(done: done, since: turn) }
                    break
                }
                guard count > 0 else { break }
                done &+= count
                rest.drop(count)
            } catch {
                if failsAsAWhole { throw error }
                break
            }
        }
        return .bytes(done)
    }
}

extension UnsafeBufferPointer<HostVector> {
    /// The number of bytes of all buffers.
    @inline(__always)
    fileprivate var byteCount: Int { reduce(0) { $0 &+ Int(truncatingIfNeeded: $1.iov_len) } }

    /// Passes at most the first `limit` bytes to `body`.
    @inline(__always)
    fileprivate func withFirst<Result>(
        _ limit: Int, _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        guard byteCount > limit else { return try body(self) }
        return try first(limit).withUnsafeBufferPointer { (first) throws(Errno) in
            try body(first)
        }
    }

    @inline(never)
    private func first(_ limit: Int) -> [HostVector] {
        var first: [HostVector] = []
        var left = limit
        for vector in self where left > 0 {
            let part = vector.buffer.prefix(left)
            first.append(HostVector(UnsafeMutableRawBufferPointer(rebasing: part)))
            left -= part.count
        }
        return first
    }
}

extension Int {
    /// The sum, or the largest value if it does not fit.
    fileprivate func saturatingAdding(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

extension [HostVector] {
    /// Removes the first `count` bytes.
    fileprivate mutating func drop(_ count: Int) {
        var count = count
        let whole = prefix { vector in
            guard vector.buffer.count <= count else { return false }
            count -= vector.buffer.count
            return true
        }
        removeFirst(whole.count)
        guard let first, count > 0 else { return }
        self[0] = HostVector(UnsafeMutableRawBufferPointer(rebasing: first.buffer[count...]))
    }
}
