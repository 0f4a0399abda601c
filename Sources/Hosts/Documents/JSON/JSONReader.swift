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
    private var frame = JSONFrame(isObject: false)
    private var stack: [JSONFrame] = []
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
            if options.packsBytes, !frame.isObject, !stack.isEmpty, frame.elements.isEmpty,
                case .integer(let value) = number, let byte = UInt8(exactly: value)
            {
                frame.packed.append(byte)
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
            guard try literal(bytes, "true") else { return false }
            try add(.boolean(true))
        case UInt8(ascii: "f"):
            guard try literal(bytes, "false") else { return false }
            try add(.boolean(false))
        case UInt8(ascii: "n"):
            guard try literal(bytes, "null") else { return false }
            try add(.null)
        case UInt8(ascii: "]") where expectation == .firstElement:
            try close()
        default:
            throw error(.expected("a value"), at: position)
        }
        return true
    }

    private mutating func literal(
        _ bytes: [UInt8], _ word: StaticString
    ) throws(JSONError) -> Bool {
        for (index, byte) in word.description.utf8.enumerated() {
            guard position + index < bytes.count else {
                if isComplete { throw error(.unexpectedEnd, at: bytes.count) }
                return false
            }
            guard bytes[position + index] == byte else {
                throw error(.expected("a value"), at: position)
            }
        }
        position += word.utf8CodeUnitCount
        return true
    }

    @inline(__always)
    private mutating func add(_ value: Document) throws(JSONError) {
        values += 1
        if values > options.limits.values {
            throw error(.limit(.values, options.limits.values), at: position)
        }
        if stack.isEmpty {
            root = value
            expectation = .nothing
        } else {
            frame.add(value)
            expectation = .separator
        }
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard stack.count < maximumDepth else {
            throw error(.limit(.depth, maximumDepth), at: position)
        }
        if !stack.isEmpty, !frame.isObject { frame.unpack() }
        stack.append(frame)
        frame = JSONFrame(isObject: isObject)
        position += 1
    }

    private mutating func close() throws(JSONError) {
        position += 1
        let document = frame.document
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
        if frame.take(name: text, mark: nameMark(bytes, start)) {
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

/// An array or object that has not ended.
struct JSONFrame: Sendable {
    let isObject: Bool
    var elements: [Document] = []
    /// The first elements, as long as all are bytes and the options pack them.
    var packed: [UInt8] = []
    private var members: [Document.Member] = []
    private var name = ""
    private var marks: [UInt32] = []
    /// All names, once there are more than can be compared one by one.
    private var names: Set<ByteName> = []

    private static let comparedNames = 16

    init(isObject: Bool) { self.isObject = isObject }

    @inline(__always)
    mutating func add(_ value: Document) {
        if isObject {
            members.append(Document.Member(name, value))
        } else {
            if !packed.isEmpty { unpack() }
            elements.append(value)
        }
    }

    mutating func unpack() {
        guard !packed.isEmpty else { return }
        elements = packed.map { .integer(Int64($0)) }
        packed = []
    }

    var document: Document {
        if isObject { return .object(members) }
        return packed.isEmpty ? .array(elements) : .bytes(packed)
    }

    /// Keeps the name of the member that follows; whether it repeats.
    mutating func take(name: String, mark: UInt32) -> Bool {
        self.name = name
        if members.count < Self.comparedNames {
            var repeats = false
            for index in marks.indices
            where marks[index] == mark || marks[index] == .max || mark == .max {
                if members[index].name.hasSameBytes(as: name) { repeats = true }
            }
            marks.append(mark)
            return repeats
        }
        if names.isEmpty { names = Set(members.map { ByteName(text: $0.name) }) }
        return !names.insert(ByteName(text: name)).inserted
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
