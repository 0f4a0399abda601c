/// The target of a request in its four forms (RFC 9112 3.2), without a fragment.
///
/// Nothing is decoded but letters of the path: `Path` and `Query` do that. All parts are ranges of
/// one buffer.
public struct Target: Sendable {
    public enum Form: Sendable {
        /// `/path?query`
        case origin
        /// `http://authority/path?query`
        case absolute
        /// `host:port`, of CONNECT only
        case authority
        /// `*`, of OPTIONS only
        case asterisk
    }

    public private(set) var form: Form
    private let storage: [UInt8]
    private let all: Range<Int>
    private var schemeRange: Range<Int>?
    private var authorityRange: Range<Int>?
    private var pathRange: Range<Int>
    private var queryRange: Range<Int>?
    /// The path with its unreserved characters decoded, if some are encoded.
    private var plainPath: [UInt8]?

    /// All of it, as it was sent.
    public var bytes: ArraySlice<UInt8> { storage[all] }

    /// In absolute and authority form; without user information.
    public var authority: ArraySlice<UInt8>? { authorityRange.map { storage[$0] } }

    /// The scheme in absolute form: `http` or `https` in any case.
    public var scheme: ArraySlice<UInt8>? { schemeRange.map { storage[$0] } }

    /// The path; `/` if an absolute target has none, empty in authority and asterisk form.
    ///
    /// Letters, digits and `-._~` that were sent as `%XX` are those characters here, so that two
    /// ways to write one path (RFC 3986 6.2.2.2) are one for routes, access rules and logs.
    public var path: ArraySlice<UInt8> { plainPath.map { $0[...] } ?? rawPath }

    /// The path as it was sent.
    public var rawPath: ArraySlice<UInt8> {
        form == .absolute && pathRange.isEmpty ? [ASCII.slash] : storage[pathRange]
    }

    /// What is after the first question mark, if there is one.
    public var query: ArraySlice<UInt8>? { queryRange.map { storage[$0] } }

    /// Reads a target; nil if it is none for the method. Bytes from 128 on and characters that
    /// RFC 3986 forbids, but clients send, such as `|`, are kept in path and query.
    init?(_ storage: [UInt8], _ all: Range<Int>, method: Method) {
        guard !all.isEmpty else { return nil }
        self.storage = storage
        self.all = all
        form = .origin
        pathRange = all.upperBound..<all.upperBound
        let bytes = storage.span
        var question: Int?
        var hasEscapes = false
        for index in all {
            let byte = bytes[index]
            if byte <= 0x20 || byte == 0x7f || byte == 0x23 { return nil }
            if byte == ASCII.question, question == nil { question = index }
            if byte == ASCII.percent, question == nil { hasEscapes = true }
        }
        let first = bytes[all.lowerBound]
        if method == .connect {
            guard Authority(storage[all])?.port != nil else { return nil }
            form = .authority
            authorityRange = all
            return
        }
        let pathEnd = question ?? all.upperBound
        queryRange = question.map { ($0 &+ 1)..<all.upperBound }
        if first == ASCII.slash {
            pathRange = all.lowerBound..<pathEnd
        } else if first == 0x2a, all.count == 1 {
            guard method == .options else { return nil }
            form = .asterisk
        } else {
            guard readAbsolute(pathEnd: pathEnd) else { return nil }
        }
        if hasEscapes { plainPath = PercentCoding.decodeUnreserved(rawPath) }
    }

    /// Splits `http://authority/path` before the query.
    private mutating func readAbsolute(pathEnd: Int) -> Bool {
        let part = storage[all.lowerBound..<pathEnd]
        guard let colon = part.firstIndex(of: ASCII.colon) else { return false }
        let scheme = part[..<colon]
        guard scheme.equals(lowercase: "http") || scheme.equals(lowercase: "https"),
            part[colon...].starts(with: [ASCII.colon, ASCII.slash, ASCII.slash])
        else { return false }
        let rest = part[(colon &+ 3)...]
        let end = rest.firstIndex(of: ASCII.slash) ?? rest.endIndex
        guard Authority(rest[..<end]) != nil else { return false }
        form = .absolute
        schemeRange = scheme.indices
        authorityRange = rest.startIndex..<end
        pathRange = end..<pathEnd
        return true
    }
}

extension Target: Equatable {
    /// Whether both are the same bytes in the same form.
    public static func == (left: Target, right: Target) -> Bool {
        left.form == right.form && left.bytes == right.bytes
    }
}
