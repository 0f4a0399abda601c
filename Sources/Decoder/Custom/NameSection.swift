/// Names that tools gave the parts of a module, from the custom section "name".
///
/// They mean nothing to the program and may be missing or wrong; they are for people.
///
/// Specification: 7.7.1 (name section); the subsections for labels, types, tables, memories,
/// globals, segments and fields come from the proposal extended-name-section.
public struct NameSection: Sendable {
    public var module: Name?
    public var functions = NameMap()
    /// By function index.
    public var locals = IndirectNameMap()
    /// By function index; labels are numbered in the order in which blocks begin.
    public var labels = IndirectNameMap()
    public var types = NameMap()
    public var tables = NameMap()
    public var memories = NameMap()
    public var globals = NameMap()
    public var elementSegments = NameMap()
    public var dataSegments = NameMap()
    /// By type index.
    public var fields = IndirectNameMap()
    public var tags = NameMap()
}

/// Names by index.
///
/// The names stay where they are in the file; looking one up takes a binary search and a copy.
public struct NameMap: Sendable {
    private struct Entry {
        let index: UInt32
        let start: UInt32
        let length: UInt32
    }

    private var bytes: ModuleBytes?
    /// Sorted by index; of several with one index the first in the file comes first.
    private var entries: [Entry] = []

    init() {}

    /// A vector of indices and names.
    init(
        _ reader: inout BinaryReader, _ bytes: ModuleBytes, _ room: inout NameRoom
    ) throws(DecodingError) {
        self.bytes = bytes
        let count = try reader.count()
        try room.take(count, at: reader.offset)
        entries.reserveCapacity(min(count, reader.remaining / 2))
        var isSorted = true
        for _ in 0..<count {
            let index = try reader.unsigned32()
            let length = try reader.nameBytes().count
            if let last = entries.last, last.index > index { isSorted = false }
            entries.append(
                Entry(
                    index: index, start: UInt32(clamping: reader.offset - length),
                    length: UInt32(clamping: length)))
        }
        // The format asks for order; tools that do not care are forgiven.
        if !isSorted { entries.sort { ($0.index, $0.start) < ($1.index, $1.start) } }
    }

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }

    /// The name of the entity with an index, if it has one.
    public subscript(index: UInt32) -> Name? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].index < index { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].index == index else { return nil }
        return name(of: entries[low])
    }

    /// All names in the order of their indices.
    public var all: [(index: UInt32, name: Name)] {
        entries.map { ($0.index, name(of: $0)) }
    }

    private func name(of entry: Entry) -> Name {
        let start = Int(entry.start)
        let range = ByteRange(start: start, end: start + Int(entry.length))
        return Name(utf8: bytes?[range] ?? [])
    }
}

/// Names by two indices: of locals by function, of fields by type.
public struct IndirectNameMap: Sendable {
    private var maps: [UInt32: NameMap] = [:]

    init() {}

    init(
        _ reader: inout BinaryReader, _ bytes: ModuleBytes, _ room: inout NameRoom
    ) throws(DecodingError) {
        for _ in 0..<(try reader.count()) {
            // A map takes as much memory as some names.
            try room.take(4, at: reader.offset)
            let index = try reader.unsigned32()
            let map = try NameMap(&reader, bytes, &room)
            if maps[index] == nil { maps[index] = map }
        }
    }

    public var isEmpty: Bool { maps.isEmpty }

    /// The names of what is inside the entity with an index.
    public subscript(index: UInt32) -> NameMap? { maps[index] }

    /// The indices of the entities that have names inside, in order.
    public var indices: [UInt32] { maps.keys.sorted() }
}

/// How many names may still be read: two bytes of a hostile file would become dozens.
struct NameRoom {
    private var left: Int

    init(of bytes: ModuleBytes) { left = (1 << 20) + bytes.count / 16 }

    mutating func take(_ count: Int, at offset: Int) throws(DecodingError) {
        guard count <= left else { throw DecodingError(.lengthOutOfBounds, at: offset) }
        left -= count
    }
}

extension ParsedModule {
    /// Decodes the name section: the custom section "name", the first if there are several.
    ///
    /// Nil if there is none, or it is malformed or has far more names than a module of its size. Cost: proportional to its size, every time.
    public func names() -> NameSection? {
        guard let section = customSections.first(where: { $0.name == "name" }) else { return nil }
        var reader = reader(of: section.content)
        return try? NameSection(&reader, bytes)
    }
}

extension NameSection {
    fileprivate init(_ reader: inout BinaryReader, _ bytes: ModuleBytes) throws(DecodingError) {
        self.init()
        var room = NameRoom(of: bytes)
        while !reader.isAtEnd {
            let id = try reader.byte()
            let size = try reader.count()
            let start = reader.offset
            var part = BinaryReader(
                bytes, range: ByteRange(start: start, end: start + size), features: [])
            switch id {
            case 0: module = try part.name()
            case 1: functions = try NameMap(&part, bytes, &room)
            case 2: locals = try IndirectNameMap(&part, bytes, &room)
            case 3: labels = try IndirectNameMap(&part, bytes, &room)
            case 4: types = try NameMap(&part, bytes, &room)
            case 5: tables = try NameMap(&part, bytes, &room)
            case 6: memories = try NameMap(&part, bytes, &room)
            case 7: globals = try NameMap(&part, bytes, &room)
            case 8: elementSegments = try NameMap(&part, bytes, &room)
            case 9: dataSegments = try NameMap(&part, bytes, &room)
            case 10: fields = try IndirectNameMap(&part, bytes, &room)
            case 11: tags = try NameMap(&part, bytes, &room)
            default: break
            }
            try reader.skip(size)
        }
    }
}
