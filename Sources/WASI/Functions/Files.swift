import Synchronization
import WasmInterpreter

// Reading, writing and positioning: the most frequent calls. They look up the descriptor, check its
// rights and the result's address, and make one call of the host.

extension WASIGuest {
    /// - Throws: `Errno` for the guest; `Suspension` to wait.
    @inline(__always)
    func fd_read(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ result: UInt32,
        _ caller: borrowing Caller
    ) throws {
        try read(memory, try table[fd], iovs, count, result, after: 0, caller)
    }

    /// - Parameter done: bytes that were read before others had their turn.
    @inline(__always)
    private func read(
        _ memory: GuestMemory, _ descriptor: Descriptor, _ iovs: UInt32, _ count: UInt32,
        _ result: UInt32, after done: Int, _ caller: borrowing Caller
    ) throws {
        try descriptor.requireAccess(.fdRead)
        let result32 = try memory.result32(result)
        let transferred = try memory.withVectors(iovs, count: count, caller.stopSignal) {
            (vectors) throws(Errno) in
            try descriptor.read(vectors, after: done, caller)
        }
        switch transferred {
        case .bytes(let byteCount): result32.store(UInt32(clamping: byteCount))
        case .notYet(let done, let turn):
            throw waiting(toRead: descriptor, turn, iovs, count, result, after: done)
        }
    }

    @inline(never)
    private func waiting(
        toRead descriptor: Descriptor, _ turn: UInt64?, _ iovs: UInt32, _ count: UInt32,
        _ result: UInt32, after done: Int
    ) -> Suspension {
        waiting(descriptor.wait(isReading: true, since: turn)) { [self] memory, caller in
            try read(memory, descriptor, iovs, count, result, after: done, caller)
        }
    }

    /// - Throws: `Errno` for the guest; `Suspension` to wait.
    @inline(__always)
    func fd_write(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ result: UInt32,
        _ caller: borrowing Caller
    ) throws {
        try write(memory, try table[fd], iovs, count, result, after: 0, caller)
    }

    /// - Parameter done: bytes that were written before the guest waited.
    @inline(__always)
    func write(
        _ memory: GuestMemory, _ descriptor: Descriptor, _ iovs: UInt32, _ count: UInt32,
        _ result: UInt32, after done: Int, _ caller: borrowing Caller
    ) throws {
        try descriptor.requireAccess(.fdWrite)
        let result32 = try memory.result32(result)
        let transferred = try memory.withVectors(iovs, count: count, caller.stopSignal) {
            (vectors) throws(Errno) -> Transferred in
            guard quota != nil, descriptor.filetype == .regularFile else {
                return try descriptor.write(vectors, after: done, caller)
            }
            if descriptor.takesTurns(vectors, caller) {
                return try descriptor.movingInTurns(vectors, after: done, isWriting: true, caller) {
                    (piece, _) throws(Errno) in
                    try writingWithinQuota(piece) { (piece) throws(Errno) in
                        try descriptor.write(piece)
                    }
                }
            }
            return .bytes(
                try writingWithinQuota(vectors) { (vectors) throws(Errno) in
                    try descriptor.write(vectors, caller.stopSignal)
                })
        }
        switch transferred {
        case .bytes(let byteCount): result32.store(UInt32(clamping: byteCount))
        case .notYet(let done, let turn):
            throw waiting(toWrite: descriptor, turn, iovs, count, result, after: done)
        }
    }

    @inline(never)
    private func waiting(
        toWrite descriptor: Descriptor, _ turn: UInt64?, _ iovs: UInt32, _ count: UInt32,
        _ result: UInt32, after done: Int
    ) -> Suspension {
        waiting(descriptor.wait(isReading: false, since: turn)) { [self] memory, caller in
            try write(memory, descriptor, iovs, count, result, after: done, caller)
        }
    }

    func fd_pread(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let call = try PositionedCall(table[fd], iovs, count, offset, result, isWriting: false)
        try move(memory, call, stop)
    }

    func fd_pwrite(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let call = try PositionedCall(table[fd], iovs, count, offset, result, isWriting: true)
        try move(memory, call, stop)
    }

    /// - Throws: `Errno` for the guest; `Suspension` to let others run.
    func fd_pread(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32, _ caller: borrowing Caller
    ) throws {
        let call = try PositionedCall(table[fd], iovs, count, offset, result, isWriting: false)
        guard caller.canSuspend else { return try move(memory, call, caller.stopSignal) }
        try moveInTurns(memory, call, after: 0, caller)
    }

    /// - Throws: `Errno` for the guest; `Suspension` to let others run.
    func fd_pwrite(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32, _ caller: borrowing Caller
    ) throws {
        let call = try PositionedCall(table[fd], iovs, count, offset, result, isWriting: true)
        guard caller.canSuspend else { return try move(memory, call, caller.stopSignal) }
        try moveInTurns(memory, call, after: 0, caller)
    }

