// Invariants: `base` is the start of `byteCount` bytes of address space that belong to this value,
// which has one owner; the first `committedByteCount` are readable and writable. The first
// `fileByteCount` of them are a private mapping of a file, all else is anonymous. Who owns a
// reservation with an image keeps the image.

import Synchronization
import WasmSystem

/// Address space of a memory, of which a part can be used.
struct Reservation: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    private(set) var committedByteCount = 0
    /// What the bytes are as long as nobody writes to them, if a file of it is mapped; else zeros.
    fileprivate private(set) var image: ObjectIdentifier?
    /// Bytes at the start that are mapped from a file; if there is no image any more, they are
    /// private copies, which hide what the file says.
    private var fileByteCount = 0
    private var isReused = false

    /// Reserves `wanted` bytes, or less down to `least` in a process with little address space
    /// (ulimit -v); nil if that is not there either. Whole pages; `wanted` is not 0.
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

    /// Makes one of a mapping, all of it readable and writable, that was used.
    fileprivate init(of base: UnsafeMutableRawPointer, byteCount: Int) {
        self.base = base
        self.byteCount = byteCount
        committedByteCount = byteCount
        isReused = true
    }

    /// Gives everything back.
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

    /// Makes all committed bytes what the image says and zeros behind it, whatever was there.
    ///
    /// The image must not have more bytes than are committed. Cannot fail: where the system maps
    /// nothing any more, bytes are copied.
    mutating func reset(to wanted: MemoryImage?) {
        let isSame = holds(wanted) && (image != nil || fileByteCount == 0)
        if isSame && SystemMemory.discard(base, committedByteCount) { return }
        let rest = committedByteCount - fileByteCount
        if !SystemMemory.discard(base + fileByteCount, rest) {
            (base + fileByteCount).initializeMemory(as: UInt8.self, repeating: 0, count: rest)
        }
        replaceImage(by: wanted)
    }

    /// The same, if what is not mapped from a file is zeros already.
    mutating func replaceImage(by wanted: MemoryImage?) {
        image = nil
        if fileByteCount > 0, SystemMemory.replaceByZeros(base, fileByteCount) { fileByteCount = 0 }
        // Bytes of a file that the system leaves there would come back if they were discarded.
        base.initializeMemory(as: UInt8.self, repeating: 0, count: fileByteCount)
        guard let wanted, wanted.contentByteCount > 0 else { return }
        if fileByteCount == 0, wanted.map(at: base) {
            (image, fileByteCount) = (ObjectIdentifier(wanted), wanted.contentByteCount)
        } else {
            wanted.copy(to: base)
        }
    }

    /// Whether the image's file is what is mapped; for nil, and images of zeros, whether none is.
    func holds(_ other: MemoryImage?) -> Bool { image == Self.mapped(other) }

    /// What `image` is for a reservation that holds an image.
    fileprivate static func mapped(_ image: MemoryImage?) -> ObjectIdentifier? {
        image.flatMap { $0.contentByteCount > 0 ? ObjectIdentifier($0) : nil }
    }

    /// Makes the bytes what they were before somebody used them.
    ///
    /// - Parameter warm: bytes at the start that stay in memory if the reservation comes back once
    ///   more: writing zeros takes less time than the page faults of the next one who uses them.
    mutating func clean(warm: Int) {
        let mayStay = isReused && fileByteCount == 0
        let warm = mayStay ? min(committedByteCount, SystemMemory.roundedUp(warm) ?? 0) : 0
        base.initializeMemory(as: UInt8.self, repeating: 0, count: warm)
        isReused = true
        let hidesFile = fileByteCount > 0 && image == nil
        if hidesFile || !SystemMemory.discard(base + warm, committedByteCount - warm) {
            reset(to: nil)
        }
    }
}

/// Reservations that were used and will be used again: taking one costs no system call, and its
/// first pages are in memory already. One per engine.
///
/// Cost of taking and giving: that of as many steps as there are sizes and images, which are few:
/// value stacks have one size, memories one for each maximum that modules name.
final class ReservationPool: Sendable {
    /// Bytes of a reservation that stay in memory.
    static let warmByteCount = 128 << 10

    /// Those of one size and image; never empty. No dictionary: its types would cost the start of a
    /// process more than they spare.
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

        /// The smallest of these sizes with the image, else the smallest.
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

        /// Takes out all with images for which `isTaken` holds.
        mutating func takeAll(where isTaken: (ObjectIdentifier?) -> Bool) -> [Reservation] {
            let taken = shelves.filter { isTaken($0.image) }.flatMap(\.free)
            shelves.removeAll { isTaken($0.image) }
            count -= taken.count
            return taken
        }
    }

    private let capacity: Int
    private let free = Mutex(Contents())

    /// - Parameter capacity: how many are kept; see `Engine.Configuration.keptReservations`.
    init(capacity: Int = 32) { self.capacity = capacity }

    deinit {
        for reservation in free.withLock({ $0.takeAll { _ in true } }) { reservation.release() }
    }

    /// A reservation of at least `wanted` bytes with the content of `image`, else zeros, of which
    /// `committed` are usable, down to which it may be smaller in a process with little address
    /// space. Whole pages; nil if the system has no room.
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

    /// The smallest that is large enough, but rather one with the image.
    private func takeFree(
        _ sizes: some RangeExpression<Int>, _ image: MemoryImage?
    ) -> Reservation? {
        let wanted = Reservation.mapped(image)
        return free.withLock { $0.take(sizes, wanted) }
    }

    /// There is little address space: what nobody uses is given up, and what is left must do.
    private func reserveLess(_ wanted: Int, least: Int) -> Reservation? {
        forget { _ in true }
        return Reservation(wanted, least: least)
    }

    /// Takes back a reservation that nobody uses any more.
    func give(_ reservation: Reservation, warm: Int = ReservationPool.warmByteCount) {
        guard free.withLock({ $0.count < capacity }) else { return reservation.release() }
        var reservation = reservation
        reservation.clean(warm: warm)
        // A few more, if threads give at the same time, do no harm.
        free.withLock { $0.put(reservation) }
    }

    /// Zeros for a value stack: exactly so many bytes, whole pages, that take memory where they are
    /// touched. Nil if the system has no room.
    func takeMapping(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        take(byteCount, of: byteCount...byteCount, committed: byteCount, image: nil)?.base
    }

    /// Takes back what `takeMapping` gave. Most guests use little of their stack.
    func giveMapping(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
        give(Reservation(of: base, byteCount: byteCount), warm: 16 << 10)
    }

    /// Gives up reservations that hold an image which goes.
    func forget(_ image: ObjectIdentifier) { forget { $0 == image } }

    private func forget(where isForgotten: (ObjectIdentifier?) -> Bool) {
        let forgotten = free.withLock { $0.takeAll(where: isForgotten) }
        for reservation in forgotten { reservation.release() }
    }

    /// How many are kept now.
    var count: Int { free.withLock { $0.count } }
}
