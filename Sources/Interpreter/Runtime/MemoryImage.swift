// Invariants: `content` is the start of `contentByteCount` readable bytes, whole pages of the
// processor, from init to deinit; they are not written to afterwards. `descriptor`, if there is
// one, is a sealed file of the same bytes. Bytes outside of `runs` are zeros.

import WasmMachine
import WasmSystem

/// The bytes of a linear memory at some time. Memories that begin with them share them, and copy
/// the pages that they write to.
final class MemoryImage: Sendable {
    /// Runs begin and end at multiples of this, except at the memory's end.
    static let pageSize = 4096

    /// The size of the memory.
    let byteCount: Int
    /// Ranges of bytes that are not all zero, ascending, of whole pages, with zeros between.
    let runs: [Range<Int>]
    /// Bytes from the start of the memory to the last one that is not zero, in whole pages.
    let contentByteCount: Int
    private nonisolated(unsafe) let content: UnsafeMutableRawPointer
    private let descriptor: Int32?
    private let pool: ReservationPool
    /// The charge for the content.
    private let holding: ResourceHolding

    /// Copies bytes.
    ///
    /// - Parameters:
    ///   - runs: as the property.
    ///   - bytes: those of each run.
    ///   - usesFile: whether memories may share pages, if the system can.
    ///   - account: what the content is charged to; nil for none.
    /// - Throws: `ResourceError.outOfMemory`, `.totalExceeded`
    init(
        byteCount: Int, runs: [Range<Int>], pool: ReservationPool,
        bytes: [UnsafeRawBufferPointer], usesFile: Bool = true, account: ResourceAccount? = nil
    ) throws(ResourceError) {
        var holding = ResourceHolding(account)
        try holding.take(runs.reduce(0) { $0 + $1.count })
        self.holding = holding
        self.byteCount = byteCount
        self.runs = runs
        self.pool = pool
        guard let contentByteCount = SystemMemory.roundedUp(runs.last?.upperBound ?? 0) else {
            throw .outOfMemory
        }
        self.contentByteCount = contentByteCount
        if contentByteCount == 0 {
            // Never read.
            content = .allocate(byteCount: 1, alignment: 1)
            descriptor = nil
        } else if usesFile, let file = Self.makeFile(contentByteCount, runs, bytes) {
            (descriptor, content) = file
        } else {
            guard let memory = SystemMemory.allocate(contentByteCount) else { throw .outOfMemory }
            for (run, bytes) in zip(runs, bytes) {
                UnsafeMutableRawBufferPointer(start: memory + run.lowerBound, count: run.count)
                    .copyMemory(from: bytes)
            }
            content = memory
            descriptor = nil
        }
    }

    /// Copies the current bytes of a memory.
    convenience init(
        of record: MemoryRecord, pool: ReservationPool, usesFile: Bool = true,
        account: ResourceAccount? = nil
    ) throws(ResourceError) {
        let byteCount = Int(bitPattern: record.byteCount)
        let base = UnsafeRawPointer(record.base)
        let runs = Self.runs(base, byteCount)
        let bytes = runs.map { run in
            UnsafeRawBufferPointer(start: base + run.lowerBound, count: run.count)
        }
        try self.init(
            byteCount: byteCount, runs: runs, pool: pool, bytes: bytes, usesFile: usesFile,
            account: account)
    }

    deinit {
        pool.forget(ObjectIdentifier(self))
        if let descriptor { AnonymousFile.close(descriptor) }
        if contentByteCount > 0 {
            SystemMemory.release(content, contentByteCount)
        } else {
            content.deallocate()
        }
    }

    private static func makeFile(
        _ byteCount: Int, _ runs: [Range<Int>], _ bytes: [UnsafeRawBufferPointer]
    ) -> (Int32, UnsafeMutableRawPointer)? {
        guard let file = AnonymousFile.create(byteCount) else { return nil }
        let isWritten = zip(runs, bytes).allSatisfy {
            AnonymousFile.write(file, $1, at: $0.lowerBound)
        }
        if isWritten, AnonymousFile.seal(file), let content = AnonymousFile.map(file, byteCount) {
            return (file, content)
        }
        AnonymousFile.close(file)
        return nil
    }

    /// The runs of pages that are not all zero.
    private static func runs(_ base: UnsafeRawPointer, _ byteCount: Int) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var offset = 0
        while offset < byteCount {
            let end = min(offset + pageSize, byteCount)
            if !isZero(base + offset, end - offset) {
                if let last = runs.last, last.upperBound == offset {
                    runs[runs.count - 1] = last.lowerBound..<end
                } else {
                    runs.append(offset..<end)
                }
            }
            offset = end
        }
        return runs
    }

    /// Whether all of at least one byte are zero: the first is, and each equals the one before.
    private static func isZero(_ start: UnsafeRawPointer, _ count: Int) -> Bool {
        start.load(as: UInt8.self) == 0 && Bytes.areEqual(start, start + 1, count - 1)
    }

    /// The bytes of one of the runs.
    func bytes(of run: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: content + run.lowerBound, count: run.count)
    }

    /// Maps the content at `address`, replacing as many bytes; writing to them changes only this
    /// copy. False if the system has no file for it or refuses.
    func map(at address: UnsafeMutableRawPointer) -> Bool {
        guard let descriptor else { return false }
        return AnonymousFile.map(descriptor, contentByteCount, at: address)
    }

    /// Copies all runs to the memory at `address`, which holds zeros.
    func copy(to address: UnsafeMutableRawPointer) {
        for run in runs {
            (address + run.lowerBound).copyMemory(
                from: content + run.lowerBound, byteCount: run.count)
        }
    }
}
