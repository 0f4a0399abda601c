import WasmdDocuments
import WasmdHTTP

/// A request of HTTP as `othismo.http.request` says it.
enum RequestMessage {
    static let key = "othismo.http.request"
    /// What comes after a request whose body is sent in pieces.
    static let bodyKey = "othismo.http.request.body"

    /// The members of the message's payload but the body.
    ///
    /// - Parameters:
    ///   - host: in lower case, without port.
    ///   - path: that of the request.
    ///   - client: the address of the client; nil if it is not known.
    static func members(
        _ head: RequestHead, host: [UInt8], path: Path, client: String?
    ) -> [Document.Member] {
        var members: [Document.Member] = [
            .init("host", text(host)), .init("method", .string(head.method.name)),
            .init("endpoint", .string(endpoint(path))),
            .init("query", query(head)), .init("headers", headers(head.fields)),
            .init("target", text(head.target.bytes)),
        ]
        if let client { members.append(.init("client", .string(client))) }
        return members
    }

    /// The decoded path. A segment that is no UTF-8, or has a slash in it, stays encoded.
    static func endpoint(_ path: Path) -> String {
        var text = ""
        for segment in path.segments {
            text += "/"
            if !segment.contains(UInt8(ascii: "/")),
                let decoded = String(validating: segment, as: UTF8.self)
            {
                text += decoded
            } else {
                text += String(decoding: PercentCoding.encode(segment), as: UTF8.self)
            }
        }
        return path.isFolder ? text + "/" : text
    }

    private static func text(_ bytes: some Collection<UInt8>) -> Document {
        .string(String(decoding: bytes, as: UTF8.self))
    }

    /// Names and values; the values of a name that comes several times are an array.
    private static func query(_ head: RequestHead) -> Document {
        var names: [[UInt8]] = []
        var values: [[UInt8]: [Document]] = [:]
        for (name, value) in Query(head.target.query).parameters {
            // A name of BSON has no NUL.
            guard !name.contains(0) else { continue }
            if values[name] == nil { names.append(name) }
            values[name, default: []].append(text(value))
        }
        return .object(
            names.map { name in
                let all = values[name] ?? []
                return .init(
                    String(decoding: name, as: UTF8.self), all.count == 1 ? all[0] : .array(all))
            })
    }

    /// Names in lower case. Values of a name that comes several times are joined as RFC 9110 5.3
    /// says, those of `Cookie` with a semicolon.
    private static func headers(_ fields: Fields) -> Document {
        var names: [[UInt8]] = []
        var values: [[UInt8]: [UInt8]] = [:]
        for index in 0..<fields.count {
            let (name, value) = fields[index]
            let lower = name.map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 }
            if let before = values[lower] {
                let separator = lower.elementsEqual("cookie".utf8) ? "; " : ", "
                values[lower] = before + Array(separator.utf8) + value
            } else {
                names.append(lower)
                values[lower] = Array(value)
            }
        }
        return .object(
            names.map {
                .init(String(decoding: $0, as: UTF8.self), text(values[$0] ?? []))
            })
    }
}
