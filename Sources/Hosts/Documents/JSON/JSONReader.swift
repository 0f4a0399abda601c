/// Reads a JSON document, whole or in pieces, and in steps.
///
///     let document = try JSONReader.read(bytes)
///
///     var reader = JSONReader()
///     for await piece in pieces {
///         reader.feed(piece)
///         while case .paused = try reader.advance(bytes: 64 << 10) { await loop.yield() }
///     }
///     reader.finish()
///     guard case .finished(let document) = try reader.advance() else { ... }
///
/// Time is linear in the text, whatever is in it and however it is cut. There is no recursion.
///
/// Integers of 64 bits are exact. An integer beyond, and `-0`, become doubles. Half of a surrogate
/// pair, malformed UTF-8, a byte order mark and numbers beyond the range of doubles are refused.
///
/// Specification: RFC 8259.
public struct JSONReader: Sendable {
    /// How far a step came.
    public enum Progress: Sendable, Equatable {
        /// The step is over, and there is more to read.
        case paused
        /// All bytes are read, and the document has not ended: `feed` or `finish`.
        case needsInput
        case finished(Document)
    }

    /// A name that repeats in its object, and where.
    public struct Duplicate: Sendable, Equatable {
        public var name: String
        public var place: DocumentPlace
    }

    /// The first 16 names that repeated, if the options keep such members.
    public private(set) var duplicates: [Duplicate] = []

    let options: JSONOptions
    private let maximumDepth: Int
    /// What was fed and may still be needed.
    var buffer: [UInt8] = []
    /// The next byte of the buffer.
    var position = 0
    /// The place of the buffer's first byte.
    private var origin = DocumentPlace()
    var isComplete = false
    private var failure: JSONError?

    private enum Expectation {
        case value, firstElement, firstName, name, colon, separator, nothing
    }
    private var expectation = Expectation.value
    /// The innermost array or object that has not ended; nothing of it counts while `stack` is
    /// empty.
    private var frame = JSONFrame(isObject: false)
    private var stack: [JSONFrame] = []
    private var contents = JSONContents()
    private var root: Document?
    private var values = 0
    /// Bytes of the string at `position` that were looked at, with the opening quote.
    var scanned = 0
    var hasEscapes = false

    public init(options: JSONOptions = JSONOptions()) {
        self.options = options
        maximumDepth = min(max(options.limits.depth, 1), 512)
    }

    /// Reads a whole document.
    public static func read(
        _ bytes: [UInt8], options: JSONOptions = JSONOptions()
    ) throws(JSONError) -> Document {
        var reader = JSONReader(options: options)
        reader.feed(bytes)
        reader.finish()
        while true {
            if case .finished(let document) = try reader.advance() { return document }
        }
    }

    /// Adds a piece of the text, cut anywhere.
    public mutating func feed(_ bytes: [UInt8]) {
        if position == buffer.count {
            forgetRead()
            buffer = bytes
        } else {
            if position > 4096, position > buffer.count / 2 { forgetRead() }
            buffer.append(contentsOf: bytes)
        }
    }

    /// Says that the text has no more pieces.
    public mutating func finish() { isComplete = true }

    private mutating func forgetRead() {
        origin.advance(over: buffer[..<position])
        buffer.removeSubrange(..<position)
        position = 0
    }

    /// Reads about so many bytes and pauses; a string goes to its end once that is there.
    ///
    /// - Throws: what is wrong with the text, and the same at each later call.
    public mutating func advance(bytes budget: Int = .max) throws(JSONError) -> Progress {
        if let failure { throw failure }
        do throws(JSONError) {
            return try step(budget)
        } catch {
            failure = error
            throw error
        }
    }

    func error(_ reason: JSONError.Reason, at position: Int) -> JSONError {
        var place = origin
        place.advance(over: buffer[..<min(position, buffer.count)])
        return JSONError(reason: reason, place: place)
    }

    private mutating func step(_ budget: Int) throws(JSONError) -> Progress {
        if origin.offset + buffer.count > options.limits.bytes {
            throw error(.limit(.bytes, options.limits.bytes), at: position)
        }
        let bytes = buffer
        // A string that is not at its end goes on where the last step stopped.
        let start = min(position + scanned, bytes.count)
        let end = max(budget, 1) < bytes.count - start ? start + max(budget, 1) : bytes.count
        while true {
            var at = position
            while at < end, bytes[at].isJSONSpace { at += 1 }
            position = at
            guard at < end else {
                if end < bytes.count { return .paused }
                guard isComplete else { return .needsInput }
                if let root { return .finished(root) }
                throw error(.unexpectedEnd, at: at)
            }
            let isWhole =
                switch expectation {
                case .value, .firstElement: try value(bytes, bytes[at], upTo: end)
                case .name, .firstName: try name(bytes, bytes[at], upTo: end)
                case .colon: try colon(bytes[at])
                case .separator: try separator(bytes[at])
                case .nothing: throw error(.trailingBytes, at: at)
                }
            // What follows most often needs no further turn.
            if isWhole, position < end {
                if expectation == .separator, bytes[position] == UInt8(ascii: ",") {
                    position += 1
                    expectation = frame.isObject ? .name : .value
                } else if expectation == .colon, bytes[position] == UInt8(ascii: ":") {
                    position += 1
                    expectation = .value
                }
            }
            // Only strings stop at the end of a step; numbers and words need all their bytes.
            if !isWhole { return scanned > 0 && end < bytes.count ? .paused : .needsInput }
        }
    }

