/// How much body a message will have.
public enum BodyLength: Equatable, Sendable {
    case none
    /// Exactly this many bytes.
    case bytes(UInt64)
    /// Not known before the end: chunked in HTTP/1.1; otherwise the end of the connection ends it.
    case unknown
}

/// Writes a body of a length, in chunks, or until the connection ends, and checks what is written
/// against what was announced.
struct BodyWriter: Sendable {
    enum Form: Equatable, Sendable {
        /// The body is not sent, whatever is written: HEAD, 204, 304.
        case suppressed
        case length(UInt64)
        case chunked
        case untilClose
    }

    private var form: Form

    init(_ form: Form) { self.form = form }

    mutating func write(_ piece: borrowing Span<UInt8>, to output: inout [UInt8])
        throws(WritingFault)
    {
        let count = piece.count
        switch form {
        case .suppressed: return
        case .length(let rest):
            guard UInt64(count) <= rest else { throw .length }
            form = .length(rest &- UInt64(count))
        case .chunked:
            // An empty chunk would be the end.
            if count == 0 { return }
            output.append(hexadecimal: UInt64(count))
            output.appendLineEnd()
            output.append(span: piece, 0..<count)
            output.appendLineEnd()
            return
        case .untilClose: break
        }
        output.append(span: piece, 0..<count)
    }

    /// Writes what ends the body.
    ///
    /// - Throws: `.length` if bytes are missing; the connection has to be closed then.
    func end(trailers: Fields, to output: inout [UInt8]) throws(WritingFault) {
        switch form {
        case .suppressed, .untilClose: return
        case .length(let rest):
            if rest != 0 { throw .length }
        case .chunked:
            try FramingFields.check(trailers)
            output.append(ASCII.zero)
            output.appendLineEnd()
            trailers.write(to: &output)
            output.appendLineEnd()
        }
    }
}

/// Fields that decide where a message ends: writers make them, and refuse them from others.
enum FramingFields {
    static func check(_ fields: Fields) throws(WritingFault) {
        let bytes = fields.bytes.span
        for entry in fields.entries {
            let name = entry.name
            if (name.count == 14 && bytes.equals(name, lowercase: "content-length"))
                || (name.count == 17 && bytes.equals(name, lowercase: "transfer-encoding"))
            {
                throw .framingField
            }
        }
    }
}
