/// Reads TOML documents into objects; members keep the order in which keys come first.
///
///     let configuration = try TOML.read(bytes)
///
/// Integers are exact, dates and times are `Document.dateTime`. Time is linear in the text.
///
/// Specification: TOML 1.0.0.
public enum TOML {
    public struct Options: Sendable, Equatable {
        public var bytes = 16 << 20
        /// Nested tables and arrays, 1…128; parts of one dotted key count.
        public var depth = 64

        public init() {}
    }

    public static func read(
        _ bytes: [UInt8], options: Options = Options()
    ) throws(TOMLError) -> Document {
        var reader = TOMLReader(bytes: bytes, options: options)
        return try reader.read()
    }

    /// A document and where its keys are, for messages about their values.
    public struct Source: Sendable {
        public let document: Document
        private let bytes: [UInt8]
        private let offsets: [String: Int]

        public init(_ bytes: [UInt8], options: Options = Options()) throws(TOMLError) {
            var reader = TOMLReader(bytes: bytes, options: options)
            reader.offsets = [:]
            document = try reader.read()
            self.bytes = bytes
            offsets = reader.offsets ?? [:]
        }

        /// Where the value with this path begins its key; for one inside of a value in braces or
        /// brackets, where that begins.
        ///
        /// - Parameter path: as `listen[1].address`: names with dots, tables of an array with
        ///   their index.
        public func place(of path: String) -> DocumentPlace? {
            var path = path[...]
            while true {
                if let offset = offsets[String(path)] {
                    var place = DocumentPlace()
                    place.advance(over: bytes[..<offset])
                    return place
                }
                guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else {
                    return nil
                }
                path = path[..<end]
            }
        }
    }
}

struct TOMLReader {
    let bytes: [UInt8]
    let options: TOML.Options
    let maximumDepth: Int
    var at = 0
    /// Where the keys of tables begin, by their paths; nil if nobody asks.
    var offsets: [String: Int]?

    init(bytes: [UInt8], options: TOML.Options) {
        self.bytes = bytes
        self.options = options
        maximumDepth = min(max(options.depth, 1), 128)
    }

    mutating func read() throws(TOMLError) -> Document {
        if bytes.count > options.bytes { throw error(.bytes(options.bytes)) }
        if (try? UTF8Span(validating: bytes.span)) == nil {
            throw error(.malformedUTF8, at: bytes[...].validUTF8Count)
        }
        let root = TOMLTable(.header)
        var table = root
        // Keys before the current table's own, which count for the depth.
        var depth = 0
        while true {
            skipSpace()
            guard let byte = peek() else { return root.document }
            switch byte {
            case UInt8(ascii: "#"), 0x0a, 0x0d: break
            case UInt8(ascii: "["): table = try header(root, &depth)
            default: try member(of: table, depth: depth)
            }
            skipSpace()
            try endOfLine()
        }
    }

    // MARK: Tables

    private mutating func header(
        _ root: TOMLTable, _ depth: inout Int
    ) throws(TOMLError) -> TOMLTable {
        let start = at
        at += 1
        let isArray = peek() == UInt8(ascii: "[")
        if isArray { at += 1 }
        skipSpace()
        let keys = try keys(depth: 0)
        depth = keys.count
        try expect(UInt8(ascii: "]"), "']'")
        if isArray { try expect(UInt8(ascii: "]"), "']]'") }
        var table = root
        for key in keys.dropLast() {
            switch table[key] {
            case nil:
                let child = TOMLTable(.implicit, path: path(key, of: table))
                table.set(key, .table(child))
                table = child
            case .table(let child) where child.kind != .closed: table = child
            case .tables(let list):
                guard let last = list.tables.last else {
                    throw error(.redefinition(key), at: start)
                }
                table = last
            default: throw error(.redefinition(key), at: start)
            }
        }
        guard let key = keys.last else { throw error(.expected("a key"), at: start) }
        let path = path(key, of: table)
        let child = TOMLTable(.header, path: path)
        if isArray, offsets != nil {
            var index = 0
            if case .tables(let list) = table[key] { index = list.tables.count }
            child.path = "\(path)[\(index)]"
        }
        note(start, child.path)
        switch table[key] {
        case nil: table.set(key, isArray ? .tables(TOMLTable.List(child)) : .table(child))
        case .tables(let list) where isArray: list.append(child)
        case .table(let known) where !isArray && known.kind == .implicit:
            known.kind = .header
            return known
        default: throw error(.redefinition(key), at: start)
        }
        return child
    }

    /// Reads `key = value` into a table.
    mutating func member(of table: TOMLTable, depth: Int) throws(TOMLError) {
        let start = at
        let keys = try keys(depth: depth)
        try expect(UInt8(ascii: "="), "'='")
        skipSpace()
        var table = table
        for key in keys.dropLast() {
            switch table[key] {
            case nil:
                let child = TOMLTable(.dotted, path: path(key, of: table))
                table.set(key, .table(child))
                table = child
            case .table(let child) where child.kind == .dotted || child.kind == .implicit:
                // Once a dotted key adds to it, no header can open it.
                child.kind = .dotted
                table = child
            default: throw error(.redefinition(key), at: start)
            }
        }
        guard let key = keys.last, table[key] == nil else {
            throw error(.redefinition(keys.last ?? ""), at: start)
        }
        note(start, path(key, of: table))
        table.set(key, .value(try value(depth: depth + keys.count)))
    }

