/// Writes JSON as it goes, without white space; what was written can be taken away piece by piece.
///
///     var writer = JSONWriter()
///     writer.beginObject()
///     writer.name("rows")
///     writer.beginArray()
///     for row in rows {
///         writer.value(row)
///         if writer.bytes.count > 64 << 10 { try await send(writer.take()) }
///     }
///     writer.endArray()
///     writer.endObject()
///
/// Doubles are the shortest that read as the same double, with a point or an exponent, so that
/// they are read as doubles again. Control characters and DEL are escaped; all else is UTF-8.
///
/// Specification: RFC 8259.
public struct JSONWriter: Sendable {
    /// How values are written that JSON does not know.
    public struct Options: Sendable, Equatable {
        public enum NonFinite: Sendable {
            case null
            /// The strings `NaN`, `Infinity` and `-Infinity`.
            case text
        }
        public enum Bytes: Sendable {
            /// An array of integers.
            case array
            /// A string in base64.
            case base64
            /// `{"$binary":"BASE64"}`.
            case object
        }

        public var nonFinite = NonFinite.null
        public var bytes = Bytes.array

        public init() {}
    }

    /// What was written and not taken.
    public internal(set) var bytes: [UInt8] = []

    let options: Options
    /// Whether a comma comes before the next value or name.
    private var needsComma = false

    public init(options: Options = Options()) { self.options = options }

    /// A writer with room for so many bytes.
    public init(options: Options = Options(), capacity: Int) {
        self.options = options
        bytes.reserveCapacity(capacity)
    }

    /// The document as bytes.
    public static func write(_ document: Document, options: Options = Options()) -> [UInt8] {
        var writer = JSONWriter(options: options)
        writer.value(document)
        return writer.bytes
    }

    /// Takes what was written away.
    public mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    // MARK: Parts

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// The name of the member whose value follows.
    public mutating func name(_ name: String) {
        appendString(name, comma: needsComma, colon: true)
        needsComma = false
    }

    /// The same for a name without characters that need an escape.
    public mutating func name(plain name: StaticString) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        append(name)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string whose bytes, which `write` appends, are ASCII and need no escape.
    public mutating func plainString(_ write: (inout [UInt8]) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        write(&bytes)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// A member of an object.
    public mutating func member(_ name: String, _ value: Document) {
        self.name(name)
        self.value(value)
    }

    /// A whole document, or the value of a member, or an element.
    public mutating func value(_ document: Document) {
        if !document.holdsValues(options) { return scalar(document) }
        var walk = JSONWalk(document)
        while !walk.step(&self, upTo: .max) {}
    }

    mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    /// A value that holds no other.
    @inline(__always)
    mutating func scalar(_ value: Document) {
        appendScalar(value, comma: needsComma)
        needsComma = true
    }
}

/// Writes a document in steps, so that a large one neither occupies its loop nor exists as text.
///
///     var walk = JSONWalk(document)
///     var isDone = false
///     while !isDone {
///         isDone = walk.step(&writer, upTo: 64 << 10)
///         try await send(writer.take())
///     }
public struct JSONWalk: Sendable {
    private enum Contents: Sendable {
        case elements([Document])
        case members([Document.Member])
        case packed([UInt8])
    }

    /// What is written of an array or object.
    private struct Level: Sendable {
        var contents: Contents
        var next = 0
    }

    /// Arrays and objects that have not ended, but for the innermost.
    private var levels: [Level] = []
    private var innermost: Level?
    private var root: Document?

    public init(_ document: Document) { root = document }

    /// Writes until the writer holds so many bytes or the document ends; whether it ended. One
    /// string may go beyond the count.
    public mutating func step(_ writer: inout JSONWriter, upTo count: Int) -> Bool {
        if let document = root {
            root = nil
            open(document, &writer)
        }
        while let level = innermost {
            var next = level.next
            var opened: Document?
            var isOver = false
            switch level.contents {
            case .elements(let elements):
                while next < elements.count, opened == nil, writer.bytes.count < count {
                    let value = elements[next]
                    next += 1
                    if value.holdsValues(writer.options) {
                        opened = value
                    } else {
                        writer.scalar(value)
                    }
                }
                isOver = next == elements.count
            case .members(let members):
                while next < members.count, opened == nil, writer.bytes.count < count {
                    writer.name(members[next].name)
                    if members[next].value.holdsValues(writer.options) {
                        opened = members[next].value
                    } else {
                        writer.scalar(members[next].value)
                    }
                    next += 1
                }
                isOver = next == members.count
            case .packed(let bytes):
                while next < bytes.count, writer.bytes.count < count {
                    writer.scalar(.integer(Int64(bytes[next])))
                    next += 1
                }
                isOver = next == bytes.count
            }
            innermost?.next = next
            if let opened {
                open(opened, &writer)
            } else if isOver {
                if case .members = level.contents {
                    writer.end(UInt8(ascii: "}"))
                } else {
                    writer.end(UInt8(ascii: "]"))
                }
                innermost = levels.popLast()
            } else {
                return false
            }
        }
        return true
    }

    private mutating func open(_ document: Document, _ writer: inout JSONWriter) {
        let contents: Contents
        switch document {
        case .array(let elements): contents = .elements(elements)
        case .object(let members): contents = .members(members)
        case .bytes(let bytes) where writer.options.bytes == .array: contents = .packed(bytes)
        default:
            writer.scalar(document)
            return
        }
        if case .members = contents {
            writer.begin(UInt8(ascii: "{"))
        } else {
            writer.begin(UInt8(ascii: "["))
        }
        if let innermost { levels.append(innermost) }
        innermost = Level(contents: contents)
    }
}

extension Document {
    @inline(__always)
    func holdsValues(_ options: JSONWriter.Options) -> Bool {
        switch self {
        case .array, .object: true
        case .bytes: options.bytes == .array
        default: false
        }
    }
}
