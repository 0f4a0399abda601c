/// Media types of files by the ending of their names.
public enum ContentTypes {
    /// The type for `Content-Type`; `application/octet-stream` for endings that are not known.
    /// Texts are UTF-8.
    public static func type(ofFile name: some BidirectionalCollection<UInt8>) -> StaticString {
        guard let dot = name.lastIndex(of: ASCII.dot) else { return unknown }
        let ending = name[name.index(after: dot)...].map(\.lowercase)
        return table.first { ending.equals($0.ending) }?.type ?? unknown
    }

    private static var unknown: StaticString { "application/octet-stream" }

    /// Whether gzip makes a type smaller: images, archives and modules in archives are left alone.
    public static func isCompressible(_ type: StaticString) -> Bool {
        let bytes = [UInt8](type)
        if bytes.starts(with: "text/".utf8) { return true }
        let types: [StaticString] = [
            "application/json", "application/manifest+json", "application/wasm",
            "application/xml", "image/svg+xml", "application/xhtml+xml",
        ]
        return types.contains { bytes.equals($0) }
    }

    private static let table: [(ending: StaticString, type: StaticString)] = [
        ("html", "text/html; charset=utf-8"), ("htm", "text/html; charset=utf-8"),
        ("css", "text/css; charset=utf-8"), ("js", "text/javascript; charset=utf-8"),
        ("mjs", "text/javascript; charset=utf-8"), ("txt", "text/plain; charset=utf-8"),
        ("md", "text/markdown; charset=utf-8"), ("csv", "text/csv; charset=utf-8"),
        ("wat", "text/plain; charset=utf-8"), ("wast", "text/plain; charset=utf-8"),
        ("log", "text/plain; charset=utf-8"), ("toml", "text/plain; charset=utf-8"),
        ("yaml", "text/plain; charset=utf-8"), ("yml", "text/plain; charset=utf-8"),
        ("json", "application/json"), ("map", "application/json"),
        ("webmanifest", "application/manifest+json"), ("xml", "application/xml"),
        ("xhtml", "application/xhtml+xml"), ("wasm", "application/wasm"),
        ("pdf", "application/pdf"), ("zip", "application/zip"), ("gz", "application/gzip"),
        ("tar", "application/x-tar"), ("bin", "application/octet-stream"),
        ("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg"),
        ("gif", "image/gif"), ("webp", "image/webp"), ("avif", "image/avif"),
        ("svg", "image/svg+xml"), ("ico", "image/x-icon"), ("bmp", "image/bmp"),
        ("mp3", "audio/mpeg"), ("ogg", "audio/ogg"), ("wav", "audio/wav"),
        ("mp4", "video/mp4"), ("webm", "video/webm"),
        ("woff", "font/woff"), ("woff2", "font/woff2"), ("ttf", "font/ttf"), ("otf", "font/otf"),
    ]
}
