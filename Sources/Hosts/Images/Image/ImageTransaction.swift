/// An image that is being changed, inside of `Image.write`.
///
/// After `objectExists`, `noObject`, `objectLinked` and `outOfRange` of a range nothing is changed,
/// and the transaction may go on. Any other error must end it.
public final class ImageTransaction: ImageView {
    // MARK: Objects

    /// Adds an object with its name.
    ///
    /// - Throws: `objectExists`, `tooLarge`.
    @discardableResult
    public func addObject(
        _ path: [UInt8], _ kind: ObjectKind, _ bytes: [UInt8]
    ) throws(ImageError) -> ObjectKey {
        var isGiven = false
        return try addObject(path, kind, byteCount: bytes.count) { () throws(ImageError) in
            defer { isGiven = true }
            return isGiven ? [] : bytes[...]
        }
    }

    /// Adds an object whose bytes come in pieces: `next` is called until it has given `byteCount`
    /// bytes. Memory is used for one piece.
    ///
    /// - Throws: `objectExists`, `tooLarge`; `outOfRange` if a piece is empty before the end, or
    ///   there are more bytes.
    @discardableResult
    public func addObject(
        _ path: [UInt8], _ kind: ObjectKind, byteCount: Int,
        next: () throws(ImageError) -> ArraySlice<UInt8>
    ) throws(ImageError) -> ObjectKey {
        let tables = try tables()
        let objects = tables.objects
        try objects.table.checkWriting()
        if try nameRow(path, tables) != nil { throw .objectExists(path: path) }
        let key = try newKey(objects.table, tables)
        var pairs = [(column: Int, value: Value)]()
        pairs.append((objects.kind, .text(Array(kind.rawValue.utf8))))
        pairs.append((objects.bytes, .blob([])))
        let values = objects.table.values(pairs)
        try setObject(key, values, byteCount, tables, next)
        try objects.table.addEntries(key, values)
        try addName(path, key, tables)
        return ObjectKey(rawValue: key)
    }

