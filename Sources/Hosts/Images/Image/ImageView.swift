/// An image as one moment shows it, inside of `Image.read` or `Image.write`. Used after its
/// transaction, each call throws `ImageError.closed`.
public class ImageView {
    let image: Image
    var isOpen = true

    init(_ image: Image) { self.image = image }

    var pager: Pager { image.pager }

    func tables() throws(ImageError) -> ImageTables {
        guard isOpen, let tables = image.tables else { throw .closed }
        return tables
    }

    /// A number that changes when another program has changed the image, in the life of an `Image`;
    /// it may change without that.
    public var revision: UInt64 { pager.revision }

    // MARK: Objects

    /// The object at a path, compared byte by byte; nil if there is none. Two lookups in trees.
    public func object(at path: [UInt8]) throws(ImageError) -> ImageObject? {
        let tables = try tables()
        guard let name = try nameRow(path, tables) else { return nil }
        return try object(named: name, path, tables)
    }

    func nameRow(_ path: [UInt8], _ tables: ImageTables) throws(ImageError) -> Table.Row? {
        let names = tables.namespace
        var found: Table.Row?
        // Others may have stored text in another encoding: then only its meaning is compared.
        if pager.header.encoding >= 2 {
            try names.table.forEachRow { (row) throws(ImageError) in
                if try names.table.bytes(row, names.path) == path { found = row }
                return found == nil
            }
        } else {
            try names.table.forEachRow(names.path, .text(path)) { (row) throws(ImageError) in
                found = row
                return false
            }
        }
        return found
    }

    private func object(
        named name: Table.Row, _ path: [UInt8], _ tables: ImageTables
    ) throws(ImageError) -> ImageObject {
        let key = try tables.namespace.table.integer(name, tables.namespace.object)
        let row = try objectRow(ObjectKey(rawValue: key), tables)
        let objects = tables.objects
        let damage = ImageError.damaged(.init(page: row.payload.page, .value))
        let kind = String(
            decoding: try objects.table.requiredBytes(row, objects.kind), as: UTF8.self)
        guard let kind = ObjectKind(rawValue: kind) else { throw damage }
        return ImageObject(
            path: path, key: ObjectKey(rawValue: key), kind: kind,
            byteCount: try blob(row, tables).count)
    }

    func objectRow(_ key: ObjectKey, _ tables: ImageTables) throws(ImageError) -> Table.Row {
        guard let row = try tables.objects.table.row(key.rawValue) else {
            throw .noObject(path: Array("#\(key.rawValue)".utf8))
        }
        return row
    }

    /// Where the bytes of an object are in its record.
    func blob(_ row: Table.Row, _ tables: ImageTables) throws(ImageError) -> Range<Int> {
        let index = tables.objects.bytes
        guard index < row.record.columns.count, row.record.columns[index].type >= 12 else {
            throw .damaged(.init(page: row.payload.page, .value))
        }
        let column = row.record.columns[index]
        return column.offset..<(column.offset + column.count)
    }

    /// Objects whose path begins with `prefix` and is after `last`, in the order of their bytes, at
    /// most `limit`.
    public func objects(
        prefix: [UInt8] = [], after last: [UInt8]? = nil, limit: Int = .max
    ) throws(ImageError) -> [ImageObject] {
        let tables = try tables()
        var rows: [(path: [UInt8], row: Table.Row)] = []
        try forEachText(
            tables.namespace.table, tables.namespace.path, prefix: prefix, after: last
        ) { (path, row) throws(ImageError) in
            rows.append((path, row))
            return rows.count < limit
        }
        var objects: [ImageObject] = []
        for (path, row) in rows.prefix(limit) {
            objects.append(try object(named: row, path, tables))
        }
        return objects
    }

    /// Rows whose text in a column begins with `prefix`, in order: by the index if it helps.
    private func forEachText(
        _ table: Table, _ column: Int, prefix: [UInt8], after last: [UInt8]?,
        _ body: ([UInt8], Table.Row) throws(ImageError) -> Bool
    ) throws(ImageError) {
        var isIndexed = pager.header.encoding < 2
        var total = RowTotal(pager)
        if isIndexed, let index = table.index(column) {
            let start = last.map { Value.compare($0[...], prefix[...]) > 0 ? $0 : prefix } ?? prefix
            try index.tree.forEachEntry(from: [.text(start)]) { (entry) throws(ImageError) in
                guard case .text(let text)? = entry.first, text.starts(with: prefix) else {
                    return false
                }
                if text == last { return true }
                let row = try table.row(of: entry, index)
                try total.add(text.count, row.payload.page)
                return try body(text, row)
            }
        } else {
            isIndexed = false
        }
        if isIndexed { return }
        var rows: [([UInt8], Table.Row)] = []
        try table.forEachRow { (row) throws(ImageError) in
            let text = try table.bytes(row, column) ?? []
            let isAfter = last.map { Value.compare(text[...], $0[...]) > 0 } ?? true
            guard isAfter, text.starts(with: prefix) else { return true }
            try total.add(text.count, row.payload.page)
            rows.append((text, row))
            return true
        }
        rows.sort { Value.compare($0.0[...], $1.0[...]) < 0 }
        for (text, row) in rows {
            guard try body(text, row) else { return }
        }
    }

    /// All bytes of an object.
    public func bytes(of key: ObjectKey) throws(ImageError) -> [UInt8] {
        let tables = try tables()
        let row = try objectRow(key, tables)
        return try row.payload.bytes(pager, try blob(row, tables))
    }

