/// The header or trailer fields of a message, in order and with repetitions (RFC 9110, section 5).
///
/// All bytes are in one buffer, and a field is two ranges of it: reading or adding a field
/// allocates nothing of its own. Names are compared without regard to the case of ASCII letters.
/// Names are tokens and values hold no CR, LF, NUL or other control characters: `append` refuses
/// them.
///
///     var fields = Fields()
///     try fields.append("Content-Type", "text/plain")
///     fields.first("content-type")?.elementsEqual("text/plain".utf8)
public struct Fields: Sendable {
    /// Positions of a field in `bytes`.
    struct Entry: Sendable {
        var nameStart: UInt32
        var nameEnd: UInt32
        var valueStart: UInt32
        var valueEnd: UInt32

        @inline(__always)
        init(name: Range<Int>, value: Range<Int>) {
            nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
            nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
            valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
            valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
        }

        @inline(__always)
        var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
        @inline(__always)
        var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
    }

    /// Bytes that hold names and values; received fields have the whole head here.
    var bytes: [UInt8]
    var entries: [Entry]
    /// Whether `bytes` is exactly what a message has between its first line and the empty line.
    var isSerialised: Bool

    /// No fields.
    public init() {
        bytes = []
        entries = []
        isSerialised = true
    }

    init(bytes: [UInt8], entries: [Entry]) {
        self.bytes = bytes
        self.entries = entries
        isSerialised = false
    }

    /// The most bytes that the fields of one message may have: 16 MiB.
    static var maximumBytes: Int { 1 << 24 }

    /// The number of fields.
    public var count: Int { entries.count }

    /// Bytes that names and values take, about.
    var byteCount: Int { bytes.count }

    public var isEmpty: Bool { entries.isEmpty }

    /// The name and the value at an index below `count`, without blanks around the value.
    public subscript(index: Int) -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) {
        let entry = entries[index]
        return (bytes[entry.name], bytes[entry.value])
    }

    /// The value of the first field with a name.
    ///
    /// - Parameter name: in lower case.
    public func first(_ name: StaticString) -> ArraySlice<UInt8>? {
        for entry in entries where matches(entry, name) { return bytes[entry.value] }
        return nil
    }

    /// The value of the first field with a name, in any case.
    public func first(named name: some Collection<UInt8>) -> ArraySlice<UInt8>? {
        for entry in entries where bytes[entry.name].equalsIgnoringCase(name) {
            return bytes[entry.value]
        }
        return nil
    }

    /// The values of all fields with a name, in order.
    ///
    /// - Parameter name: in lower case.
    public func all(_ name: StaticString) -> [ArraySlice<UInt8>] {
        var values: [ArraySlice<UInt8>] = []
        for entry in entries where matches(entry, name) { values.append(bytes[entry.value]) }
        return values
    }

    /// The number of fields with a name, which is in lower case.
    public func count(of name: StaticString) -> Int {
        var count = 0
        for entry in entries where matches(entry, name) { count &+= 1 }
        return count
    }

    /// Whether there is a field with a name, which is in lower case.
    public func contains(_ name: StaticString) -> Bool {
        for entry in entries where matches(entry, name) { return true }
        return false
    }

    @inline(__always)
    private func matches(_ entry: Entry, _ name: StaticString) -> Bool {
        guard entry.nameEnd &- entry.nameStart == UInt32(truncatingIfNeeded: name.utf8CodeUnitCount)
        else { return false }
        return bytes.span.equals(entry.name, lowercase: name)
    }

    /// Adds a field at the end.
    ///
    /// - Throws: `WritingFault.fieldName` or `.fieldValue` if the bytes may not be in a message.
    public mutating func append(_ name: StaticString, _ value: some Collection<UInt8>)
        throws(WritingFault)
    {
        try reserve(name.utf8CodeUnitCount, value.count)
        let start = bytes.count
        bytes.append(text: name)
        try finish(start: start, value: value)
    }

    /// Adds a field with a text as value, which becomes UTF-8.
    public mutating func append(_ name: StaticString, _ value: String) throws(WritingFault) {
        try append(name, Array(value.utf8))
    }

    /// Adds a field whose name is not known beforehand.
    public mutating func append(name: some Collection<UInt8>, value: some Collection<UInt8>)
        throws(WritingFault)
    {
        try reserve(name.count, value.count)
        let start = bytes.count
        bytes.append(contentsOf: name)
        try finish(start: start, value: value)
    }

    /// Adds a field that holds a number.
    public mutating func append(_ name: StaticString, decimal: UInt64) throws(WritingFault) {
        var digits: [UInt8] = []
        digits.append(decimal: decimal)
        try append(name, digits)
    }

    private mutating func reserve(_ name: Int, _ value: Int) throws(WritingFault) {
        if !isSerialised { serialise() }
        if name > Self.maximumBytes || value > Self.maximumBytes
            || bytes.count &+ name &+ value > Self.maximumBytes
        {
            throw .tooLarge
        }
    }

    /// Checks the name from `start` on and appends the value with its line end.
    private mutating func finish(start: Int, value: some Collection<UInt8>) throws(WritingFault) {
        let name = start..<bytes.count
        if name.isEmpty { throw .fieldName }
        for index in name where !ByteSet.token.contains(bytes[index]) {
            bytes.removeSubrange(start...)
            throw .fieldName
        }
        bytes.append(ASCII.colon)
        bytes.append(ASCII.space)
        let valueStart = bytes.count
        bytes.append(contentsOf: value)
        for index in valueStart..<bytes.count where !bytes[index].isFieldByte {
            bytes.removeSubrange(start...)
            throw .fieldValue
        }
        // Blanks at the ends are no part of a value: a receiver would not see them.
        var range = valueStart..<bytes.count
        while let first = range.first, bytes[first].isBlank { range.removeFirst() }
        while let last = range.last, bytes[last].isBlank { range.removeLast() }
        bytes.appendLineEnd()
        entries.append(Entry(name: name, value: range))
    }

    /// Removes all fields with a name, which is in lower case. Linear in the size of all fields.
    public mutating func remove(_ name: StaticString) {
        guard contains(name) else { return }
        entries = entries.filter { !matches($0, name) }
        serialise()
    }

    /// Writes the fields anew, so that `bytes` holds nothing else.
    private mutating func serialise() {
        var written: [UInt8] = []
        written.reserveCapacity(bytes.count)
        for index in entries.indices {
            let entry = entries[index]
            let name = written.count
            written.append(contentsOf: bytes[entry.name])
            let nameEnd = written.count
            written.append(ASCII.colon)
            written.append(ASCII.space)
            let value = written.count
            written.append(contentsOf: bytes[entry.value])
            entries[index] = Entry(name: name..<nameEnd, value: value..<written.count)
            written.appendLineEnd()
        }
        bytes = written
        isSerialised = true
    }

    /// Appends the fields as lines.
    func write(to output: inout [UInt8]) {
        if isSerialised {
            output.append(contentsOf: bytes)
            return
        }
        for entry in entries {
            output.append(contentsOf: bytes[entry.name])
            output.append(ASCII.colon)
            output.append(ASCII.space)
            output.append(contentsOf: bytes[entry.value])
            output.appendLineEnd()
        }
    }
}

extension Fields: Equatable {
    /// Whether both have the same names and values in the same order, byte for byte.
    public static func == (left: Fields, right: Fields) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count {
            let (one, other) = (left[index], right[index])
            if one.name != other.name || one.value != other.value { return false }
        }
        return true
    }
}