    /// Writes the row of an object, whose bytes come last or are followed by columns of others.
    private func setObject(
        _ key: Int64, _ values: [Value], _ count: Int, _ tables: ImageTables,
        _ next: () throws(ImageError) -> ArraySlice<UInt8>
    ) throws(ImageError) {
        guard count >= 0, count <= Image.maximumBytes else { throw .tooLarge(count) }
        let column = tables.objects.bytes
        // The bytes go through in pieces only if nothing comes after them.
        guard column == values.count - 1, !isIndexed(column, tables) else {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let piece = try next()
                guard !piece.isEmpty else { throw .outOfRange(offset: bytes.count, count: count) }
                bytes += piece
            }
            guard bytes.count == count else { throw .outOfRange(offset: count, count: bytes.count) }
            var values = values
            values[column] = .blob(bytes)
            return try tables.objects.table.tree.setRow(key, Record.encode(values))
        }
        var fields: [Record.Field] = values.dropLast().map { .value($0) }
        fields.append(.blobOf(count))
        let start = Record.encode(fields)
        var rest: ArraySlice<UInt8> = []
        var given = 0
        try tables.objects.table.tree.setRow(key, count: start.count + count, start: start) {
            (wanted) throws(ImageError) in
            if rest.isEmpty {
                rest = try next()
                guard !rest.isEmpty else { throw .outOfRange(offset: given, count: count) }
                given += rest.count
            }
            let part = rest.prefix(wanted)
            rest = rest.dropFirst(part.count)
            return part
        }
        guard rest.isEmpty else { throw .outOfRange(offset: count, count: rest.count) }
    }

    private func isIndexed(_ column: Int, _ tables: ImageTables) -> Bool {
        tables.objects.table.indexes.contains { $0.columns.contains(column) }
    }

    private func addName(
        _ path: [UInt8], _ key: Int64, _ tables: ImageTables
    ) throws(ImageError) {
        let names = tables.namespace
        let values = names.table.values([(names.path, .text(path)), (names.object, .integer(key))])
        try names.table.insert(try newKey(names.table, tables), values)
    }

    /// The key of a new row; in tables with `AUTOINCREMENT` above all that there ever were.
    private func newKey(_ table: Table, _ tables: ImageTables) throws(ImageError) -> Int64 {
        let next = try table.nextRowid()
        guard table.definition.isAutoincrement else { return next }
        guard let sequences = try tables.schema.table("sqlite_sequence", pager),
            let name = sequences.definition.column("name"),
            let last = sequences.definition.column("seq")
        else { throw .unsupported(.definition(name: table.name)) }
        var found: Table.Row?
        try sequences.forEachRow(name, .text(table.name)) { (row) throws(ImageError) in
            found = row
            return false
        }
        guard let found else {
            try sequences.insert(
                try sequences.nextRowid(),
                sequences.values([(name, .text(table.name)), (last, .integer(next))]))
            return next
        }
        var before: Int64 = 0
        if case .integer(let number) = try sequences.value(found, last) { before = number }
        guard before < .max else { throw .exhausted }
        let key = max(next, before + 1)
        try sequences.update(found, [(last, .integer(key))])
        return key
    }

    /// Adds an object with the bytes of another one.
    @discardableResult
    public func copyObject(
        _ source: ObjectKey, to path: [UInt8], _ kind: ObjectKind
    ) throws(ImageError) -> ObjectKey {
        let tables = try tables()
        let row = try objectRow(source, tables)
        let blob = try blob(row, tables)
        // In parts, since pages are read while others are written.
        var offset = blob.lowerBound
        return try addObject(path, kind, byteCount: blob.count) { () throws(ImageError) in
            let end = min(offset + (1 << 20), blob.upperBound)
            defer { offset = end }
            return try row.payload.bytes(pager, offset..<end)[...]
        }
    }

    /// Replaces the bytes of an object. If their count stays the same, only pages that differ are
    /// written.
    public func setBytes(of key: ObjectKey, _ bytes: [UInt8]) throws(ImageError) {
        let tables = try tables()
        let row = try objectRow(key, tables)
        let blob = try blob(row, tables)
        if bytes.count == blob.count, !isIndexed(tables.objects.bytes, tables) {
            return try overwrite(key, at: 0, with: bytes[...])
        }
        let objects = tables.objects
        try objects.table.checkWriting()
        var values: [Value] = []
        for column in objects.table.definition.columns.indices {
            let isBytes = column == objects.bytes
            values.append(isBytes ? .blob([]) : try objects.table.value(row, column))
        }
        values[objects.key] = .null
        try objects.table.removeEntries(row)
        var isGiven = false
        try setObject(key.rawValue, values, bytes.count, tables) { () throws(ImageError) in
            defer { isGiven = true }
            return isGiven ? [] : bytes[...]
        }
        values[objects.bytes] = isIndexed(objects.bytes, tables) ? .blob(bytes) : .blob([])
        try objects.table.addEntries(key.rawValue, values)
    }

    /// Overwrites a part of an object's bytes, whose count stays the same: only pages that differ
    /// are written.
    ///
    /// - Throws: `outOfRange`.
    public func overwrite(
        _ key: ObjectKey, at offset: Int, with bytes: ArraySlice<UInt8>
    ) throws(ImageError) {
        let tables = try tables()
        try tables.objects.table.checkWriting()
        let row = try objectRow(key, tables)
        let blob = try blob(row, tables)
        guard offset >= 0, offset <= blob.count, bytes.count <= blob.count - offset else {
            throw .outOfRange(offset: offset, count: bytes.count)
        }
        guard !isIndexed(tables.objects.bytes, tables) else {
            throw .unsupported(.definition(name: tables.objects.table.name))
        }
        let start = blob.lowerBound + offset
        let local = row.payload.local
        let here = min(max(local.count - start, 0), bytes.count)
        if here > 0 {
            // The part in the cell stays where it is in its page.
            let place = local.startIndex + start
            let new = bytes.prefix(here)
            if !local[place..<(place + here)].hasSameBytes(as: new) {
                try pager.updatePage(row.payload.page) { (page) throws(ImageError) in
                    guard place + here <= page.count else {
                        throw .damaged(.init(page: row.payload.page, .cell))
                    }
                    page.replaceSubrange(place..<(place + here), with: new)
                }
            }
        }
        guard here < bytes.count else { return }
        try pager.overwriteOverflow(row.payload, at: start + here, bytes.dropFirst(here))
    }

    /// Removes an object, its name and the links from it.
    ///
    /// - Throws: `noObject`, `objectLinked`.
    public func removeObject(_ path: [UInt8]) throws(ImageError) {
        let tables = try tables()
        guard let name = try nameRow(path, tables) else { throw .noObject(path: path) }
        let number = try tables.namespace.table.integer(name, tables.namespace.object)
        let key = ObjectKey(rawValue: number)
        guard try links(to: key).allSatisfy({ $0.from == key }) else {
            throw .objectLinked(path: path)
        }
        for link in try links(from: key) { try removeLink(link.key) }
        try tables.namespace.table.remove(name)
        // The row was read before its table changed.
        try tables.objects.table.remove(try objectRow(key, tables))
    }

    /// Gives an object another path.
    ///
    /// - Throws: `noObject`, `objectExists`.
    public func renameObject(_ path: [UInt8], to new: [UInt8]) throws(ImageError) {
        let tables = try tables()
        guard let name = try nameRow(path, tables) else { throw .noObject(path: path) }
        if try nameRow(new, tables) != nil { throw .objectExists(path: new) }
        try tables.namespace.table.update(name, [(tables.namespace.path, .text(new))])
    }

    // MARK: Links

    /// Records that `from` is an instance of `to`; returns the key of the link.
    @discardableResult
    public func addLink(from: ObjectKey, to: ObjectKey) throws(ImageError) -> Int64 {
        let tables = try tables()
        let links = tables.links
        let key = try newKey(links.table, tables)
        try links.table.insert(
            key,
            links.table.values([
                (links.from, .integer(from.rawValue)), (links.to, .integer(to.rawValue)),
                (links.kind, .text(Array("INSTANCE_OF".utf8))),
            ]))
        return key
    }

    /// Removes a link, if it is there.
    public func removeLink(_ key: Int64) throws(ImageError) {
        let links = try tables().links
        guard let row = try links.table.row(key) else { return }
        try links.table.remove(row)
    }

    // MARK: Tables of ours

    /// A table that only we have; makes it if the image has none yet.
    private func needed(_ name: ImageTables.Own) throws(ImageError) -> Table {
        if let table = try own(name) { return table }
        try Schema.create(name.definition, pager)
        try image.loadTables()
        guard let table = try own(name) else { throw .damaged(.init(page: 1, .schema)) }
        return table
    }

    /// Adds a message at the end; returns its key, which is above those of all that wait.
    @discardableResult
    public func enqueue(
        target: [UInt8], sender: [UInt8]?, _ bytes: [UInt8]
    ) throws(ImageError) -> Int64 {
        let table = try needed(.queue)
        let key = try table.nextRowid()
        try table.insert(
            key,
            table.values([
                (try ImageTables.column(table, "target"), .text(target)),
                (try ImageTables.column(table, "sender"), sender.map { .text($0) } ?? .null),
                (try ImageTables.column(table, "bytes"), .blob(bytes)),
            ]))
        return key
    }

    /// Removes a message; false if it was not there.
    @discardableResult
    public func dequeue(_ key: Int64) throws(ImageError) -> Bool {
        guard let table = try own(.queue), let row = try table.row(key) else { return false }
        try table.remove(row)
        return true
    }

    /// Adds a binding, or replaces the one at its path.
    public func setBinding(_ binding: ImageBinding) throws(ImageError) {
        let table = try needed(.binding)
        try removeBinding(binding.path)
        try table.insert(
            try table.nextRowid(),
            table.values([
                (try ImageTables.column(table, "path"), .text(binding.path)),
                (
                    try ImageTables.column(table, "kind"),
                    .text(Array(binding.kind.rawValue.utf8))
                ),
                (try ImageTables.column(table, "target"), .text(binding.target)),
            ]))
    }

    /// Removes the binding at a path; false if there was none.
    @discardableResult
    public func removeBinding(_ path: [UInt8]) throws(ImageError) -> Bool {
        guard let table = try own(.binding) else { return false }
        let column = try ImageTables.column(table, "path")
        guard let row = try row(table, column, path) else { return false }
        try table.remove(row)
        return true
    }

    /// Sets a value of the host; nil removes it.
    public func setSetting(_ name: String, _ value: [UInt8]?) throws(ImageError) {
        if value == nil, try own(.setting) == nil { return }
        let table = try needed(.setting)
        let column = try ImageTables.column(table, "name")
        let old = try row(table, column, Array(name.utf8))
        guard let value else {
            if let old { try table.remove(old) }
            return
        }
        let bytes = try ImageTables.column(table, "value")
        if let old { return try table.update(old, [(bytes, .blob(value))]) }
        try table.insert(
            try table.nextRowid(),
            table.values([(column, .text(Array(name.utf8))), (bytes, .blob(value))]))
    }
}
