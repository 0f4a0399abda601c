import Testing
import WasmDecoder

/// LEB128 integers (5.2.2).
@Suite struct IntegerTests {
    @Test(arguments: [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
    func unsigned32RoundTrip(value: UInt32) {
        #expect(
            read(Wasm.unsigned(UInt64(value))) { r throws(DecodingError) in
                try r.unsigned32()
            }.value == value)
    }

    @Test(arguments: [0, 0x7f, 0x80, 0xffff_ffff, 0x1_0000_0000, .max, 1 << 63])
    func unsigned64RoundTrip(value: UInt64) {
        #expect(
            read(Wasm.unsigned(value)) { r throws(DecodingError) in
                try r.unsigned64()
            }.value == value)
    }

    @Test(arguments: [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8192, .max, .min])
    func signed32RoundTrip(value: Int32) {
        #expect(
            read(Wasm.signed(Int64(value))) { r throws(DecodingError) in
                try r.signed32()
            }.value == value)
    }

    @Test(arguments: [0, -1, 63, 64, -64, -65, 1 << 32, -(1 << 32), .max, .min])
    func signed64RoundTrip(value: Int64) {
        #expect(
            read(Wasm.signed(value)) { r throws(DecodingError) in
                try r.signed64()
            }.value == value)
    }

    @Test(arguments: [0, -1, 0xffff_ffff, -0x1_0000_0000])
    func signed33RoundTrip(value: Int64) {
        #expect(
            read(Wasm.signed(value)) { r throws(DecodingError) in
                try r.signed33()
            }.value == value)
    }

    @Test func randomValues() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let value = random.next() >> (random.next() % 64)
            let unsigned = read(Wasm.unsigned(value)) { r throws(DecodingError) in
                let value = try r.unsigned64()
                return (value, r.isAtEnd)
            }.value
            #expect(unsigned?.0 == value && unsigned?.1 == true)
            let number = Int64(bitPattern: random.next()) >> Int64(random.next() % 64)
            let signed = read(Wasm.signed(number)) { r throws(DecodingError) in
                let value = try r.signed64()
                return (value, r.isAtEnd)
            }.value
            #expect(signed?.0 == number && signed?.1 == true)
        }
    }

    /// Redundant bytes are allowed as long as there are not more than the width needs.
    @Test func paddedIntegers() {
        #expect(unsigned32([0x80, 0x80, 0x80, 0x80, 0x00]).value == 0)
        #expect(unsigned32([0xff, 0xff, 0xff, 0xff, 0x0f]).value == .max)
        #expect(signed32([0xff, 0xff, 0xff, 0xff, 0x7f]).value == -1)
        #expect(signed32([0x80, 0x80, 0x80, 0x80, 0x78]).value == .min)
        #expect(signed32([0xff, 0xff, 0xff, 0xff, 0x07]).value == .max)
        let nine: [UInt8] = Array(repeating: 0x80, count: 9)
        #expect(unsigned64(nine + [0x01]).value == 1 << 63)
        #expect(signed64(nine + [0x7f]).value == .min)
        #expect(signed64(nine + [0x00]).value == 0)
    }

    @Test func unusedBits() {
        for byte: UInt8 in [0x10, 0x1f, 0x40, 0x70, 0x7f] {
            let result = unsigned32([0x82, 0x80, 0x80, 0x80, byte])
            #expect(result.reason == .integerTooLarge)
            #expect(result.offset == 4)
        }
        // The sign of an s32 is bit 3 of the fifth byte, what stands above must repeat it.
        for byte: UInt8 in [0x08, 0x10, 0x40, 0x0f, 0x70, 0x77] {
            #expect(signed32([0x80, 0x80, 0x80, 0x80, byte]).reason == .integerTooLarge)
        }
        let nine: [UInt8] = Array(repeating: 0x80, count: 9)
        for byte: UInt8 in [0x02, 0x40, 0x7e] {
            #expect(unsigned64(nine + [byte]).reason == .integerTooLarge)
        }
        for byte: UInt8 in [0x01, 0x7e, 0x40] {
            #expect(signed64(nine + [byte]).reason == .integerTooLarge)
        }
        for byte: UInt8 in [0x10, 0x20, 0x60] {
            #expect(signed33([0x80, 0x80, 0x80, 0x80, byte]).reason == .integerTooLarge)
        }
    }

    @Test func tooManyBytes() {
        let result = unsigned32([0x80, 0x80, 0x80, 0x80, 0x80, 0x00])
        #expect(result.reason == .integerRepresentationTooLong)
        #expect(result.offset == 4)
        #expect(
            signed32([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).reason
                == .integerRepresentationTooLong)
        let ten: [UInt8] = Array(repeating: 0x80, count: 10)
        #expect(unsigned64(ten + [0]).reason == .integerRepresentationTooLong)
        #expect(signed64(ten + [0]).reason == .integerRepresentationTooLong)
    }

    @Test func endInTheMiddle() {
        #expect(unsigned32([]).reason == .unexpectedEnd)
        #expect(unsigned32([0x80]).reason == .unexpectedEnd)
        #expect(signed64([0x80, 0x80]).reason == .unexpectedEnd)
        #expect(signed64([0x80, 0x80]).offset == 2)
    }

    /// An integer may not reach out of the range, but what is wrong with it is said first.
    @Test func endOfRangeInTheMiddle() {
        let bytes = ModuleBytes([0x82, 0x80, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00])
        let ok = BinaryReader(bytes, range: ByteRange(start: 0, end: 2), features: .all)
        let long = BinaryReader(bytes, range: ByteRange(start: 3, end: 5), features: .all)
        #expect(throws: DecodingError(.unexpectedEnd, at: 2)) {
            var reader = ok
            _ = try reader.unsigned32()
        }
        #expect(throws: DecodingError(.integerRepresentationTooLong, at: 7)) {
            var reader = long
            _ = try reader.unsigned32()
        }
        withExtendedLifetime(bytes) {}
    }

    private func unsigned32(_ bytes: [UInt8]) -> Result<UInt32, DecodingError> {
        read(bytes) { r throws(DecodingError) in try r.unsigned32() }
    }
    private func signed32(_ bytes: [UInt8]) -> Result<Int32, DecodingError> {
        read(bytes) { r throws(DecodingError) in try r.signed32() }
    }
    private func unsigned64(_ bytes: [UInt8]) -> Result<UInt64, DecodingError> {
        read(bytes) { r throws(DecodingError) in try r.unsigned64() }
    }
    private func signed64(_ bytes: [UInt8]) -> Result<Int64, DecodingError> {
        read(bytes) { r throws(DecodingError) in try r.signed64() }
    }
    private func signed33(_ bytes: [UInt8]) -> Result<Int64, DecodingError> {
        read(bytes) { r throws(DecodingError) in try r.signed33() }
    }
}
