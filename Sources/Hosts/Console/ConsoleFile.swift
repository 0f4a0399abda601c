// Soundness: reads the bytes of literals, which live as long as the process.

/// A file of the console's page.
struct ConsoleFile: Sendable {
    let name: StaticString
    let mediaType: StaticString
    /// The beginning of its SHA-256, for conditional requests.
    let tag: StaticString
    let content: StaticString

    init(
        _ name: StaticString, _ mediaType: StaticString, tag: StaticString, _ content: StaticString
    ) {
        self.name = name
        self.mediaType = mediaType
        self.tag = tag
        self.content = content
    }

    var bytes: [UInt8] { content.withUTF8Buffer { unsafe Array($0) } }
}
