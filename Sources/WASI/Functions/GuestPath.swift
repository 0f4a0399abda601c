/// A path of a guest: bytes without NUL, shorter than the host's limit.
struct GuestPath: Hashable {
    /// The host's limit for paths, with the NUL.
    static let limit = 4096

    static let slash = CChar(0x2f)
    static let dot = CChar(0x2e)

    /// The bytes without a NUL at the end.
    private(set) var bytes: ArraySlice<CChar>

    private init(unchecked bytes: ArraySlice<CChar>) { self.bytes = bytes }

    /// - Throws: `inval` if there is a NUL among the bytes, `nametoolong` if there are too many.
    init(_ bytes: [UInt8]) throws(Errno) {
        guard bytes.count < Self.limit else { throw .nametoolong }
        guard !bytes.contains(0) else { throw .inval }
        self.bytes = bytes.map { CChar(truncatingIfNeeded: $0) }[...]
    }

    /// The same path in its own memory, without the longer path that it may be a part of.
    var compact: GuestPath { GuestPath(unchecked: Array(bytes)[...]) }

    /// The bytes in the embedder's form.
    var unsignedBytes: [UInt8] { bytes.map { UInt8(truncatingIfNeeded: $0) } }

    /// The directory itself: `.`.
    static let current = GuestPath(unchecked: [dot])

    var isEmpty: Bool { bytes.isEmpty }
    var isAbsolute: Bool { bytes.first == Self.slash }
    var hasTrailingSlash: Bool { bytes.last == Self.slash }

    /// The bytes with a NUL, for the operating system.
    var cString: CString { Array(bytes) + [0] }

    /// `.` or `..` by themselves.
    var isDot: Bool { bytes.elementsEqual([Self.dot]) }
    var isDotDot: Bool { bytes.elementsEqual([Self.dot, Self.dot]) }

    func withoutTrailingSlashes() -> GuestPath {
        let end = bytes.lastIndex { $0 != Self.slash }
        return GuestPath(unchecked: end.map { bytes[...$0] } ?? [])
    }

    func withoutLeadingSlashes() -> GuestPath {
        GuestPath(unchecked: bytes.drop { $0 == Self.slash })
    }

    /// The part before the last component (empty if there is none), and the last component.
    /// The path must not end with a slash.
    func splitLast() -> (directory: GuestPath, name: GuestPath) {
        guard let slash = bytes.lastIndex(of: Self.slash) else {
            return (GuestPath(unchecked: []), self)
        }
        let directory = GuestPath(unchecked: bytes[...slash]).withoutTrailingSlashes()
        return (directory, GuestPath(unchecked: bytes[(slash + 1)...]))
    }

    /// The first component (empty if there is none), and what follows it.
    func splitFirst() -> (name: GuestPath, rest: GuestPath) {
        let start = bytes.drop { $0 == Self.slash }
        let name = start.prefix { $0 != Self.slash }
        return (GuestPath(unchecked: name), GuestPath(unchecked: start[name.endIndex...]))
    }

    /// This path, a slash and `other`; only one of them if the other is empty.
    func appending(_ other: GuestPath) throws(Errno) -> GuestPath {
        guard !isEmpty else { return other }
        guard !other.isEmpty else { return self }
        guard bytes.count + other.bytes.count + 1 < Self.limit else { throw .nametoolong }
        return GuestPath(unchecked: (Array(bytes) + [Self.slash] + other.bytes)[...])
    }
}

extension GuestPath: CustomStringConvertible {
    /// The path with malformed UTF-8 replaced.
    var description: String {
        String(decoding: unsignedBytes, as: UTF8.self)
    }
}
