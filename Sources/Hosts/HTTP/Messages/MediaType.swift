/// The value of `Content-Type` (RFC 9110 8.3.1).
public struct MediaType: Equatable, Sendable {
    /// `type/subtype` in lower case.
    public let name: [UInt8]
    /// Names in lower case, and values without quotes.
    public let parameters: [(name: [UInt8], value: [UInt8])]

    /// Reads a value; nil if it is none.
    public init?(_ field: ArraySlice<UInt8>) {
        guard let value = ParameterisedValue(field), !value.value.contains(ASCII.comma) else {
            return nil
        }
        let parts = value.value.split(separator: ASCII.slash, omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(ByteSet.token.contains) })
        else { return nil }
        name = value.value.map(\.lowercase)
        parameters = value.parameters
    }

    /// Whether the type is one in lower case, whatever its parameters.
    public func matches(_ name: StaticString) -> Bool { self.name.equals(name) }

    /// A parameter by its name in lower case, as `charset` or `boundary`.
    public subscript(name: StaticString) -> [UInt8]? {
        parameters.first { $0.name.equals(name) }?.value
    }

    public static func == (left: MediaType, right: MediaType) -> Bool {
        left.name == right.name
            && left.parameters.elementsEqual(right.parameters) {
                $0.name == $1.name && $0.value == $1.value
            }
    }
}

extension Fields {
    /// The media type of the body; nil if there is no such field, several, or an ill-formed one.
    public var contentType: MediaType? {
        let values = all("content-type")
        return values.count == 1 ? MediaType(values[0]) : nil
    }

    /// How much a client wants a media type, in thousandths: 0 if it does not (RFC 9110 12.5.1).
    /// The most specific range that fits decides; without an `Accept` field everything is wanted.
    ///
    /// - Parameter type: `type/subtype` in lower case.
    public func acceptance(of type: StaticString) -> Int {
        guard contains("accept") else { return 1000 }
        let wanted = [UInt8](type)
        let prefix = wanted.prefix { $0 != ASCII.slash }
        var best = (specificity: -1, quality: 0)
        for element in list("accept") {
            guard let range = ParameterisedValue(element) else { continue }
            let quality = range["q"].map { readQuality($0) ?? 0 } ?? 1000
            let name = range.value.map(\.lowercase)
            let specificity =
                if name == wanted {
                    2
                } else if name.equals("*/*") {
                    0
                } else if name.count == prefix.count + 2, name.starts(with: prefix),
                    name.suffix(2) == [ASCII.slash, 0x2a]
                {
                    1
                } else {
                    -1
                }
            if specificity > best.specificity
                || (specificity == best.specificity && quality > best.quality)
            {
                best = (specificity, quality)
            }
        }
        return best.specificity < 0 ? 0 : best.quality
    }

    /// How much a client wants a content coding, in thousandths: 0 if it does not (RFC 9110
    /// 12.5.3).
    /// `identity` is wanted unless it is refused; others only if they are named, or `*` is.
    ///
    /// - Parameter coding: in lower case, such as `gzip`; `x-gzip` counts as `gzip`.
    public func acceptance(ofCoding coding: StaticString) -> Int {
        let wanted = [UInt8](coding)
        let isIdentity = wanted.equals("identity")
        var other: Int?
        for element in list("accept-encoding") {
            guard let value = ParameterisedValue(element) else { continue }
            let quality = value["q"].map { readQuality($0) ?? 0 } ?? 1000
            var name = value.value.map(\.lowercase)
            if name.equals("x-gzip") { name = [UInt8]("gzip") }
            if name == wanted { return quality }
            if name.equals("*") { other = quality }
        }
        return other ?? (isIdentity ? 1000 : 0)
    }

    /// Whether a response should be compressed by gzip: the client takes it at least as gladly as
    /// the plain bytes.
    public var prefersGzip: Bool {
        guard contains("accept-encoding") else { return false }
        let gzip = acceptance(ofCoding: "gzip")
        return gzip > 0 && gzip >= acceptanceOfIdentity
    }

    /// Unlike `acceptance(ofCoding:)`, 1 if identity is not named: any coding that is named wins.
    private var acceptanceOfIdentity: Int {
        for element in list("accept-encoding") {
            guard let value = ParameterisedValue(element), value.value.equals(lowercase: "identity")
            else { continue }
            return value["q"].map { readQuality($0) ?? 0 } ?? 1000
        }
        return 1
    }
}