    // MARK: Values

    /// Reads what begins at the position; false if its end has not been reached.
    @inline(__always)
    private mutating func value(
        _ bytes: [UInt8], _ first: UInt8, upTo end: Int
    ) throws(JSONError) -> Bool {
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            guard let number = try number(bytes) else { return false }
            if options.packsBytes, case .integer(let value) = number,
                let byte = UInt8(exactly: value), !stack.isEmpty, contents.pack(byte, in: frame)
            {
                expectation = .separator
                return true
            }
            try add(number)
        case UInt8(ascii: "\""):
            guard let text = try string(bytes, upTo: end) else { return false }
            try add(.string(text))
        case UInt8(ascii: "{"):
            try open(isObject: true)
            expectation = .firstName
        case UInt8(ascii: "["):
            try open(isObject: false)
            expectation = .firstElement
        case UInt8(ascii: "t"):
            return try literal(bytes, "true", .boolean(true))
        case UInt8(ascii: "f"):
            return try literal(bytes, "false", .boolean(false))
        case UInt8(ascii: "n"):
            return try literal(bytes, "null", .null)
        case UInt8(ascii: "]") where expectation == .firstElement:
            try close()
        default:
            throw error(.expected("a value"), at: position)
        }
        return true
    }

    private mutating func literal(
        _ bytes: [UInt8], _ word: StaticString, _ value: Document
    ) throws(JSONError) -> Bool {
        var at = position
        for letter in word.description.utf8 {
            guard at < bytes.count else {
                if isComplete { throw error(.unexpectedEnd, at: at) }
                return false
            }
            guard bytes[at] == letter else { throw error(.expected("a value"), at: position) }
            at += 1
        }
        position = at
        try add(value)
        return true
    }

    @inline(__always)
    private mutating func add(_ value: Document) throws(JSONError) {
        try count(1)
        if stack.isEmpty {
            root = value
            expectation = .nothing
        } else {
            contents.add(value, to: frame)
            expectation = .separator
        }
    }

    /// Counts values, and those that were packed before: they are about to be values of their own.
    @inline(__always)
    private mutating func count(_ more: Int) throws(JSONError) {
        values += more + contents.packedCount
        if values > options.limits.values {
            throw error(.limit(.values, options.limits.values), at: position)
        }
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard stack.count < maximumDepth else {
            throw error(.limit(.depth, maximumDepth), at: position)
        }
        try count(0)
        contents.unpack()
        stack.append(frame)
        frame = contents.begin(isObject: isObject)
        position += 1
    }

    private mutating func close() throws(JSONError) {
        position += 1
        let document = contents.end(frame)
        frame = stack.removeLast()
        // The frame below the outermost document is empty, so `stack` tells what is open.
        try add(document)
    }

    // MARK: Between values

    private mutating func name(
        _ bytes: [UInt8], _ first: UInt8, upTo end: Int
    ) throws(JSONError) -> Bool {
        if first == UInt8(ascii: "}"), expectation == .firstName {
            try close()
            return true
        }
        guard first == UInt8(ascii: "\"") else { throw error(.expected("a name"), at: position) }
        let start = position
        guard let text = try string(bytes, upTo: end) else { return false }
        if contents.take(name: text, mark: nameMark(bytes, start), in: &frame) {
            if options.duplicates == .refuse { throw error(.duplicateName(text), at: start) }
            if duplicates.count < 16 {
                duplicates.append(
                    Duplicate(name: text, place: error(.unexpectedEnd, at: start).place))
            }
        }
        expectation = .colon
        return true
    }

    /// Four bytes of a name as it is written, to tell most names apart.
    private func nameMark(_ bytes: [UInt8], _ start: Int) -> UInt32 {
        guard !hasEscapes else { return .max }
        let middle = bytes[start + (position - start) / 2]
        var mark = UInt32(truncatingIfNeeded: position - start)
        mark = mark << 8 ^ UInt32(truncatingIfNeeded: bytes[start + 1])
        mark = mark << 8 ^ UInt32(truncatingIfNeeded: middle)
        mark = mark << 8 ^ UInt32(truncatingIfNeeded: bytes[position - 2])
        return mark
    }

    private mutating func colon(_ byte: UInt8) throws(JSONError) -> Bool {
        guard byte == UInt8(ascii: ":") else { throw error(.expected("':'"), at: position) }
        position += 1
        expectation = .value
        return true
    }

    @inline(__always)
    private mutating func separator(_ byte: UInt8) throws(JSONError) -> Bool {
        if byte == UInt8(ascii: ",") {
            position += 1
            expectation = frame.isObject ? .name : .value
        } else if byte == (frame.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            try close()
        } else {
            throw error(.expected(frame.isObject ? "',' or '}'" : "',' or ']'"), at: position)
        }
        return true
    }
}

extension UInt8 {
    /// Space, tab, LF or CR.
    @inline(__always)
    var isJSONSpace: Bool {
        self <= 0x20 && (self == 0x20 || self == 0x0a || self == 0x0d || self == 0x09)
    }

    @inline(__always)
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// 0…15 for a hexadecimal digit.
    var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
