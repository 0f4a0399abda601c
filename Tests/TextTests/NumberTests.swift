import Testing

@testable import WasmText

@Suite struct NumberTests {
    func float(_ text: String, _ format: FloatFormat) throws(TextError) -> UInt64 {
        let bytes = Array(text.utf8)
        let result: Result<UInt64, TextError> = bytes.withUnsafeBufferPointer { buffer in
            do throws(TextError) {
                return .success(try FloatReader(bytes: buffer).bits(0..<buffer.count, format))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    func integer(_ text: String, _ width: Int) throws(TextError) -> UInt64 {
        let bytes = Array(text.utf8)
        let result: Result<UInt64, TextError> = bytes.withUnsafeBufferPointer { buffer in
            do throws(TextError) {
                return .success(
                    try IntegerReader(bytes: buffer).integer(0..<buffer.count, width: width))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    func reason(_ body: () throws(TextError) -> UInt64) -> TextError.Reason? {
        do throws(TextError) { _ = try body() } catch { return error.reason }
        return nil
    }

    @Test(arguments: [
        "0", "1", "0.1", "1e22", "1e23", "123456789.125", "4.9e-324", "2.4703282292062328e-324",
        "2.2250738585072011e-308", "2.2250738585072014e-308", "1.7976931348623157e308", "5e-324",
        "9007199254740993", "9007199254740992.9999", "1e-400", "3.4028234663852886e38", "16777217",
        "1.00000017881393432617187499", "1.00000017881393432617187500", "1.401298464324817e-45",
        "0x1p-1074", "0x1.fffffffffffffp1023", "0x1.00000000000008p0", "0x1.00000000000018p0",
        "0x1.000001p0", "0x1.000003p0", "0x0.0000000000001p-1022", "0x1p-149", "6.02214076e23",
    ])
    func floatsAgreeWithTheStandardLibrary(text: String) throws {
        let double = try #require(Double(text))
        #expect(try float(text, .binary64) == double.bitPattern)
        #expect(try float("-" + text, .binary64) == (-double).bitPattern)
        let single = try #require(Float(text))
        if single.isFinite {
            #expect(try float(text, .binary32) == UInt64(single.bitPattern))
        } else {
            #expect(
                reason { () throws(TextError) in try float(text, .binary32) } == .constantOutOfRange
            )
        }
    }

    @Test func randomFloatsComeBack() throws {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        for _ in 0..<2_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let double = Double(bitPattern: state)
            if double.isFinite { #expect(try float("\(double)", .binary64) == state) }
            let single = Float(bitPattern: UInt32(truncatingIfNeeded: state >> 32))
            if single.isFinite {
                #expect(try float("\(single)", .binary32) == UInt64(single.bitPattern))
            }
        }
    }

    @Test func digitsFarBehindDecideTies() throws {
        let tie = "9007199254740993." + String(repeating: "0", count: 5_000)
        #expect(try float(tie, .binary64) == 9_007_199_254_740_992.0.bitPattern)
        #expect(try float(tie + "1", .binary64) == 9_007_199_254_740_994.0.bitPattern)
        let hex = "0x1.00000000000008" + String(repeating: "0", count: 5_000)
        #expect(try float(hex, .binary64) == 1.0.bitPattern)
        #expect(try float(hex + "1", .binary64) == 1.0.nextUp.bitPattern)
    }

    @Test func specialFloats() throws {
        #expect(try float("inf", .binary32) == 0x7f80_0000)
        #expect(try float("-nan", .binary32) == 0xffc0_0000)
        #expect(try float("nan:0x1", .binary64) == 0x7ff0_0000_0000_0001)
        #expect(try float("1_0.2_5e+0_1", .binary64) == 102.5.bitPattern)
    }

    @Test(arguments: [
        "", "+", "1.e", "_1", "1_", "1__0", "1._0", "1_.0", "0x", "0x1p", "nan:1", "1e+", ".5",
        "0x.1",
    ])
    func malformedFloats(text: String) {
        #expect(reason { () throws(TextError) in try float(text, .binary64) } == .malformedFloat)
    }

    @Test(arguments: [
        "nan:0x0", "nan:0x800000", "1e39", "0x1p128", "340282356779733661637539395458142568448",
    ])
    func floatsOutOfRange(text: String) {
        #expect(
            reason { () throws(TextError) in try float(text, .binary32) } == .constantOutOfRange)
    }

    @Test func integers() throws {
        #expect(try integer("-2147483648", 32) == 0x8000_0000)
        #expect(try integer("0xffff_ffff", 32) == 0xffff_ffff)
        #expect(try integer("-1", 64) == .max)
        #expect(try integer("+18446744073709551615", 64) == .max)
        for text in ["4294967296", "-2147483649", "99999999999999999999"] {
            #expect(reason { () throws(TextError) in try integer(text, 32) } == .constantOutOfRange)
        }
        for text in ["", "-", "1_", "_1", "1__1", "0x", "0xg", "1a", "0x_1"] {
            #expect(reason { () throws(TextError) in try integer(text, 32) } == .malformedInteger)
        }
    }
}
