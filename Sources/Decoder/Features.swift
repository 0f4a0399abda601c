// The constants are computed: other modules then see numbers, not lazy globals.

/// The parts of WebAssembly that a module may use; everything else is refused when it is decoded.
public struct Features: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable public static var mutableGlobals: Features { .init(rawValue: 1 << 0) }
    @inlinable public static var signExtension: Features { .init(rawValue: 1 << 1) }
    @inlinable public static var saturatingConversions: Features { .init(rawValue: 1 << 2) }
    @inlinable public static var multiValue: Features { .init(rawValue: 1 << 3) }
    @inlinable public static var bulkMemory: Features { .init(rawValue: 1 << 4) }
    @inlinable public static var referenceTypes: Features { .init(rawValue: 1 << 5) }
    @inlinable public static var simd: Features { .init(rawValue: 1 << 6) }
    @inlinable public static var relaxedSIMD: Features { .init(rawValue: 1 << 7) }
    @inlinable public static var tailCalls: Features { .init(rawValue: 1 << 8) }
    @inlinable public static var extendedConstants: Features { .init(rawValue: 1 << 9) }
    @inlinable public static var multiMemory: Features { .init(rawValue: 1 << 10) }
    @inlinable public static var memory64: Features { .init(rawValue: 1 << 11) }
    @inlinable public static var exceptions: Features { .init(rawValue: 1 << 12) }
    @inlinable public static var functionReferences: Features { .init(rawValue: 1 << 13) }
    @inlinable public static var garbageCollection: Features { .init(rawValue: 1 << 14) }
    @inlinable public static var threads: Features { .init(rawValue: 1 << 15) }
    @inlinable public static var customPageSizes: Features { .init(rawValue: 1 << 16) }
    @inlinable public static var wideArithmetic: Features { .init(rawValue: 1 << 17) }
    /// The exception instructions before 3.0: `try`, `catch`, `catch_all`, `delegate`, `rethrow`.
    @inlinable public static var legacyExceptions: Features { .init(rawValue: 1 << 18) }

    /// WebAssembly 1.0 with mutable globals.
    public static let wasm1: Features = [.mutableGlobals]
    /// WebAssembly 2.0.
    public static let wasm2: Features = [
        .wasm1, .signExtension, .saturatingConversions, .multiValue, .bulkMemory,
        .referenceTypes, .simd,
    ]
    /// WebAssembly 3.0.
    public static let wasm3: Features = [
        .wasm2, .relaxedSIMD, .tailCalls, .extendedConstants, .multiMemory, .memory64,
        .exceptions, .functionReferences, .garbageCollection,
    ]
    /// Everything wasmd can run, but for the exception instructions that 3.0 has replaced.
    public static let all: Features = [.wasm3, .threads, .customPageSizes, .wideArithmetic]
    /// What is on by default: 3.0 and threads.
    public static let `default`: Features = [.wasm3, .threads]

    /// Every single feature with the name that flags and messages use.
    public static let named: [(name: String, feature: Features)] = [
        ("mutable-globals", .mutableGlobals), ("sign-extension", .signExtension),
        ("saturating-conversions", .saturatingConversions), ("multi-value", .multiValue),
        ("bulk-memory", .bulkMemory), ("reference-types", .referenceTypes), ("simd", .simd),
        ("relaxed-simd", .relaxedSIMD), ("tail-calls", .tailCalls),
        ("extended-constants", .extendedConstants), ("multi-memory", .multiMemory),
        ("memory64", .memory64), ("exceptions", .exceptions),
        ("function-references", .functionReferences), ("gc", .garbageCollection),
        ("threads", .threads), ("custom-page-sizes", .customPageSizes),
        ("wide-arithmetic", .wideArithmetic),
        ("legacy-exceptions", .legacyExceptions),
    ]

    /// The names of the features in this set, in the order of `named`.
    public var names: [String] { Self.named.filter { contains($0.feature) }.map(\.name) }
}
