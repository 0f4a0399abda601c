import Testing
import WasmInterpreter

@testable import wasmd

@Suite struct ValueTextTests {
    @Test func values() throws {
        let values: [(String, ValueType, Value)] = [
            ("0", .i32, .i32(0)),
            ("-0", .i32, .i32(0)),
            ("+7", .i32, .i32(7)),
            ("-1", .i32, .i32(-1)),
            ("4294967295", .i32, .i32(-1)),
            ("-2147483648", .i32, .i32(.min)),
            ("0xffff_ffff", .i32, .i32(-1)),
            ("-0x80000000", .i32, .i32(.min)),
            ("1_000", .i32, .i32(1000)),
            ("18446744073709551615", .i64, .i64(-1)),
            ("-9223372036854775808", .i64, .i64(.min)),
            ("0X7f", .i64, .i64(127)),
            ("1.5", .f32, .f32(1.5)),
            ("-0", .f32, .f32(-0.0)),
            ("0x1.8p3", .f32, .f32(12)),
            ("1e-45", .f32, .f32(.leastNonzeroMagnitude)),
            ("3.4028235e38", .f32, .f32(.greatestFiniteMagnitude)),
            ("inf", .f32, .f32(.infinity)),
            ("-inf", .f64, .f64(-.infinity)),
            ("nan", .f32, .f32(Float(bitPattern: 0x7fc0_0000))),
            ("-nan", .f64, .f64(Double(bitPattern: 0xfff8_0000_0000_0000))),
            ("nan:0x1", .f32, .f32(Float(bitPattern: 0x7f80_0001))),
            ("nan:0x4", .f64, .f64(Double(bitPattern: 0x7ff0_0000_0000_0004))),
            ("0.1", .f64, .f64(0.1)),
            ("1_0.5", .f64, .f64(10.5)),
            ("0x1p-1074", .f64, .f64(.leastNonzeroMagnitude)),
            ("9", .f64, .f64(9)),
            ("null", .funcref, .function(nil)),
            ("null", .externref, .extern(nil)),
            ("0x10000000000000002", .v128, .v128(low: 2, high: 1)),
        ]
        for (text, type, value) in values {
            let parsed = try ValueText.parse(text, as: type)
            #expect(ValueText.text(of: parsed) == ValueText.text(of: value), "\(text)")
            // What is printed can be read back.
            let printed = ValueText.text(of: value)
            #expect(
                ValueText.text(of: try ValueText.parse(printed, as: type)) == printed, "\(text)")
        }
    }

    @Test(
        arguments: [
            ("", .i32, .malformed), ("-", .i32, .malformed), ("--1", .i32, .malformed),
            ("x", .i32, .malformed), ("0x", .i32, .malformed), ("1.0", .i32, .malformed),
            ("1_", .i32, .malformed), ("_1", .i32, .malformed), ("1__0", .i32, .malformed),
            (" 1", .i32, .malformed), ("0xg", .i64, .malformed),
            ("4294967296", .i32, .outOfRange), ("-2147483649", .i32, .outOfRange),
            ("18446744073709551616", .i64, .outOfRange),
            ("-9223372036854775809", .i64, .outOfRange),
            ("", .f32, .malformed), ("1.5f", .f32, .malformed), ("nan(1)", .f64, .malformed),
            ("1e400", .f64, .outOfRange), ("1e39", .f32, .outOfRange),
            ("nan:0x0", .f32, .outOfRange), ("nan:0x800000", .f32, .outOfRange),
            ("+-1", .f64, .malformed), (" 1", .f64, .malformed), ("0x", .f64, .malformed),
            ("e5", .f64, .malformed), ("infinit", .f64, .malformed),
            ("1", .v128, .malformed), ("0x", .v128, .malformed),
            ("0x100000000000000000000000000000000", .v128, .outOfRange),
            ("0", .funcref, .unsupported), ("null", .ref(.func, nullable: false), .unsupported),
        ] as [(String, ValueType, ValueText.Failure)])
    func refused(text: String, type: ValueType, failure: ValueText.Failure) {
        #expect(throws: failure) { try ValueText.parse(text, as: type) }
    }

    @Test func printing() {
        let cases: [(Value, String)] = [
            (.i32(-5), "-5"), (.i64(.min), "-9223372036854775808"), (.f32(3), "3.0"),
            (.f64(0.1), "0.1"), (.f64(1e300), "1e+300"), (.f32(-.infinity), "-inf"),
            (.f64(.nan), "nan"), (.f32(Float(bitPattern: 0xffc0_0000)), "-nan"),
            (.f32(Float(bitPattern: 0x7f80_0001)), "nan:0x1"),
            (.v128(low: 1, high: 0xf), "0x000000000000000f0000000000000001"),
            (.function(nil), "null"),
        ]
        for (value, text) in cases { #expect(ValueText.text(of: value) == text) }
    }
}
