/// Decodes the chunked transfer coding (RFC 9112 7.1) over arbitrary splits of the input. Body
/// bytes are not copied: each piece is a range of the input.
struct ChunkedBody: Sendable {
    enum Event {
        case body(Range<Int>)
        case end(Fields)
    }

    private enum State: Sendable {
        case size
        case blank
        case extensions(isQuoted: Bool, isEscaped: Bool)
        case sizeLineFeed
        case data
        case dataCarriageReturn
        case dataLineFeed
        case trailers
    }

    private var state = State.size
    /// The size of the chunk, while its line is read; then what is left of it.
    private var rest: UInt64 = 0
    private var digitCount = 0
    private var extensionBytes = 0
    private var lines = LineReader()
    private var fields = FieldReader()

    /// Bytes of body that were announced so far.
    private(set) var total: UInt64 = 0

    /// The next piece or the end; nil if the input is used up.
    mutating func next(
        _ input: borrowing Span<UInt8>, at position: inout Int, limits: MessageLimits,
        bodyLimit: UInt64
    ) throws(RequestFault) -> Event? {
        while position < input.count {
            if case .data = state {
                let available = UInt64(input.count &- position)
                let count = Int(truncatingIfNeeded: min(available, rest))
                let piece = position..<(position &+ count)
                position &+= count
                rest &-= UInt64(count)
                if rest == 0 { state = .dataCarriageReturn }
                return .body(piece)
            }
            if case .trailers = state {
                guard try fields.read(&lines, input, at: &position, limits: limits) else {
                    return nil
                }
                return .end(fields.take(&lines))
            }
            let byte = input[position]
            position &+= 1
            try take(byte, limits: limits, bodyLimit: bodyLimit)
        }
        return nil
    }

    /// Takes a byte of what stands between pieces of data.
    private mutating func take(_ byte: UInt8, limits: MessageLimits, bodyLimit: UInt64)
        throws(RequestFault)
    {
        switch state {
        case .size:
            guard let digit = byte.hexDigit else {
                guard digitCount > 0 else { throw .chunk }
                return try endSize(byte, limits: limits)
            }
            // 16 digits are 64 bits; leading zeros count as well.
            guard digitCount < 16 else { throw .chunk }
            digitCount &+= 1
            rest = rest << 4 | UInt64(digit)
            let (sum, overflow) = total.addingReportingOverflow(rest)
            if overflow || sum > bodyLimit { throw .bodyTooLarge }
        case .blank:
            try countExtension(limits)
            if byte.isBlank { return }
            guard byte == ASCII.semicolon else { throw .chunk }
            state = .extensions(isQuoted: false, isEscaped: false)
        case .extensions(let isQuoted, let isEscaped):
            try takeExtension(byte, isQuoted: isQuoted, isEscaped: isEscaped, limits: limits)
        case .sizeLineFeed:
            guard byte == ASCII.lineFeed else { throw .lineEnd }
            total &+= rest
            state = rest == 0 ? .trailers : .data
        case .dataCarriageReturn:
            guard byte == ASCII.carriageReturn else { throw .chunk }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == ASCII.lineFeed else { throw .chunk }
            state = .size
            rest = 0
            digitCount = 0
        case .data, .trailers:
            return
        }
    }

    /// Takes the byte after the digits of a size.
    private mutating func endSize(_ byte: UInt8, limits: MessageLimits) throws(RequestFault) {
        switch byte {
        case ASCII.carriageReturn:
            state = .sizeLineFeed
        case ASCII.lineFeed:
            throw .lineEnd
        case ASCII.semicolon:
            try countExtension(limits)
            state = .extensions(isQuoted: false, isEscaped: false)
        case ASCII.space, ASCII.tab:
            // Blanks may stand before a semicolon only.
            try countExtension(limits)
            state = .blank
        default:
            throw .chunk
        }
    }

    private mutating func takeExtension(
        _ byte: UInt8, isQuoted: Bool, isEscaped: Bool, limits: MessageLimits
    ) throws(RequestFault) {
        if byte == ASCII.carriageReturn, !isQuoted {
            state = .sizeLineFeed
            return
        }
        if byte == ASCII.carriageReturn || byte == ASCII.lineFeed { throw .lineEnd }
        guard byte.isFieldByte else { throw .chunk }
        try countExtension(limits)
        if isEscaped {
            state = .extensions(isQuoted: true, isEscaped: false)
        } else if byte == ASCII.quote {
            state = .extensions(isQuoted: !isQuoted, isEscaped: false)
        } else if isQuoted, byte == ASCII.backslash {
            state = .extensions(isQuoted: true, isEscaped: true)
        }
    }

    private mutating func countExtension(_ limits: MessageLimits) throws(RequestFault) {
        extensionBytes &+= 1
        if extensionBytes > limits.chunkExtensions { throw .chunkExtension }
    }
}