    /// The arguments of `fd_pread` and `fd_pwrite`, checked.
    private struct PositionedCall {
        let descriptor: Descriptor
        let iovs: UInt32
        let count: UInt32
        let offset: Int
        /// The address of the result.
        let result: UInt32
        let isWriting: Bool

        init(
            _ descriptor: Descriptor, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
            _ result: UInt32, isWriting: Bool
        ) throws(Errno) {
            try descriptor.requireAccess(isWriting ? .fdWrite : .fdRead)
            try descriptor.requirePosition(.fdSeek)
            guard let offset = Int(exactly: offset) else { throw .inval }
            self.descriptor = descriptor
            self.iovs = iovs
            self.count = count
            self.offset = offset
            self.result = result
            self.isWriting = isWriting
        }
    }

    private func move(
        _ memory: GuestMemory, _ call: PositionedCall, _ stop: StopSignal?
    ) throws(Errno) {
        let result = try memory.result32(call.result)
        let byteCount = try memory.withVectors(call.iovs, count: call.count, stop) {
            (vectors) throws(Errno) in
            try move(vectors, at: call.offset, call, stop)
        }
        result.store(UInt32(clamping: byteCount))
    }

    /// - Parameter done: bytes that were moved before others had their turn.
    private func moveInTurns(
        _ memory: GuestMemory, _ call: PositionedCall, after done: Int, _ caller: borrowing Caller
    ) throws {
        let descriptor = call.descriptor
        let result = try memory.result32(call.result)
        let moved = try memory.withVectors(call.iovs, count: call.count, caller.stopSignal) {
            (vectors) throws(Errno) -> Transferred in
            guard descriptor.takesTurns(vectors, caller) else {
                return .bytes(try move(vectors, at: call.offset, call, caller.stopSignal))
            }
            return try descriptor.movingInTurns(
                vectors, after: done, isWriting: call.isWriting, caller
            ) { (piece, done) throws(Errno) in
                let place = call.offset.addingReportingOverflow(done)
                return try move(piece, at: place.overflow ? .max : place.partialValue, call, nil)
            }
        }
        switch moved {
        case .bytes(let byteCount): result.store(UInt32(clamping: byteCount))
        case .notYet(let done, let turn):
            let wait = descriptor.wait(isReading: !call.isWriting, since: turn)
            throw waiting(wait) { [self] memory, caller in
                try moveInTurns(memory, call, after: done, caller)
            }
        }
    }

    private func move(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int, _ call: PositionedCall,
        _ stop: StopSignal?
    ) throws(Errno) -> Int {
        guard call.isWriting else { return try call.descriptor.read(vectors, at: offset, stop) }
        return try writingWithinQuota(vectors) { (vectors) throws(Errno) in
            try call.descriptor.write(vectors, at: offset, stop)
        }
    }

    func fd_seek(
        _ memory: GuestMemory, _ fd: UInt32, _ offset: Int64, _ whence: Whence?,
        _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        // A seek by 0 only reports the position: it needs `fdTell`, not `fdSeek`.
        let tells = offset == 0 && whence == .cur
        try descriptor.requirePosition(tells ? .fdTell : .fdSeek)
        guard let whence else { throw .inval }
        let result = try memory.result64(result)
        result.store(try descriptor.seek(offset, whence))
    }

    func fd_tell(_ memory: GuestMemory, _ fd: UInt32, _ result: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requirePosition(.fdTell)
        let result = try memory.result64(result)
        result.store(try descriptor.seek(0, .cur))
    }

    /// Runs `body`, which writes the buffers to a file, if the guest's quota allows it; counts the
    /// written bytes.
    private func writingWithinQuota(
        _ vectors: UnsafeBufferPointer<HostVector>,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        guard let quota else { return try body(vectors) }
        let wanted = vectors.reduce(0) { $0 &+ UInt64(clamping: $1.buffer.count) }
        try quota.take(wanted)
        do throws(Errno) {
            let written = try body(vectors)
            quota.giveBack(wanted.saturatingSubtracting(UInt64(clamping: written)))
            return written
        } catch {
            quota.giveBack(wanted)
            throw error
        }
    }
}

/// Bytes that a guest may still write to files, all its threads together.
final class WriteQuota: Sendable {
    private let left: Mutex<UInt64>

    init(_ byteCount: UInt64) { left = Mutex(byteCount) }

    /// Counts bytes; `dquot` if fewer are left.
    func take(_ count: UInt64) throws(Errno) {
        try left.withLock { (left) throws(Errno) in
            guard count <= left else { throw .dquot }
            left &-= count
        }
    }

    /// Counts bytes for a call, unless it fails.
    func charging(_ count: UInt64, _ call: () throws(Errno) -> Void) throws(Errno) {
        try take(count)
        do throws(Errno) {
            try call()
        } catch {
            giveBack(count)
            throw error
        }
    }

    /// Returns bytes to the quota that were not written.
    func giveBack(_ count: UInt64) { left.withLock { $0 &+= count } }
}
