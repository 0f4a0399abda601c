/// The parts of WebAssembly that a module may use; everything else is refused when it is decoded.
public struct Features: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let mutableGlobals = Features(rawValue: 1 << 0)
    public static let signExtension = Features(rawValue: 1 << 1)
    public static let saturatingConversions = Features(rawValue: 1 << 2)
    public static let multiValue = Features(rawValue: 1 << 3)
    public static let bulkMemory = Features(rawValue: 1 << 4)
    public static let referenceTypes = Features(rawValue: 1 << 5)
    public static let simd = Features(rawValue: 1 << 6)
    public static let relaxedSIMD = Features(rawValue: 1 << 7)
    public static let tailCalls = Features(rawValue: 1 << 8)
    public static let extendedConstants = Features(rawValue: 1 << 9)
    public static let multiMemory = Features(rawValue: 1 << 10)
    public static let memory64 = Features(rawValue: 1 << 11)
    public static let exceptions = Features(rawValue: 1 << 12)
    public static let functionReferences = Features(rawValue: 1 << 13)
    public static let garbageCollection = Features(rawValue: 1 << 14)
    public static let threads = Features(rawValue: 1 << 15)
    public static let customPageSizes = Features(rawValue: 1 << 16)
    public static let wideArithmetic = Features(rawValue: 1 << 17)

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
    /// Everything wasmd knows.
    public static let all: Features = [.wasm3, .threads, .customPageSizes, .wideArithmetic]
    /// What is on unless somebody says otherwise: 3.0 and threads.
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
    ]

    /// The names of the features in this set, in the order of `named`.
    public var names: [String] { Self.named.filter { contains($0.feature) }.map(\.name) }
}
