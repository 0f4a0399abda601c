/// Additions to the code of all modules of an engine, according to its configuration.
struct CodeOptions: OptionSet {
    let rawValue: UInt8

    /// Observes calls of functions and their returns.
    static let callProbes = CodeOptions(rawValue: 1)
    /// Counts at the beginning of blocks.
    static let blockProbes = CodeOptions(rawValue: 2)
    /// Replaces NaNs by the canonical one where several are possible.
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
