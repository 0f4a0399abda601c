/// Why a form is not taken.
public enum FormError: Error, Sendable, Equatable, CustomStringConvertible {
    /// More than the limit names; with the number that was allowed.
    case limit(Name, Int)
    /// `%` without two hexadecimal digits, at this byte of the form.
    case malformedEscape(offset: Int)
    /// The boundary is empty, longer than 70 bytes, ends with a space, or has bytes that it cannot.
    case malformedBoundary
    /// A line of a part's header is no `Name: value`; with the number of the part, from 1.
    case malformedHeader(part: Int)
    /// A part has no `Content-Disposition: form-data; name=…`; with its number, from 1.
    case missingName(part: Int)
    /// More than a line end and padding follows a boundary; after this part.
    case malformedDelimiter(part: Int)
    /// The form ended before its last boundary.
    case unexpectedEnd

    public enum Name: String, Sendable {
        case bytes
        case parts = "parts"
        case parameters
        case headerBytes = "bytes in the header of a part"
        case preambleBytes = "bytes before the first part"
        case partBytes = "bytes in a part"
        case fieldBytes = "bytes in parts without a file name"
    }

    public var description: String {
        switch self {
        case .limit(let name, let value): "more than \(value) \(name.rawValue)"
        case .malformedEscape(let offset): "offset \(offset): malformed escape"
        case .malformedBoundary: "malformed boundary"
        case .malformedHeader(let part): "part \(part): malformed header"
        case .missingName(let part): "part \(part): Content-Disposition has no form-data name"
        case .malformedDelimiter(let part): "after part \(part): malformed boundary line"
        case .unexpectedEnd: "the form is cut off"
        }
    }
}
