/// The header of a part of a form.
///
/// Specification: RFC 7578, section 4.2; names as WHATWG HTML, "multipart form data", escapes them.
public struct MultipartHeader: Sendable, Equatable {
    public struct Field: Sendable, Equatable {
        public var name: [UInt8]
        public var value: [UInt8]
    }

    /// All fields in order, without white space around.
    public let fields: [Field]
    /// The name of the form's field, as bytes; `%0D`, `%0A` and `%22` stand for line ends and
    /// quotes and are decoded.
    public let name: [UInt8]
    /// The name of the file, if this part is one. It may hold any bytes but is never to be used as
    /// a path without a check.
    public let fileName: [UInt8]?
    /// The media type with its parameters, if one is given.
    public var contentType: [UInt8]? { self["content-type"] }

    /// The value of the first field with the name in small letters.
    public subscript(name: String) -> [UInt8]? {
        fields.first { $0.name.lowercasedASCII.elementsEqual(name.utf8) }?.value
    }

    /// Reads lines that each end with CR LF.
    init(_ bytes: ArraySlice<UInt8>, part: Int) throws(FormError) {
        var fields: [Field] = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            var end = start
            while end + 1 < bytes.endIndex, bytes[end] != 0x0d || bytes[end + 1] != 0x0a {
                end += 1
            }
            let line = bytes[start..<end]
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > start,
                line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
                line.allSatisfy({ $0 != 0 && $0 != 0x0a && $0 != 0x0d })
            else { throw .malformedHeader(part: part) }
            fields.append(
                Field(name: Array(line[..<colon]), value: Array(line[(colon + 1)...].trimmed)))
            start = end + 2
        }
        let disposition = fields.first {
            $0.name.lowercasedASCII == Array("content-disposition".utf8)
        }
        guard let disposition else { throw .missingName(part: part) }
        let (type, parameters) = HeaderValue.parse(disposition.value)
        guard type.lowercasedASCII == Array("form-data".utf8),
            let name = parameters.first(where: { $0.name == Array("name".utf8) })
        else { throw .missingName(part: part) }
        self.fields = fields
        self.name = name.value.withoutFormEscapes
        fileName =
            parameters.first { $0.name == Array("filename".utf8) }?.value.withoutFormEscapes
    }
}

/// The value of a header field with parameters: `form-data; name="a"`.
enum HeaderValue {
    /// The value before the parameters, and these with their names in small letters. What is no
    /// parameter is passed over. A backslash before a quote or a backslash is dropped.
    static func parse(
        _ bytes: [UInt8]
    ) -> (value: [UInt8], parameters: [(name: [UInt8], value: [UInt8])]) {
        var at = bytes.firstIndex(of: UInt8(ascii: ";")) ?? bytes.count
        let value = Array(bytes[..<at].trimmed)
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        while at < bytes.count {
            at += 1
            let start = at
            while at < bytes.count, bytes[at] != UInt8(ascii: "="), bytes[at] != UInt8(ascii: ";") {
                at += 1
            }
            guard at < bytes.count, bytes[at] == UInt8(ascii: "=") else { continue }
            let name = bytes[start..<at].trimmed.lowercasedASCII
            at += 1
            while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 { at += 1 }
            var value: [UInt8] = []
            if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
                at += 1
                while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
                    let isEscape =
                        bytes[at] == UInt8(ascii: "\\") && at + 1 < bytes.count
                        && (bytes[at + 1] == UInt8(ascii: "\"")
                            || bytes[at + 1] == UInt8(ascii: "\\"))
                    if isEscape { at += 1 }
                    value.append(bytes[at])
                    at += 1
                }
                while at < bytes.count, bytes[at] != UInt8(ascii: ";") { at += 1 }
            } else {
                let start = at
                while at < bytes.count, bytes[at] != UInt8(ascii: ";") { at += 1 }
                value = Array(bytes[start..<at].trimmed)
            }
            parameters.append((name, value))
        }
        return (value, parameters)
    }
}

extension Sequence<UInt8> {
    /// With `A` to `Z` as small letters.
    var lowercasedASCII: [UInt8] { map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 } }
}

extension ArraySlice<UInt8> {
    /// Without spaces and tabs at the ends.
    var trimmed: ArraySlice<UInt8> {
        var slice = self
        while let first = slice.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return slice
    }
}

extension [UInt8] {
    /// With the three escapes of WHATWG HTML decoded: `%0D`, `%0A`, `%22`.
    fileprivate var withoutFormEscapes: [UInt8] {
        var result: [UInt8] = []
        var at = 0
        while at < count {
            if self[at] == UInt8(ascii: "%"), at + 2 < count, let high = self[at + 1].hexDigit,
                let low = self[at + 2].hexDigit
            {
                let byte = high << 4 | low
                if byte == 0x0d || byte == 0x0a || byte == 0x22 {
                    result.append(byte)
                    at += 3
                    continue
                }
            }
            result.append(self[at])
            at += 1
        }
        return result
    }
}
