// Soundness: paths are arrays that end with a NUL and outlive the call; arrays are lent to reads as a
// whole.

import WasmSystem
import WasmdDigests
import WasmdHTTP

/// The files of a web page that takes the place of the built-in one: such as that of the original.
///
/// All files are read when the value is made, since the process may restrict itself afterwards.
public struct WebFolder: Sendable {
    struct File: Sendable {
        let bytes: [UInt8]
        let mediaType: String
        let tag: EntityTag?
    }

    /// By their paths, without a slash at the start.
    private var files: [[UInt8]: File] = [:]
    private var byteCount = 0

    public static let fileLimit = 10_000
    public static let byteLimit = 256 << 20
    private static let depthLimit = 16

    /// Why a folder cannot be used.
    public enum Fault: Error, Sendable, CustomStringConvertible {
        case system(SystemError)
        case tooLarge
        case noIndex

        public var description: String {
            switch self {
            case .system(let error): error.text
            case .tooLarge:
                "has more than \(WebFolder.fileLimit) files or \(WebFolder.byteLimit) bytes"
            case .noIndex: "has no index.html"
            }
        }
    }

    /// Reads a folder; hidden files are left out. The original keeps `utils.js` beside the folder of
    /// its page: it is taken from there if the folder has none.
    public init(_ path: [UInt8]) throws(Fault) {
        let slash = [UInt8(ascii: "/")]
        do {
            try read(path + slash, [], depth: 0)
            let utilities = Array("utils.js".utf8)
            if files[utilities] == nil {
                try? readFile(path + Array("/../utils.js".utf8), as: utilities)
            }
        } catch let error as SystemError {
            throw .system(error)
        } catch {
            throw .tooLarge
        }
        guard files[Array("index.html".utf8)] != nil else { throw .noIndex }
    }

    private mutating func read(_ root: [UInt8], _ path: [UInt8], depth: Int) throws {
        guard depth < Self.depthLimit else { throw Fault.tooLarge }
        for name in try unsafe Kernel.names(inFolder: CString(path: root + path))
        where name.first != UInt8(ascii: ".") {
            let whole = path + name
            let status = try unsafe Kernel.status(CString(path: root + whole), followsLink: true)
            if status.kind == .directory {
                try read(root, whole + [UInt8(ascii: "/")], depth: depth + 1)
            } else if status.kind == .regular {
                try readFile(root + whole, as: whole)
            }
        }
    }

    private mutating func readFile(_ path: [UInt8], as name: [UInt8]) throws {
        let file = FileDescriptor(owning: try unsafe Kernel.open(CString(path: path), [.readOnly]))
        let number = file.number
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = try unsafe piece.withUnsafeMutableBytes {
                try unsafe Kernel.read(number, $0)
            }
            if count == 0 { break }
            bytes += piece.prefix(count)
            guard byteCount + bytes.count <= Self.byteLimit else { throw Fault.tooLarge }
        }
        guard files.count < Self.fileLimit else { throw Fault.tooLarge }
        byteCount += bytes.count
        files[name] = File(
            bytes: bytes, mediaType: Self.mediaType(name),
            tag: EntityTag(SHA256.hash(bytes).description.utf8))
    }

    /// The file of a path; that of a folder is its `index.html`.
    func file(_ words: [String]) -> File? {
        let path = Array(words.joined(separator: "/").utf8)
        let index = Array("index.html".utf8)
        return files[path.isEmpty ? index : path]
            ?? files[path + [UInt8(ascii: "/")] + index]
    }

    private static let types: [String: String] = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "map": "application/json", "svg": "image/svg+xml",
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "webp": "image/webp", "ico": "image/x-icon", "txt": "text/plain; charset=utf-8",
        "wasm": "application/wasm", "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf",
        "webmanifest": "application/manifest+json", "pdf": "application/pdf",
    ]

    private static func mediaType(_ name: [UInt8]) -> String {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else {
            return "application/octet-stream"
        }
        let ending = String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased()
        return types[ending] ?? "application/octet-stream"
    }
}
