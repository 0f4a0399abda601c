/// An absolute URL with an authority (RFC 3986), as clients and redirects have it.
public struct URL: Equatable, Sendable {
    /// In lower case.
    public let scheme: [UInt8]
    /// What is before `@`, as it was written.
    public let userInformation: [UInt8]?
    public let authority: Authority
    /// With dot segments removed, as it was written otherwise; `/` if there was none.
    public let path: [UInt8]
    /// Without the question mark.
    public let query: [UInt8]?
    /// Without the number sign; never sent.
    public let fragment: [UInt8]?

    /// Reads `scheme://authority/path?query#fragment`; nil for anything else. Control characters
    /// and spaces are refused; other bytes that RFC 3986 forbids are percent-encoded.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let reference = Reference(Array(bytes)), let scheme = reference.scheme,
            let authority = reference.authority
        else { return nil }
        self.init(
            scheme: scheme, authority: authority, path: reference.path, query: reference.query,
            fragment: reference.fragment)
    }

    private init?(
        scheme: [UInt8], authority: ArraySlice<UInt8>, path: [UInt8], query: [UInt8]?,
        fragment: [UInt8]?
    ) {
        self.scheme = scheme
        let at = authority.lastIndex(of: 0x40)
        userInformation = at.map { Array(authority[authority.startIndex..<$0]) }
        guard
            let authority = Authority(at.map { authority[($0 &+ 1)...] } ?? authority)
        else { return nil }
        self.authority = authority
        self.path = Reference.removingDotSegments(path.isEmpty ? [ASCII.slash] : path)
        self.query = query
        self.fragment = fragment
    }

    /// Resolves what `Location` says against this URL (RFC 3986 5.2); nil if it is no reference.
    public func resolving(_ reference: some Collection<UInt8>) -> URL? {
        guard let other = Reference(Array(reference)) else { return nil }
        if let scheme = other.scheme {
            guard let authority = other.authority else { return nil }
            return URL(
                scheme: scheme, authority: authority, path: other.path, query: other.query,
                fragment: other.fragment)
        }
        let fragment = other.fragment ?? self.fragment
        if let authority = other.authority {
            return URL(
                scheme: scheme, authority: authority, path: other.path, query: other.query,
                fragment: fragment)
        }
        var path = other.path
        var query = other.query
        if path.isEmpty {
            path = self.path
            query = query ?? self.query
        } else if path.first != ASCII.slash {
            let folder = self.path.lastIndex(of: ASCII.slash) ?? 0
            path = self.path[...folder] + path
        }
        var authority = self.authority.bytes
        if let userInformation { authority = userInformation + [0x40] + authority }
        return URL(
            scheme: scheme, authority: authority[...], path: path, query: query,
            fragment: fragment)
    }

    /// The port, or that of the scheme for `http`, `https`, `ws` and `wss`.
    public var port: UInt16? {
        if let port = authority.port { return port }
        if scheme.equals("http") || scheme.equals("ws") { return 80 }
        if scheme.equals("https") || scheme.equals("wss") { return 443 }
        return nil
    }

    /// Path and query: the target of a request in origin form.
    public var target: [UInt8] {
        guard let query else { return path }
        return path + [ASCII.question] + query
    }

    /// The value of `Host`: without the port if it is the scheme's own.
    public var host: [UInt8] {
        let own = Authority(host: authority.host)
        guard let port = authority.port else { return own.bytes }
        let isDefault =
            (port == 80 && (scheme.equals("http") || scheme.equals("ws")))
            || (port == 443 && (scheme.equals("https") || scheme.equals("wss")))
        return isDefault ? own.bytes : authority.bytes
    }

    /// The URL as it is written, normalised.
    public var bytes: [UInt8] {
        var bytes = scheme
        bytes.append(text: "://")
        if let userInformation {
            bytes.append(contentsOf: userInformation)
            bytes.append(0x40)
        }
        bytes.append(contentsOf: authority.bytes)
        bytes.append(contentsOf: target)
        if let fragment {
            bytes.append(0x23)
            bytes.append(contentsOf: fragment)
        }
        return bytes
    }
}

/// The five components of a URI reference (RFC 3986, appendix B).
struct Reference {
    var scheme: [UInt8]?
    var authority: ArraySlice<UInt8>?
    var path: [UInt8]
    var query: [UInt8]?
    var fragment: [UInt8]?

    init?(_ bytes: [UInt8]) {
        guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        var rest = bytes[...]
        if let hash = rest.firstIndex(of: 0x23) {
            fragment = Self.repaired(rest[(hash &+ 1)...])
            rest = rest[..<hash]
        }
        if let mark = rest.firstIndex(of: ASCII.question) {
            query = Self.repaired(rest[(mark &+ 1)...])
            rest = rest[..<mark]
        }
        if let colon = rest.firstIndex(of: ASCII.colon), Self.isScheme(rest[..<colon]) {
            scheme = rest[..<colon].map(\.lowercase)
            rest = rest[(colon &+ 1)...]
        }
        if rest.starts(with: [ASCII.slash, ASCII.slash]) {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex(of: ASCII.slash) ?? rest.endIndex
            authority = rest[rest.startIndex..<end]
            rest = rest[end...]
        }
        path = Self.repaired(rest)
    }

    private static func isScheme(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, first.lowercase &- 0x61 < 26 else { return false }
        return bytes.allSatisfy {
            $0.lowercase &- 0x61 < 26 || $0.digit != nil || "+-.".utf8.contains($0)
        }
    }

    /// Percent-encodes bytes that may not be in a URL, and leaves encoded ones alone.
    private static func repaired(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var repaired: [UInt8] = []
        repaired.reserveCapacity(bytes.count)
        for byte in bytes {
            if ByteSet.path.contains(byte) || "/?%".utf8.contains(byte) {
                repaired.append(byte)
            } else {
                repaired.append(contentsOf: PercentCoding.encode(CollectionOfOne(byte)))
            }
        }
        return repaired
    }

    /// RFC 3986 5.2.4, for paths that start with a slash.
    static func removingDotSegments(_ path: [UInt8]) -> [UInt8] {
        var kept: [ArraySlice<UInt8>] = []
        let parts = path.dropFirst().split(
            separator: ASCII.slash, omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            let isDot = part.equals(".") || part.equals(lowercase: "%2e")
            let isUp =
                part.equals("..") || part.equals(lowercase: ".%2e")
                || part.equals(lowercase: "%2e.") || part.equals(lowercase: "%2e%2e")
            if isUp { _ = kept.popLast() }
            if isDot || isUp {
                if isLast { kept.append([]) }
            } else {
                kept.append(part)
            }
        }
        return [ASCII.slash] + kept.joined(separator: CollectionOfOne(ASCII.slash))
    }
}
