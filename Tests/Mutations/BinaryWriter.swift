import WasmDecoder

/// Writes the binary format.
struct BinaryWriter {
    var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func unsigned(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func unsigned(_ value: Int) { unsigned(UInt64(truncatingIfNeeded: value)) }

    mutating func signed(_ value: Int64) {
        var rest = value
        while rest < -64 || rest > 63 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest) & 0x7f)
    }

    /// The opcode with its prefix, if it has one.
    mutating func opcode(_ opcode: Opcode) {
        let raw = UInt64(opcode.rawValue)
        switch raw {
        case 0..<0x100: byte(UInt8(truncatingIfNeeded: raw))
        case 0x100..<0x200: prefixed(0xfb, raw - 0x100)
        case 0x200..<0x300: prefixed(0xfc, raw - 0x200)
        case 0x300..<0x400: prefixed(0xfe, raw - 0x300)
        default: prefixed(0xfd, raw - 0x400)
        }
    }

    private mutating func prefixed(_ prefix: UInt8, _ number: UInt64) {
        byte(prefix)
        unsigned(number)
    }

    mutating func opcode(_ opcode: Opcode, _ index: Int) {
        self.opcode(opcode)
        unsigned(index)
    }

    mutating func i32(_ value: Int32) {
        opcode(.i32Const)
        signed(Int64(value))
    }

    mutating func i64(_ value: Int64) {
        opcode(.i64Const)
        signed(value)
    }

    mutating func f32(bits: UInt32) {
        opcode(.f32Const)
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            byte(UInt8(truncatingIfNeeded: bits >> shift))
        }
    }

    mutating func f64(bits: UInt64) {
        opcode(.f64Const)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            byte(UInt8(truncatingIfNeeded: bits >> shift))
        }
    }

    mutating func name(_ text: String) {
        unsigned(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// A count and the items.
    mutating func vector(_ items: [[UInt8]]) {
        unsigned(items.count)
        for item in items { bytes.append(contentsOf: item) }
    }

    /// The size and then the bytes.
    mutating func sized(_ content: [UInt8]) {
        unsigned(content.count)
        bytes.append(contentsOf: content)
    }

    /// A section, unless it has no items.
    mutating func section(_ id: UInt8, items: [[UInt8]]) {
        guard !items.isEmpty else { return }
        var content = BinaryWriter()
        content.vector(items)
        section(id, content: content.bytes)
    }

    mutating func section(_ id: UInt8, content: [UInt8]) {
        byte(id)
        sized(content)
    }

    static let header: [UInt8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

    /// The bytes that `build` writes.
    static func build(_ build: (inout BinaryWriter) -> Void) -> [UInt8] {
        var writer = BinaryWriter()
        build(&writer)
        return writer.bytes
    }
}

/// Reads an unsigned LEB128 number from the start of `bytes` at `offset`, which moves behind it.
/// Nil at the end of the bytes or after ten of them.
func readUnsigned(_ bytes: [UInt8], _ offset: inout Int) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < bytes.count, shift < 70 {
        let byte = bytes[offset]
        offset += 1
        if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
        if byte & 0x80 == 0 { return value }
        shift += 7
    }
    return nil
}
