// Invariants: `base` is the start of `byteCount` bytes of address space that belong to this value,
// which has one owner; the first `committedByteCount` are readable and writable. The first
// `fileByteCount` of them are a private mapping of a file, all else is anonymous. The owner of a
// reservation with an image keeps the image.

import Synchronization
import WasmSystem

/// Address space of a memory, of which a part can be used.
struct Reservation: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    private(set) var committedByteCount = 0
    /// The image whose file is mapped, so that unwritten bytes have its content; nil for zeros.
    fileprivate private(set) var image: ObjectIdentifier?
    /// Bytes at the start that are mapped from a file; without an image they are private copies,
    /// which hide the file's content.
    private var fileByteCount = 0
    private var isReused = false

    /// Reserves `wanted` bytes, or less down to `least` in a process with little address space
    /// (ulimit -v); nil if that is refused too. Whole pages; `wanted` is not 0.
    init?(_ wanted: Int, least: Int) {
        var byteCount = wanted
        while true {
            if let address = SystemMemory.reserve(byteCount) {
                base = address
                break
            }
            guard byteCount > least else { return nil }
            byteCount = max(least, SystemMemory.roundedUp(byteCount / 2) ?? least)
        }
        self.byteCount = byteCount
    }

    /// Makes one from a used mapping, all of it readable and writable.
    fileprivate init(of base: UnsafeMutableRawPointer, byteCount: Int) {
        self.base = base
        self.byteCount = byteCount
        committedByteCount = byteCount
        isReused = true
    }

    /// Frees all of it.
    func release() { SystemMemory.release(base, byteCount) }

    /// Makes the first `wanted` bytes usable; whole pages. False if the system refuses.
    mutating func commit(_ wanted: Int) -> Bool {
        guard wanted > committedByteCount else { return true }
        guard wanted <= byteCount,
            SystemMemory.commit(base + committedByteCount, wanted - committedByteCount)
        else { return false }
        committedByteCount = wanted
        return true
    }

    /// Gives all committed bytes the image's content and zeros after it, replacing all others.
    ///
    /// The image must not have more bytes than are committed. Cannot fail: if the system refuses
    /// the mapping, bytes are copied.
    mutating func reset(to wanted: MemoryImage?) {
        let isSame = holds(wanted) && (image != nil || fileByteCount == 0)
        if isSame && SystemMemory.discard(base, committedByteCount) { return }
        let rest = committedByteCount - fileByteCount
        if !SystemMemory.discard(base + fileByteCount, rest) {
            (base + fileByteCount).initializeMemory(as: UInt8.self, repeating: 0, count: rest)
        }
        replaceImage(by: wanted)
    }

    /// The same, if all bytes that are not mapped from a file are zeros already.
    mutating func replaceImage(by wanted: MemoryImage?) {
        image = nil
        if fileByteCount > 0, SystemMemory.replaceByZeros(base, fileByteCount) { fileByteCount = 0 }
        // If the system leaves the file mapped, discarding would restore the file's bytes.
        base.initializeMemory(as: UInt8.self, repeating: 0, count: fileByteCount)
        guard let wanted, wanted.contentByteCount > 0 else { return }
        if fileByteCount == 0, wanted.map(at: base) {
            (image, fileByteCount) = (ObjectIdentifier(wanted), wanted.contentByteCount)
        } else {
            wanted.copy(to: base)
        }
    }

    /// Whether the image's file is mapped; for nil, and images of zeros, whether none is.
    func holds(_ other: MemoryImage?) -> Bool { image == Self.mapped(other) }

    /// The value of `image` for a reservation with an image.
    fileprivate static func mapped(_ image: MemoryImage?) -> ObjectIdentifier? {
        image.flatMap { $0.contentByteCount > 0 ? ObjectIdentifier($0) : nil }
    }

    /// Restores the bytes from before they were used.
    ///
    /// - Parameters:
    ///   - warm: bytes at the start that stay resident for the next use: writing zeros takes less
    ///     time than its page faults.
    ///   - touched: bytes at the start that may have been written to: the kernel looks through as
    ///     many, half a microsecond for 16 MiB.
    mutating func clean(warm: Int, touched: Int) {
        let mayStay = isReused && fileByteCount == 0
        let warm = mayStay ? min(committedByteCount, SystemMemory.roundedUp(warm) ?? 0) : 0
        base.initializeMemory(as: UInt8.self, repeating: 0, count: warm)
        isReused = true
        let hidesFile = fileByteCount > 0 && image == nil
        let rest = max(min(committedByteCount, SystemMemory.roundedUp(touched) ?? .max) - warm, 0)
        if hidesFile || !SystemMemory.discard(base + warm, rest) {
            reset(to: nil)
        }
    }
}

/// Used reservations that are kept for later use: taking one costs no system call, and its first
/// pages are resident already. One per engine.
///
/// The cost of taking and giving is proportional to the number of sizes and images, which are few:
/// value stacks have one size, memories one for each maximum that modules name.
final class ReservationPool: Sendable {
    /// Bytes of a reservation that stay resident.
    static let warmByteCount = 128 << 10

