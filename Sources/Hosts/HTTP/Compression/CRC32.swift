/// CRC-32 as gzip has it (RFC 1952, section 8), over pieces.
public struct CRC32: Sendable {
    private var state: UInt32 = 0xffff_ffff
    /// Eight tables of 256 entries, so that eight bytes are taken at once.
    private let table: [UInt32]

    public init() { table = CRC32Table.shared }

    public mutating func update(_ bytes: borrowing Span<UInt8>) {
        var crc = state
        var index = 0
        let entries = self.table
        let table = entries.span
        while bytes.count &- index >= 8 {
            let low =
                crc
                ^ (Self.word(bytes[index]) | Self.word(bytes[index &+ 1]) << 8
                    | Self.word(bytes[index &+ 2]) << 16 | Self.word(bytes[index &+ 3]) << 24)
            crc =
                table[1792 &+ Int(low & 0xff)] ^ table[1536 &+ Int(low >> 8 & 0xff)]
                ^ table[1280 &+ Int(low >> 16 & 0xff)] ^ table[1024 &+ Int(low >> 24)]
                ^ table[768 &+ Int(bytes[index &+ 4])] ^ table[512 &+ Int(bytes[index &+ 5])]
                ^ table[256 &+ Int(bytes[index &+ 6])] ^ table[Int(bytes[index &+ 7])]
            index &+= 8
        }
        while index < bytes.count {
            crc = table[Int((crc ^ Self.word(bytes[index])) & 0xff)] ^ crc >> 8
            index &+= 1
        }
        state = crc
    }

    @inline(__always)
    private static func word(_ byte: UInt8) -> UInt32 { UInt32(truncatingIfNeeded: byte) }

    /// The checksum of all bytes so far.
    public var value: UInt32 { ~state }
}

private enum CRC32Table {
    static let shared: [UInt32] = {
        var table = (0..<256).map { (index: UInt32) in
            (0..<8).reduce(index) { value, _ in
                value & 1 == 1 ? 0xedb8_8320 ^ value >> 1 : value >> 1
            }
        }
        for index in 256..<2048 {
            let previous = table[index - 256]
            table.append(table[Int(previous & 0xff)] ^ previous >> 8)
        }
        return table
    }()
}
