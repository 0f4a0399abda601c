/// What the fields of a request mean for its body and its connection (RFC 9112, sections 3.2, 6,
/// 9).
enum RequestRules {
    /// What one pass over the fields found.
    private struct Findings {
        var hosts = 0
        var host = 0..<0
        var lengths = 0
        var codings = 0
        var connections = 0
        var expectations = 0
    }

    /// Sets framing, persistence and expectation.
    static func apply(to head: inout RequestHead, bodyLimit: UInt64) throws(RequestFault) {
        let findings = find(head.fields)
        try checkHost(head, findings)
        head.framing = try framing(head, findings, bodyLimit: bodyLimit)
        head.keepsAlive = keepsAlive(
            head.fields, version: head.version, hasConnection: findings.connections > 0)
        if findings.expectations > 0 {
            for value in head.fields.list("expect")
            where !value.equals(lowercase: "100-continue") { throw .expectation }
            // HTTP/1.0 has no 100, and nobody waits with an empty body.
            head.expectsContinue = head.version == .http11 && head.framing != .none
        }
    }

    @inline(__always)
    private static func find(_ fields: Fields) -> Findings {
        var findings = Findings()
        let bytes = fields.bytes.span
        for entry in fields.entries {
            let name = entry.name
            switch name.count {
            case 4 where bytes.equals(name, lowercase: "host"):
                findings.hosts &+= 1
                findings.host = entry.value
            case 6 where bytes.equals(name, lowercase: "expect"): findings.expectations &+= 1
            case 10 where bytes.equals(name, lowercase: "connection"): findings.connections &+= 1
            case 14 where bytes.equals(name, lowercase: "content-length"): findings.lengths &+= 1
            case 17 where bytes.equals(name, lowercase: "transfer-encoding"): findings.codings &+= 1
            default: break
            }
        }
        return findings
    }

    /// Exactly one `Host` in HTTP/1.1, at most one in 1.0. It is empty for a target without
    /// authority, and otherwise a host with an optional port.
    private static func checkHost(_ head: RequestHead, _ findings: Findings) throws(RequestFault) {
        if findings.hosts > 1 || (findings.hosts == 0 && head.version == .http11) {
            throw .hostCount
        }
        if !findings.host.isEmpty, !Authority.isValid(head.fields.bytes, findings.host) {
            throw .host
        }
    }

    private static func framing(_ head: RequestHead, _ findings: Findings, bodyLimit: UInt64)
        throws(RequestFault) -> Framing
    {
        if findings.codings > 0 {
            if findings.lengths > 0 { throw .lengthAndCoding }
            if head.version == .http10 { throw .transferEncoding }
            switch TransferCodings(head.fields) {
            case .chunked: return .chunked
            case .unknown: throw .unknownCoding
            case .chunkedAfterUnknown: throw .unknownCoding
            case .malformed: throw .transferEncoding
            }
        }
        guard findings.lengths > 0 else { return .none }
        let length = try contentLength(head.fields)
        if length > bodyLimit { throw .bodyTooLarge }
        return length == 0 ? .none : .length(length)
    }

    /// The length that all `Content-Length` fields agree on.
    static func contentLength(_ fields: Fields) throws(RequestFault) -> UInt64 {
        if fields.count(of: "content-length") == 1, let value = fields.first("content-length"),
            let number = decimal(value.trimmed)
        {
            return number
        }
        var length: UInt64?
        for value in fields.all("content-length") {
            if value.isEmpty { throw .contentLength }
            // A list of the same number, as some proxies make of repeated fields.
            for part in value.split(separator: ASCII.comma, omittingEmptySubsequences: false) {
                guard let number = decimal(part.trimmed) else { throw .contentLength }
                if let length, length != number { throw .contentLengths }
                length = number
            }
        }
        guard let length else { throw .contentLength }
        return length
    }

    /// RFC 9112 9.3: HTTP/1.1 persists unless `close` is said, 1.0 only with `keep-alive`.
    static func keepsAlive(_ fields: Fields, version: Version, hasConnection: Bool) -> Bool {
        guard hasConnection else { return version == .http11 }
        if fields.list("connection", contains: "close") { return false }
        return version == .http11 || fields.list("connection", contains: "keep-alive")
    }
}

/// What `Transfer-Encoding` says.
enum TransferCodings {
    case chunked
    /// Codings that end with chunked, after others.
    case chunkedAfterUnknown
    /// Codings without chunked.
    case unknown
    /// Chunked is not the last one or has parameters, or there is something that is no token.
    case malformed

    init(_ fields: Fields) {
        var count = 0
        var chunkedAt: Int?
        // Lists may have empty elements, but other parsers take `chunked,` for something unknown.
        for value in fields.all("transfer-encoding") {
            let parts = value.split(separator: ASCII.comma, omittingEmptySubsequences: false)
            if parts.contains(where: { $0.trimmed.isEmpty }) {
                self = .malformed
                return
            }
        }
        for element in fields.list("transfer-encoding") {
            guard let value = ParameterisedValue(element), !value.value.isEmpty,
                value.value.allSatisfy(ByteSet.token.contains)
            else {
                self = .malformed
                return
            }
            if value.value.equals(lowercase: "chunked") {
                if chunkedAt != nil || !value.parameters.isEmpty {
                    self = .malformed
                    return
                }
                chunkedAt = count
            }
            count &+= 1
        }
        switch chunkedAt {
        case nil: self = count == 0 ? .malformed : .unknown
        case count &- 1: self = count == 1 ? .chunked : .chunkedAfterUnknown
        default: self = .malformed
        }
    }
}