    /// Reservations of one size and image; never empty. Not in a dictionary, whose types would cost
    /// the start of a process more than they save.
    private struct Shelf {
        let byteCount: Int
        let image: ObjectIdentifier?
        var free: [Reservation]
    }

    private struct Contents {
        var count = 0
        /// In ascending order of sizes.
        private var shelves: [Shelf] = []

        mutating func put(_ reservation: Reservation) {
            count += 1
            let (size, image) = (reservation.byteCount, reservation.image)
            if let index = shelves.firstIndex(where: { $0.byteCount == size && $0.image == image })
            {
                return shelves[index].free.append(reservation)
            }
            shelves.insert(
                Shelf(byteCount: size, image: image, free: [reservation]),
                at: shelves.firstIndex { $0.byteCount > size } ?? shelves.count)
        }

        /// The smallest of these sizes with the image; otherwise the smallest.
        mutating func take(
            _ sizes: some RangeExpression<Int>, _ image: ObjectIdentifier?
        ) -> Reservation? {
            var best: Int?
            for (index, shelf) in shelves.enumerated() where sizes.contains(shelf.byteCount) {
                if shelf.image == image {
                    best = index
                    break
                }
                if best == nil { best = index }
            }
            guard let best, let taken = shelves[best].free.popLast() else { return nil }
            if shelves[best].free.isEmpty { shelves.remove(at: best) }
            count -= 1
            return taken
        }

        /// Removes all with images for which `isTaken` is true.
        mutating func takeAll(where isTaken: (ObjectIdentifier?) -> Bool) -> [Reservation] {
            let taken = shelves.filter { isTaken($0.image) }.flatMap(\.free)
            shelves.removeAll { isTaken($0.image) }
            count -= taken.count
            return taken
        }
    }

    private let capacity: Int
    private let free = Mutex(Contents())

    /// - Parameter capacity: the most that are kept; see `Engine.Configuration.keptReservations`.
    init(capacity: Int = 32) { self.capacity = capacity }

    deinit {
        for reservation in free.withLock({ $0.takeAll { _ in true } }) { reservation.release() }
    }

    /// A reservation of at least `wanted` bytes with the content of `image` or zeros, of which
    /// `committed` are usable. In a process with little address space it may be smaller, down to
    /// `committed`. Whole pages; nil if the system refuses.
    func take(_ wanted: Int, committed: Int, image: MemoryImage? = nil) -> Reservation? {
        take(wanted, of: wanted..., committed: committed, image: image)
    }

    private func take(
        _ wanted: Int, of sizes: some RangeExpression<Int>, committed: Int, image: MemoryImage?
    ) -> Reservation? {
        let found = takeFree(sizes, image) ?? Reservation(wanted, least: wanted)
        guard var reservation = found ?? reserveLess(wanted, least: committed) else { return nil }
        guard reservation.commit(committed) else {
            reservation.release()
            return nil
        }
        if !reservation.holds(image) { reservation.replaceImage(by: image) }
        return reservation
    }

    /// The smallest that is large enough; one with the image is preferred.
    private func takeFree(
        _ sizes: some RangeExpression<Int>, _ image: MemoryImage?
    ) -> Reservation? {
        let wanted = Reservation.mapped(image)
        return free.withLock { $0.take(sizes, wanted) }
    }

    /// For little address space: frees unused reservations, and reserves less.
    private func reserveLess(_ wanted: Int, least: Int) -> Reservation? {
        forget { _ in true }
        return Reservation(wanted, least: least)
    }

    /// Returns a reservation that is no longer in use to the pool.
    func give(
        _ reservation: Reservation, warm: Int = ReservationPool.warmByteCount, touched: Int = .max
    ) {
        guard free.withLock({ $0.count < capacity }) else { return reservation.release() }
        var reservation = reservation
        reservation.clean(warm: warm, touched: touched)
        // A few more, if threads give at the same time, are harmless.
        free.withLock { $0.put(reservation) }
    }

    /// Zeros for a value stack: exactly this number of bytes, whole pages, which become resident
    /// when they are touched. Nil if the system refuses.
    func takeMapping(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        take(byteCount, of: byteCount...byteCount, committed: byteCount, image: nil)?.base
    }

    /// Returns a mapping of `takeMapping` to the pool. Most guests use little of their stack.
    ///
    /// - Parameter touched: bytes at the start that may have been written to.
    func giveMapping(_ base: UnsafeMutableRawPointer, _ byteCount: Int, touched: Int) {
        give(Reservation(of: base, byteCount: byteCount), warm: 16 << 10, touched: touched)
    }

    /// Frees reservations with an image that is being freed.
    func forget(_ image: ObjectIdentifier) { forget { $0 == image } }

    private func forget(where isForgotten: (ObjectIdentifier?) -> Bool) {
        let forgotten = free.withLock { $0.takeAll(where: isForgotten) }
        for reservation in forgotten { reservation.release() }
    }

    /// The number of kept reservations.
    var count: Int { free.withLock { $0.count } }
}
