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
        let count = input.count
        let end = input.firstLineFeed(position..<count)
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

    /// Whether no line is begun.
    var isBetweenLines: Bool { start == bytes.count }

    /// Takes whole lines that were read where they are.
    @inline(__always)
    mutating func append(_ input: borrowing Span<UInt8>, _ range: Range<Int>) {
        if bytes.isEmpty { bytes.reserveCapacity(max(512, range.count)) }
        bytes.append(span: input, range)
        start = bytes.count
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
            if lines.isBetweenLines, try readWhole(&lines, input, at: &position, limits: limits) {
                return true
            }
            guard
                let line = try lines.next(
                    input, at: &position, limit: rest(limits), tooLong: .fieldsTooLarge)
            else { return false }
            if line.isEmpty { return true }
            try append(Self.field(lines.bytes.span, line, moved: 0), line.count, limits)
        }
    }

    /// Reads lines that are whole in the input, and copies them together. The same as line by line.
    @inline(__always)
    private mutating func readWhole(
        _ lines: inout LineReader, _ input: borrowing Span<UInt8>, at position: inout Int,
        limits: MessageLimits
    ) throws(RequestFault) -> Bool {
        let start = position
        let moved = lines.bytes.count &- start
        let count = input.count
        while true {
            let end = input.firstLineFeed(position..<count)
            let length = end &- position
            // A line that is not whole, or wrong: read on its own.
            guard end < count, length > 0, length &- 1 <= rest(limits),
                input[end &- 1] == ASCII.carriageReturn
            else { break }
            let line = position..<(end &- 1)
            position = end &+ 1
            if line.isEmpty {
                lines.append(input, start..<position)
                return true
            }
            try append(Self.field(input, line, moved: moved), line.count, limits)
        }
        lines.append(input, start..<position)
        return false
    }

    /// The most bytes that the next line may have.
    @inline(__always)
    private func rest(_ limits: MessageLimits) -> Int { max(limits.fields &- byteCount &- 2, 0) }

    @inline(__always)
    private mutating func append(_ entry: Fields.Entry, _ count: Int, _ limits: MessageLimits)
        throws(RequestFault)
    {
        byteCount &+= count &+ 2
        if entries.count >= limits.fieldCount { throw .tooManyFields }
        if entries.isEmpty { entries.reserveCapacity(16) }
        entries.append(entry)
    }

    /// Splits a line in name and value, and checks both. `moved` is added to all positions.
    @inline(__always)
    private static func field(
        _ bytes: borrowing Span<UInt8>, _ line: Range<Int>, moved: Int
    ) throws(RequestFault) -> Fields.Entry {
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
        let wrong = bytes.firstNonFieldByte(index..<valueEnd)
        if wrong < valueEnd {
            throw bytes[wrong] == ASCII.carriageReturn ? .lineEnd : .fieldValue
        }
        return Fields.Entry(
            name: (name.lowerBound &+ moved)..<(name.upperBound &+ moved),
            value: (index &+ moved)..<(valueEnd &+ moved))
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