    private mutating func note(_ offset: Int, _ path: String) {
        guard offsets != nil, !path.isEmpty else { return }
        offsets?[path] = offset
    }

    /// Empty where nobody asks, and for tables in braces.
    private func path(_ key: String, of table: TOMLTable) -> String {
        guard offsets != nil, table.kind != .closed else { return "" }
        return table.path.isEmpty ? key : "\(table.path).\(key)"
    }

    /// Reads a dotted key, and the white space after it.
    private mutating func keys(depth: Int) throws(TOMLError) -> [String] {
        var keys: [String] = []
        while true {
            guard depth + keys.count < maximumDepth else { throw error(.depth(maximumDepth)) }
            keys.append(try key())
            skipSpace()
            guard peek() == UInt8(ascii: ".") else { return keys }
            at += 1
            skipSpace()
        }
    }

    private mutating func key() throws(TOMLError) -> String {
        switch peek() {
        case UInt8(ascii: "\""): return try basicString()
        case UInt8(ascii: "'"): return try literalString()
        default:
            let start = at
            while let byte = peek(), byte.isBareKey { at += 1 }
            guard at > start else { throw error(.expected("a key")) }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }
    }

    // MARK: Values

    mutating func value(depth: Int) throws(TOMLError) -> Document {
        switch peek() {
        case UInt8(ascii: "\""): return .string(try string(UInt8(ascii: "\"")))
        case UInt8(ascii: "'"): return .string(try string(UInt8(ascii: "'")))
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "{"): return try inlineTable(depth: depth + 1)
        case nil: throw error(.unexpectedEnd)
        default: return try word()
        }
    }

    private mutating func array(depth: Int) throws(TOMLError) -> Document {
        guard depth <= maximumDepth else { throw error(.depth(maximumDepth)) }
        at += 1
        var elements: [Document] = []
        while true {
            try skipLines()
            if peek() == UInt8(ascii: "]") { break }
            elements.append(try value(depth: depth))
            try skipLines()
            if peek() == UInt8(ascii: "]") { break }
            try expect(UInt8(ascii: ","), "',' or ']'")
        }
        at += 1
        return .array(elements)
    }

    private mutating func inlineTable(depth: Int) throws(TOMLError) -> Document {
        guard depth <= maximumDepth else { throw error(.depth(maximumDepth)) }
        at += 1
        let table = TOMLTable(.closed)
        skipSpace()
        if peek() == UInt8(ascii: "}") {
            at += 1
            return .object([])
        }
        while true {
            try member(of: table, depth: depth)
            skipSpace()
            if peek() == UInt8(ascii: "}") { break }
            try expect(UInt8(ascii: ","), "',' or '}'")
            skipSpace()
        }
        at += 1
        return table.document
    }

    // MARK: Space

    func peek() -> UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func expect(_ byte: UInt8, _ name: String) throws(TOMLError) {
        guard peek() == byte else {
            throw error(at < bytes.count ? .expected(name) : .unexpectedEnd)
        }
        at += 1
    }

    mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 { at += 1 }
    }

    private mutating func endOfLine() throws(TOMLError) {
        try skipComment()
        guard at < bytes.count else { return }
        guard try lineEnd() else { throw error(.expected("the end of the line")) }
    }

    /// Goes over LF or CR LF.
    mutating func lineEnd() throws(TOMLError) -> Bool {
        if peek() == 0x0d, at + 1 < bytes.count, bytes[at + 1] == 0x0a { at += 1 }
        guard peek() == 0x0a else { return false }
        at += 1
        return true
    }

    private mutating func skipComment() throws(TOMLError) {
        guard peek() == UInt8(ascii: "#") else { return }
        while let byte = peek(), byte != 0x0a {
            if byte == 0x0d, at + 1 < bytes.count, bytes[at + 1] == 0x0a { return }
            if byte.isTOMLControl { throw error(.controlCharacter(byte)) }
            at += 1
        }
    }

    private mutating func skipLines() throws(TOMLError) {
        repeat {
            skipSpace()
            try skipComment()
        } while try lineEnd()
    }

    func error(_ reason: TOMLError.Reason, at offset: Int? = nil) -> TOMLError {
        var place = DocumentPlace()
        place.advance(over: bytes[..<min(offset ?? at, bytes.count)])
        return TOMLError(reason: reason, place: place)
    }
}

extension UInt8 {
    fileprivate var isBareKey: Bool {
        isDigit || (self | 0x20) &- UInt8(ascii: "a") < 26 || self == UInt8(ascii: "_")
            || self == UInt8(ascii: "-")
    }

    /// A control character that cannot stand in text: all but the tab.
    var isTOMLControl: Bool { self < 0x20 && self != 0x09 || self == 0x7f }
}
