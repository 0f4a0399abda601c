/// How the printer writes floating-point numbers: the shortest decimal number that is rounded to
/// the same value; NaNs with their payload.
extension TextWriter {
    mutating func float32(bits: UInt32) {
        let value = Float(bitPattern: bits)
        if value.isNaN {
            nan(UInt64(bits), .binary32)
        } else {
            write(string: value.description)
        }
    }

    mutating func float64(bits: UInt64) {
        let value = Double(bitPattern: bits)
        if value.isNaN {
            nan(bits, .binary64)
        } else {
            write(string: value.description)
        }
    }

    /// `nan` is the canonical one: of the fraction only the highest bit is set.
    private mutating func nan(_ bits: UInt64, _ format: FloatFormat) {
        if bits & format.signBit != 0 { byte(0x2d) }
        write("nan")
        let payload = bits & (1 << UInt64(format.fractionBits) - 1)
        if payload != 1 << UInt64(format.fractionBits - 1) {
            byte(0x3a)
            hexadecimal(payload)
        }
    }
}
