import Testing
import WasmSystem

@testable import WasmInterpreter

/// Address space that is used again: nobody sees what others left in it.
@Suite struct ReservationTests {
    static let pageSize = SystemMemory.pageSize

    /// An image of three pages with `value` at the start of the first and the last.
    static func image(
        _ value: UInt8, _ pool: ReservationPool, usesFile: Bool = true
    ) throws -> MemoryImage {
        let page = [value] + [UInt8](repeating: 0, count: pageSize - 1)
        return try page.withUnsafeBytes { bytes in
            try MemoryImage(
                byteCount: 3 * pageSize, runs: [0..<pageSize, (2 * pageSize)..<(3 * pageSize)],
                pool: pool, bytes: [bytes, bytes], usesFile: usesFile)
        }
    }

    static func bytes(_ reservation: Reservation) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: reservation.base, count: reservation.committedByteCount)
    }

    /// The first bytes of the first four pages.
    static func starts(_ reservation: Reservation) -> [UInt8] {
        (0..<4).map { bytes(reservation)[$0 * pageSize] }
    }

    @Test func zerosForTheNext() throws {
        let pool = ReservationPool()
        for round in 0..<5 {
            // Larger than what stays in memory.
            var reservation = try #require(
                pool.take(4 << 20, committed: round == 3 ? 1 << 20 : 1 << 19))
            #expect(Self.bytes(reservation).allSatisfy { $0 == 0 })
            let isCommitted = reservation.commit(2 << 20)
            #expect(isCommitted)
            #expect(Self.bytes(reservation).allSatisfy { $0 == 0 })
            Self.bytes(reservation).initializeMemory(as: UInt8.self, repeating: 0xff)
            pool.give(reservation)
        }
    }

    @Test func sameAddressSpace() throws {
        let pool = ReservationPool()
        let first = try #require(pool.take(1 << 20, committed: 0))
        let second = try #require(pool.take(4 << 20, committed: 0))
        #expect(!second.commits(8 << 20))
        pool.give(second)
        pool.give(first)
        // The smallest that is large enough.
        let third = try #require(pool.take(1 << 20, committed: 0))
        #expect(third.base == first.base)
        let fourth = try #require(pool.take(1 << 20, committed: 0))
        #expect(fourth.base == second.base)
        pool.give(third)
        pool.give(fourth)
    }

    @Test(arguments: [-1, 0, 1, 5, 100]) func keepsAsManyAsItMay(capacity: Int) throws {
        let pool = ReservationPool(capacity: capacity)
        let sizes = [1, 3, 2, 1, 1, 4, 2, 1, 3].map { $0 << 20 }
        let taken = try sizes.map { try #require(pool.take($0, committed: Self.pageSize)) }
        for reservation in taken { pool.give(reservation) }
        #expect(pool.count == min(max(capacity, 0), sizes.count))
        // Each once, the smallest that is large enough.
        var again: [Reservation] = []
        for _ in 0..<pool.count {
            again.append(try #require(pool.take(1 << 20, committed: Self.pageSize)))
        }
        #expect(pool.count == 0)
        #expect(again.map(\.byteCount) == again.map(\.byteCount).sorted())
        #expect(Set(again.map(\.base)).count == again.count)
        #expect(Set(again.map(\.base)).isSubset(of: taken.map(\.base)))
        for reservation in again { pool.give(reservation) }
    }

    @Test func enginesSayHowManyAreKept() throws {
        for count in [0, 3] {
            var configuration = Engine.Configuration()
            configuration.keptReservations = count
            let engine = Engine(configuration)
            do {
                let stores = (0..<5).map { _ in Store(engine: engine) }
                for store in stores {
                    _ = try Memory(
                        store: store, type: MemoryType(limits: Limits(minimum: 1, maximum: 1)))
                }
            }
            #expect(engine.reservations.count == count)
        }
    }

    /// One with the image is better than a smaller one.
    @Test func imagesAreFound() throws {
        let pool = ReservationPool()
        let image = try Self.image(1, pool)
        let size = 8 * Self.pageSize
        let large = try #require(pool.take(2 * size, committed: size, image: image))
        let small = try #require(pool.take(size, committed: size))
        pool.give(large)
        pool.give(small)
        let found = try #require(pool.take(size, committed: size, image: image))
        #expect(found.base == large.base)
        let other = try #require(pool.take(size, committed: size))
        #expect(other.base == small.base)
        pool.give(found)
        pool.give(other)
    }

    /// Memories of images, and without, by turns in the same address space.
    @Test(arguments: [true, false]) func images(usesFile: Bool) throws {
        let pool = ReservationPool()
        let size = 8 * Self.pageSize
        let one = try Self.image(1, pool, usesFile: usesFile)
        let two = try Self.image(2, pool, usesFile: usesFile)
        var base: UnsafeMutableRawPointer?
        for image in [one, one, nil, two, one, nil, nil, two, two] {
            let value: UInt8 = image === one ? 1 : image === two ? 2 : 0
            var reservation = try #require(pool.take(size, committed: size, image: image))
            #expect(base == nil || base == reservation.base)
            base = reservation.base
            #expect(Self.starts(reservation) == [value, 0, value, 0])
            for next in [one, two, nil, one, one] {
                Self.bytes(reservation).initializeMemory(as: UInt8.self, repeating: 0xff)
                reservation.reset(to: next)
                let value: UInt8 = next === one ? 1 : next === two ? 2 : 0
                #expect(Self.starts(reservation) == [value, 0, value, 0])
                let total = Self.bytes(reservation).reduce(0) { $0 + Int($1) }
                #expect(total == 2 * Int(value))
            }
            Self.bytes(reservation).initializeMemory(as: UInt8.self, repeating: 0xff)
            pool.give(reservation)
        }
    }

    @Test func imagesThatGoAreForgotten() throws {
        let pool = ReservationPool()
        let size = 8 * Self.pageSize
        for value: UInt8 in 1...40 {
            let image = try Self.image(value, pool)
            let reservation = try #require(pool.take(size, committed: size, image: image))
            #expect(Self.starts(reservation) == [value, 0, value, 0])
            pool.give(reservation)
        }
    }

    @Test func whatMemoriesHold() throws {
        let pool = ReservationPool()
        let type = MemoryType(limits: Limits(minimum: 2, maximum: 4))
        let memory = try MemoryStorage(type, limit: 1 << 32, pool: pool)
        let bytes = memory.record.pointee.base
        bytes.storeBytes(of: 1, toByteOffset: 4095, as: UInt8.self)
        bytes.storeBytes(of: 2, toByteOffset: 65_536, as: UInt8.self)
        bytes.storeBytes(of: 3, toByteOffset: 131_071, as: UInt8.self)
        let image = try memory.makeImage(pool: pool)
        #expect(image.byteCount == 131_072)
        #expect(image.runs == [0..<4096, 65_536..<69_632, 126_976..<131_072])
        #expect(image.bytes(of: 65_536..<69_632)[0] == 2)
        // The image does not change with the memory.
        bytes.storeBytes(of: 9, toByteOffset: 65_536, as: UInt8.self)
        #expect(image.bytes(of: 65_536..<69_632)[0] == 2)
    }
}

extension Reservation {
    /// Whether so much can be committed; for tests that do not keep it.
    fileprivate func commits(_ byteCount: Int) -> Bool {
        var copy = self
        return copy.commit(byteCount)
    }
}
