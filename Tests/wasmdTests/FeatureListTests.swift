import Testing
import WasmDecoder

@testable import wasmd

@Suite struct FeatureListTests {
    @Test func listsAreReadFromLeftToRight() throws {
        let cases: [(String, Features)] = [
            ("", .default),
            ("default", .default),
            ("all", [.all, .legacyExceptions]),
            ("wasm2", .wasm2),
            ("+custom-page-sizes", Features.default.union(.customPageSizes)),
            ("custom-page-sizes", Features.default.union(.customPageSizes)),
            ("-threads", Features.default.subtracting(.threads)),
            ("wasm1,+simd,-simd", .wasm1),
            ("wasm1,tail-calls", Features.wasm1.union(.tailCalls)),
            ("simd,wasm1", .wasm1),
            ("all,-all", []),
        ]
        for (text, features) in cases {
            #expect(try FeatureList.parse(text, for: .run) == features, "\(text)")
        }
    }

    @Test func everyFeatureCanBeNamed() throws {
        for (name, feature) in Features.named {
            #expect(try FeatureList.parse("wasm1,+\(name)", for: .run).contains(feature))
        }
    }

    @Test func allIsEverythingThatHasAName() throws {
        let all = try FeatureList.parse("all", for: .validate)
        for (name, feature) in Features.named { #expect(all.contains(feature), "\(name)") }
    }

    @Test func unknownNamesAreRefused() {
        let expected = UsageError.unknownFeature("smid", suggestion: "simd", .validate)
        #expect(throws: expected) { try FeatureList.parse("wasm2,+smid", for: .validate) }
    }
}
