/// Reads `multipart/form-data` as it arrives, in pieces cut anywhere. Contents are passed on at
/// once, so that an upload need not be in memory.
///
///     var parser = try MultipartParser(contentType: header)
///     for await piece in body {
///         for event in try parser.feed(piece) { ... }
///     }
///     try parser.finish()
///
/// It keeps one header, or less than a boundary line. Time is linear in the bytes.
///
/// Specification: RFC 7578; RFC 2046, section 5.1.
public struct MultipartParser: Sendable {
    public enum Event: Sendable, Equatable {
        case begin(MultipartHeader)
        /// Bytes of the part that began last; never empty.
        case content([UInt8])
        /// The part that began last is complete.
        case end
    }

    public struct Limits: Sendable, Equatable {
        /// Of the whole form.
        public var bytes = 1 << 30
        public var parts = 1000
        public var headerBytes = 16 << 10
        public var preambleBytes = 16 << 10
        /// Of each part's content.
        public var partBytes = 1 << 30
        /// Of the contents of all parts without a file name, which are usually kept in memory.
        public var fieldBytes = 64 << 20

        public init() {}
    }

    private enum State { case preamble, afterBoundary, header, content, epilogue }

    /// CR, LF, two hyphens, the boundary.
    private let delimiter: [UInt8]
    private let limits: Limits
    private var state = State.preamble
    /// What was fed and is not decided. It begins as after a line end.
    private var buffer: [UInt8] = [0x0d, 0x0a]
    private var at = 0
    /// Bytes of the buffer that hold no end of a header.
    private var searched = 0
    private var total = 0
    private var preamble = 0
    private var parts = 0
    private var contentBytes = 0
    private var fieldBytes = 0
    private var isFile = false
    private var failure: FormError?

    /// - Parameter boundary: 1 to 70 bytes, as the media type names it.
    public init(boundary: [UInt8], limits: Limits = Limits()) throws(FormError) {
        guard (1...70).contains(boundary.count), boundary.last != 0x20,
            boundary.allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
        else { throw .malformedBoundary }
        delimiter = [0x0d, 0x0a, 0x2d, 0x2d] + boundary
        self.limits = limits
    }

    /// - Parameter contentType: the value of the header field.
    public init(contentType: [UInt8], limits: Limits = Limits()) throws(FormError) {
        let (type, parameters) = HeaderValue.parse(contentType)
        guard type.lowercasedASCII == Array("multipart/form-data".utf8),
            let boundary = parameters.first(where: { $0.name == Array("boundary".utf8) })
        else { throw .malformedBoundary }
        try self.init(boundary: boundary.value, limits: limits)
    }

    /// Takes a piece, and returns what is known by it.
    public mutating func feed(_ piece: [UInt8]) throws(FormError) -> [Event] {
        if let failure { throw failure }
        do throws(FormError) {
            total += piece.count
            if total > limits.bytes { throw .limit(.bytes, limits.bytes) }
            buffer.append(contentsOf: piece)
            var events: [Event] = []
            while try step(&events) {}
            buffer.removeSubrange(..<at)
            searched = max(0, searched - at)
            at = 0
            return events
        } catch {
            failure = error
            buffer = []
            at = 0
            throw error
        }
    }

    /// Says that the form has no more pieces.
    public func finish() throws(FormError) {
        if let failure { throw failure }
        guard state == .epilogue else { throw .unexpectedEnd }
    }

    /// Goes on as far as one state reaches; false if more bytes are needed.
    private mutating func step(_ events: inout [Event]) throws(FormError) -> Bool {
        switch state {
        case .preamble:
            let found = take { _ in }
            // The line end that the buffer began with is not the sender's.
            preamble += found.count
            if preamble > limits.preambleBytes + 2 {
                throw .limit(.preambleBytes, limits.preambleBytes)
            }
            if found.isWhole { state = .afterBoundary }
            return found.isWhole
        case .afterBoundary: return try afterBoundary()
        case .header: return try header(&events)
        case .content:
            let found = take { if !$0.isEmpty { events.append(.content(Array($0))) } }
            contentBytes += found.count
            if contentBytes > limits.partBytes { throw .limit(.partBytes, limits.partBytes) }
            if !isFile {
                fieldBytes += found.count
                if fieldBytes > limits.fieldBytes { throw .limit(.fieldBytes, limits.fieldBytes) }
            }
            if found.isWhole {
                events.append(.end)
                state = .afterBoundary
            }
            return found.isWhole
        case .epilogue:
            at = buffer.count
            return false
        }
    }

    /// Takes what comes before the delimiter, and the delimiter; without one, what cannot belong
    /// to one.
    private mutating func take(
        _ use: (ArraySlice<UInt8>) -> Void
    ) -> (count: Int, isWhole: Bool) {
        let bytes = buffer
        let start = at
        var next = start
        while next < bytes.count {
            guard bytes[next] == 0x0d else {
                next += 1
                continue
            }
            var matched = 1
            while matched < delimiter.count, next + matched < bytes.count,
                bytes[next + matched] == delimiter[matched]
            {
                matched += 1
            }
            if matched == delimiter.count {
                use(bytes[start..<next])
                at = next + matched
                return (next - start, true)
            }
            if next + matched == bytes.count { break }
            // The only CR of the delimiter is its first byte, so no other begins in the match.
            next += matched
        }
        use(bytes[start..<next])
        at = next
        return (next - start, false)
    }

    /// Reads the rest of a boundary's line.
    private mutating func afterBoundary() throws(FormError) -> Bool {
        var next = at
        while next < buffer.count, buffer[next] == 0x20 || buffer[next] == 0x09 { next += 1 }
        if next - at > 256 { throw .malformedDelimiter(part: parts) }
        guard next + 1 < buffer.count else { return false }
        switch (buffer[next], buffer[next + 1]) {
        case (0x2d, 0x2d) where next == at:
            state = .epilogue
            at = next + 2
        case (0x0d, 0x0a):
            parts += 1
            if parts > limits.parts { throw .limit(.parts, limits.parts) }
            state = .header
            at = next + 2
            searched = at
        default: throw .malformedDelimiter(part: parts)
        }
        return true
    }

    /// Reads the header of a part once all of it is there.
    private mutating func header(_ events: inout [Event]) throws(FormError) -> Bool {
        // A header ends with an empty line, which can be its first.
        var next = max(searched, at)
        var end: Int?
        while next + 1 < buffer.count {
            if buffer[next] == 0x0d, buffer[next + 1] == 0x0a {
                if next == at {
                    end = next
                    break
                }
                guard next + 3 < buffer.count else { break }
                if buffer[next + 2] == 0x0d, buffer[next + 3] == 0x0a {
                    end = next + 2
                    break
                }
            }
            next += 1
        }
        if (end ?? buffer.count) - at > limits.headerBytes {
            throw .limit(.headerBytes, limits.headerBytes)
        }
        searched = next
        guard let end else { return false }
        let header = try MultipartHeader(buffer[at..<end], part: parts)
        isFile = header.fileName != nil
        contentBytes = 0
        events.append(.begin(header))
        // RFC 2046 lets the line end of the header's empty line begin the next boundary, but no
        // client sends parts without a content's line end.
        at = end + 2
        state = .content
        return true
    }
}
