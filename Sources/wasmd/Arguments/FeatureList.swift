import WasmDecoder
import WasmText

/// The value of `--features`: a base, and single features that are added or removed.
enum FeatureList {
    /// Sets of features that have a name of their own.
    static let bases: [(name: String, features: Features)] = [
        ("default", .default), ("all", [.all, .legacyExceptions]), ("wasm1", .wasm1),
        ("wasm2", .wasm2), ("wasm3", .wasm3),
    ]

    /// Every word that may be in a list, without its sign.
    static var words: [String] { bases.map(\.name) + Features.named.map(\.name) }

    /// Reads `wasm2,+tail-calls,-simd`: from left to right; a base replaces what came before it.
    static func parse(
        _ text: String, for verb: Command.Verb
    ) throws(UsageError) -> Features {
        var features = Features.default
        for item in text.split(separator: ",", omittingEmptySubsequences: true) {
            let sign = item.first
            let isRemoved = sign == "-"
            let name = String(sign == "+" || isRemoved ? item.dropFirst() : item)
            if let base = bases.first(where: { $0.name == name }) {
                if isRemoved {
                    features.subtract(base.features)
                } else if sign == "+" {
                    features.formUnion(base.features)
                } else {
                    features = base.features
                }
            } else if let single = Features.named.first(where: { $0.name == name }) {
                if isRemoved {
                    features.subtract(single.feature)
                } else {
                    features.formUnion(single.feature)
                }
            } else {
                throw .unknownFeature(
                    name, suggestion: Suggestion.best(for: name, in: words), verb)
            }
        }
        return features
    }
}
