/// What the code of an engine's modules does beyond what it must: the same for all of them, and
/// nothing unless the configuration asks for it.
struct CodeOptions: OptionSet {
    let rawValue: UInt8

    /// Observes entry to a function and return.
    static let callProbes = CodeOptions(rawValue: 1)
    /// Counts where a block begins.
    static let blockProbes = CodeOptions(rawValue: 2)
    /// One NaN where there could be several.
    static let canonicalNaNs = CodeOptions(rawValue: 4)
    /// Zeroes all locals, also those that are written before they are read.
    static let zeroedLocals = CodeOptions(rawValue: 8)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ configuration: Engine.Configuration) {
        self = []
        if configuration.observesCalls { insert(.callProbes) }
        if configuration.countsBlocks { insert(.blockProbes) }
        if configuration.canonicalizesNaNs { insert(.canonicalNaNs) }
        if configuration.capturesLocals { insert(.zeroedLocals) }
    }
}
