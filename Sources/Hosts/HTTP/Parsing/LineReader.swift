/// Takes the lines of a head or of trailers from pieces of input. Only a line that is complete is
/// looked at, so that the result does not depend on how the input was split.
struct LineReader: Sendable {
    /// All lines so far, with their ends.
    private(set) var bytes: [UInt8] = []
    /// Where the line that is being read starts.
    private(set) var start = 0

    /// Takes bytes up to the next line feed.
    ///
    /// - Parameters:
    ///   - position: where to go on in the input; moved behind what was taken.
    ///   - limit: the most bytes of the line, without its end.
    /// - Returns: The line without CR LF, as a range of `bytes`; nil if the input ended before. The
    ///   next call starts a new line.
    @inline(__always)
    mutating func next(
        _ input: borrowing Span<UInt8>, at position: inout Int, limit: Int,
        tooLong: RequestFault
    ) throws(RequestFault) -> Range<Int>? {
        var end = position
        let count = input.count
        while end < count, input[end] != ASCII.lineFeed { end &+= 1 }
        // The bytes of the line before its line feed; CR is one of them.
        let length = bytes.count &- start &+ (end &- position)
        if length > limit &+ 1 { throw tooLong }
        let isComplete = end < count
        if bytes.isEmpty { bytes.reserveCapacity(max(512, end &- position)) }
        bytes.append(span: input, position..<(isComplete ? end &+ 1 : end))
        position = isComplete ? end &+ 1 : end
        guard isComplete else { return nil }
        let lineEnd = bytes.count &- 2
        guard lineEnd >= start, bytes[lineEnd] == ASCII.carriageReturn else { throw .lineEnd }
        let line = start..<lineEnd
        start = bytes.count
        return line
    }

    /// Forgets everything; the storage goes with what was taken from it.
    @inline(__always)
    mutating func take() -> [UInt8] {
        start = 0
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    /// Forgets the lines and keeps the storage.
    mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        start = 0
    }
}

/// Reads field lines (RFC 9112, section 5).
struct FieldReader: Sendable {
    private(set) var entries: [Fields.Entry] = []
    /// The bytes of the field lines so far, with their ends.
    private(set) var byteCount = 0

    /// Takes field lines up to the empty line.
    ///
    /// - Returns: Whether the empty line came.
    @inline(__always)
    mutating func read(
        _ lines: inout LineReader, _ input: borrowing Span<UInt8>, at position: inout Int,
        limits: MessageLimits
    ) throws(RequestFault) -> Bool {
        while true {
            let rest = max(limits.fields &- byteCount &- 2, 0)
            guard
                let line = try lines.next(
                    input, at: &position, limit: rest, tooLong: .fieldsTooLarge)
            else { return false }
            if line.isEmpty { return true }
            byteCount &+= line.count &+ 2
            if entries.count >= limits.fieldCount { throw .tooManyFields }
            if entries.isEmpty { entries.reserveCapacity(16) }
            entries.append(try Self.field(lines.bytes.span, line))
        }
    }

    /// Splits a line in name and value, and checks both.
    @inline(__always)
    private static func field(_ bytes: borrowing Span<UInt8>, _ line: Range<Int>)
        throws(RequestFault) -> Fields.Entry
    {
        var index = line.lowerBound
        let end = line.upperBound
        while index < end, ByteSet.token.contains(bytes[index]) { index &+= 1 }
        if index == line.lowerBound {
            throw bytes[index].isBlank ? .folding : .fieldName
        }
        guard index < end, bytes[index] == ASCII.colon else { throw .fieldName }
        let name = line.lowerBound..<index
        index &+= 1
        while index < end, bytes[index].isBlank { index &+= 1 }
        var valueEnd = end
        while valueEnd > index, bytes[valueEnd &- 1].isBlank { valueEnd &-= 1 }
        let value = index..<valueEnd
        while index < valueEnd {
            let byte = bytes[index]
            if !byte.isFieldByte {
                throw byte == ASCII.carriageReturn ? .lineEnd : .fieldValue
            }
            index &+= 1
        }
        return Fields.Entry(name: name, value: value)
    }

    /// The fields that were read; the reader starts anew.
    @inline(__always)
    mutating func take(_ lines: inout LineReader) -> Fields {
        byteCount = 0
        var taken: [Fields.Entry] = []
        swap(&taken, &entries)
        return Fields(bytes: lines.take(), entries: taken)
    }
}
