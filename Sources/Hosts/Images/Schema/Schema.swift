/// The tables and indexes of a database: `sqlite_schema`, section 2.6 of SQLite's file format.
final class Schema {
    struct Entry {
        var type: [UInt8]
        var name: [UInt8]
        var table: [UInt8]
        var root: UInt32
        var text: [UInt8]
    }

    /// The cookie of the header when it was read.
    let cookie: UInt32
    private(set) var entries: [Entry] = []
    private var tables: [String: Table] = [:]

    /// What a schema may have; each entry has at least a page or a name.
    private static let limit = 100_000

    init(_ pager: Pager) throws(ImageError) {
        cookie = try pager.page(1).number32(
            DatabaseHeader.Field.schemaCookie, .init(page: 1, .header))
        let encoding = pager.header.encoding
        var entries: [Entry] = []
        let tree = Tree(pager: pager, root: 1, isTable: true)
        var total = RowTotal(pager)
        try tree.forEachRow { (_, payload) throws(ImageError) in
            let values = try Record(payload, pager).values(payload, pager)
            let damage = ImageError.Damage(page: payload.page, .schema)
            guard values.count >= 5, entries.count < Self.limit,
                case .text(let type) = values[0], case .text(let name) = values[1],
                case .text(let table) = values[2]
            else { throw .damaged(damage) }
            var root: UInt32 = 0
            if case .integer(let number) = values[3] {
                guard let page = UInt32(exactly: number) else { throw .damaged(damage) }
                root = page
            }
            var text: [UInt8] = []
            if case .text(let bytes) = values[4] { text = bytes }
            try total.add(type.count + name.count + table.count + text.count, payload.page)
            entries.append(
                Entry(
                    type: Self.utf8(type, encoding), name: Self.utf8(name, encoding),
                    table: Self.utf8(table, encoding), root: root, text: Self.utf8(text, encoding)))
            return true
        }
        self.entries = entries
    }

    /// Text of a database as UTF-8; whatever is no UTF-8 in one of UTF-8 stays as it is.
    static func utf8(_ bytes: [UInt8], _ encoding: UInt32) -> [UInt8] {
        guard encoding >= 2 else { return bytes }
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count / 2)
        for index in stride(from: 0, to: bytes.count - 1, by: 2) {
            let one = UInt16(truncatingIfNeeded: bytes[index])
            let other = UInt16(truncatingIfNeeded: bytes[index + 1])
            units.append(encoding == 2 ? one | other << 8 : one << 8 | other)
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// A table by its name; nil if there is none.
    func table(_ name: String, _ pager: Pager) throws(ImageError) -> Table? {
        if let table = tables[name] { return table }
        let wanted = Array(name.utf8)
        guard
            let entry = entries.first(where: {
                $0.type == Array("table".utf8) && Token.lowercased($0.name) == wanted
            })
        else { return nil }
        guard let definition = TableDefinition(entry.text) else {
            throw .unsupported(.definition(name: entry.name))
        }
        // Rows of such a table are entries of an index; what is computed has no place in a record.
        guard !definition.isWithoutRowid, !definition.columns.contains(where: \.isGenerated) else {
            throw .unsupported(.definition(name: entry.name))
        }
        var table = Table(
            pager: pager, name: entry.name, definition: definition,
            tree: Tree(pager: pager, root: entry.root, isTable: true))
        if definition.hasUnknown { table.obstacle = entry.name }
        for other in entries where Token.lowercased(other.table) == wanted {
            if other.type == Array("trigger".utf8) { table.obstacle = other.name }
            guard other.type == Array("index".utf8) else { continue }
            let columns = columns(of: other, definition)
            guard let columns, !columns.contains(where: { definition.columns[$0].hasCollation })
            else {
                table.obstacle = other.name
                continue
            }
            table.indexes.append(
                Table.Index(
                    columns: columns, tree: Tree(pager: pager, root: other.root, isTable: false)))
        }
        tables[name] = table
        return table
    }

    private func columns(of index: Entry, _ definition: TableDefinition) -> [Int]? {
        if !index.text.isEmpty { return definition.indexColumns(index.text) }
        // sqlite_autoindex_TABLE_NUMBER
        guard let line = index.name.lastIndex(of: UInt8(ascii: "_")),
            let number = Int(String(decoding: index.name[(line + 1)...], as: UTF8.self)),
            number >= 1, number <= definition.uniqueGroups.count
        else { return nil }
        return definition.uniqueGroups[number - 1]
    }
}
