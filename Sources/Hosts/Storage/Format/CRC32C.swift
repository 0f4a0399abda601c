// Invariants: the tables have 2,048 entries, are made once and never freed; an index into them is
// a byte plus a multiple of 256 below 2,048. Bytes are read below the buffer's count.

/// The checksum CRC-32C (Castagnoli): RFC 3720, appendix B.4.
enum CRC32C {
    /// Eight tables of 256 entries, so that eight bytes are taken at once.
    nonisolated(unsafe) private static let tables: UnsafePointer<UInt32> = {
        let tables = UnsafeMutablePointer<UInt32>.allocate(capacity: 2048)
        for index in 0..<256 {
            var value = UInt32(truncatingIfNeeded: index)
            for _ in 0..<8 { value = value & 1 == 1 ? 0x82f6_3b78 ^ value >> 1 : value >> 1 }
            unsafe tables[index] = value
        }
        for index in 256..<2048 {
            let previous = unsafe tables[index - 256]
            unsafe tables[index] = unsafe tables[Int(previous & 0xff)] ^ previous >> 8
        }
        return unsafe UnsafePointer(tables)
    }()

    /// The checksum of bytes that follow those with the checksum `previous`; 0 for none before.
    static func checksum(_ bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0) -> UInt32 {
        guard var next = bytes.baseAddress else { return previous }
        let table = unsafe tables
        var crc = ~previous
        var left = bytes.count
        while left >= 8 {
            let word = unsafe UInt64(littleEndian: next.loadUnaligned(as: UInt64.self))
            let low = crc ^ UInt32(truncatingIfNeeded: word)
            let high = UInt32(truncatingIfNeeded: word >> 32)
            crc = unsafe table[1792 &+ Int(low & 0xff)] ^ table[1536 &+ Int(low >> 8 & 0xff)]
            crc ^= unsafe table[1280 &+ Int(low >> 16 & 0xff)] ^ table[1024 &+ Int(low >> 24)]
            crc ^= unsafe table[768 &+ Int(high & 0xff)] ^ table[512 &+ Int(high >> 8 & 0xff)]
            crc ^= unsafe table[256 &+ Int(high >> 16 & 0xff)] ^ table[Int(high >> 24)]
            unsafe next += 8
            left &-= 8
        }
        while left > 0 {
            let byte = unsafe UInt32(truncatingIfNeeded: next.load(as: UInt8.self))
            crc = unsafe table[Int((crc ^ byte) & 0xff)] ^ crc >> 8
            unsafe next += 1
            left &-= 1
        }
        return ~crc
    }

    static func checksum(_ bytes: [UInt8], after previous: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe checksum($0, after: previous) }
    }
}