    /// A part of the bytes of an object. Pages before it are passed by, one read each.
    ///
    /// - Throws: `outOfRange`.
    public func bytes(of key: ObjectKey, in range: Range<Int>) throws(ImageError) -> [UInt8] {
        let tables = try tables()
        let row = try objectRow(key, tables)
        let blob = try blob(row, tables)
        guard range.lowerBound >= 0, range.upperBound <= blob.count else {
            throw .outOfRange(offset: range.lowerBound, count: range.count)
        }
        let start = blob.lowerBound
        return try row.payload.bytes(
            pager, (start + range.lowerBound)..<(start + range.upperBound))
    }

    /// Lends the bytes of an object piece by piece, each at most a page, until `body` returns false.
    public func forEachPiece(
        of key: ObjectKey, _ body: (ArraySlice<UInt8>) throws(ImageError) -> Bool
    ) throws(ImageError) {
        let tables = try tables()
        let row = try objectRow(key, tables)
        try row.payload.forEachPiece(pager, try blob(row, tables), body)
    }

    // MARK: Links

    /// Links of which an object is the source.
    public func links(from key: ObjectKey) throws(ImageError) -> [ImageLink] {
        try links(tables().links.from, key)
    }

    /// Links of which an object is the target.
    public func links(to key: ObjectKey) throws(ImageError) -> [ImageLink] {
        try links(tables().links.to, key)
    }

    private func links(_ column: Int, _ key: ObjectKey) throws(ImageError) -> [ImageLink] {
        let links = try tables().links
        var found: [ImageLink] = []
        try links.table.forEachRow(column, .integer(key.rawValue)) { (row) throws(ImageError) in
            found.append(
                ImageLink(
                    key: row.rowid,
                    from: ObjectKey(rawValue: try links.table.integer(row, links.from)),
                    to: ObjectKey(rawValue: try links.table.integer(row, links.to))))
            return true
        }
        return found
    }

    // MARK: Tables of ours

    /// A table that only we have; nil if the image has none yet.
    func own(_ name: ImageTables.Own) throws(ImageError) -> Table? {
        try tables().schema.table(name.rawValue, pager)
    }

    /// Messages after a key, in order, at most `limit`.
    public func messages(
        after key: Int64 = 0, limit: Int = .max
    ) throws(ImageError) -> [QueuedMessage] {
        guard limit > 0, key < .max, let table = try own(.queue) else { return [] }
        let target = try ImageTables.column(table, "target")
        let sender = try ImageTables.column(table, "sender")
        let bytes = try ImageTables.column(table, "bytes")
        var messages: [QueuedMessage] = []
        var total = RowTotal(pager)
        try table.forEachRow(from: key + 1) { (row) throws(ImageError) in
            try total.add(row.payload.count, row.payload.page)
            messages.append(
                QueuedMessage(
                    key: row.rowid, target: try table.requiredBytes(row, target),
                    sender: try table.bytes(row, sender),
                    bytes: try table.requiredBytes(row, bytes)))
            return messages.count < limit
        }
        return messages
    }

    /// The binding at a path; nil if there is none.
    public func binding(at path: [UInt8]) throws(ImageError) -> ImageBinding? {
        guard let table = try own(.binding) else { return nil }
        let column = try ImageTables.column(table, "path")
        guard let row = try row(table, column, path) else { return nil }
        return try binding(table, row, path)
    }

    /// Bindings whose path begins with `prefix`, in order.
    public func bindings(prefix: [UInt8] = []) throws(ImageError) -> [ImageBinding] {
        guard let table = try own(.binding) else { return [] }
        let column = try ImageTables.column(table, "path")
        var found: [ImageBinding] = []
        var total = RowTotal(pager)
        try forEachText(table, column, prefix: prefix, after: nil) {
            (path, row) throws(ImageError) in
            try total.add(row.payload.count, row.payload.page)
            found.append(try binding(table, row, path))
            return true
        }
        return found
    }

    private func binding(
        _ table: Table, _ row: Table.Row, _ path: [UInt8]
    ) throws(ImageError) -> ImageBinding {
        let kind = try table.requiredBytes(row, try ImageTables.column(table, "kind"))
        guard let kind = ImageBinding.Kind(rawValue: String(decoding: kind, as: UTF8.self)) else {
            throw .damaged(.init(page: row.payload.page, .value))
        }
        let target = try table.requiredBytes(row, try ImageTables.column(table, "target"))
        return ImageBinding(path: path, kind: kind, target: target)
    }

    /// A value that the host keeps in the image, such as a counter; nil if it is not set.
    public func setting(_ name: String) throws(ImageError) -> [UInt8]? {
        guard let table = try own(.setting) else { return nil }
        let column = try ImageTables.column(table, "name")
        guard let row = try row(table, column, Array(name.utf8)) else { return nil }
        return try table.bytes(row, try ImageTables.column(table, "value"))
    }

    /// Names of values of the host that begin with `prefix` and are after `last`, in the order of
    /// their bytes, at most `limit`.
    public func settingNames(
        prefix: String, after last: String? = nil, limit: Int = .max
    ) throws(ImageError) -> [String] {
        guard limit > 0, let table = try own(.setting) else { return [] }
        let column = try ImageTables.column(table, "name")
        var names: [String] = []
        try forEachText(
            table, column, prefix: Array(prefix.utf8), after: last.map { Array($0.utf8) }
        ) { (name, _) throws(ImageError) in
            names.append(String(decoding: name, as: UTF8.self))
            return names.count < limit
        }
        return names
    }

    /// The row that has a text in a column without duplicates.
    func row(_ table: Table, _ column: Int, _ text: [UInt8]) throws(ImageError) -> Table.Row? {
        var found: Table.Row?
        try table.forEachRow(column, .text(text)) { (row) throws(ImageError) in
            found = row
            return false
        }
        return found
    }
}
