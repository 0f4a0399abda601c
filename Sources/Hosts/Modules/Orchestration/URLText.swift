import WasmdHTTP

/// Texts for URLs.
enum URLText {
    /// A segment of a path.
    static func segment(_ text: String) -> String {
        String(decoding: PercentCoding.encode(Array(text.utf8)), as: UTF8.self)
    }

    /// A path whose segments are plain texts; slashes separate them.
    static func path(_ text: String) -> String {
        String(decoding: PercentCoding.encode(path: Array(text.utf8)), as: UTF8.self)
    }

    /// A query of names and values.
    static func query(_ pairs: [(name: String, value: String)]) -> String {
        pairs.map { "\(segment($0.name))=\(segment($0.value))" }.joined(separator: "&")
    }
}
