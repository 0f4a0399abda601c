/// A table with its indexes.
struct Table {
    struct Index {
        var columns: [Int]
        var tree: Tree
    }

    /// A row as far as it was read.
    struct Row {
        let rowid: Int64
        let payload: Payload
        let record: Record
    }

    let pager: Pager
    let name: [UInt8]
    let definition: TableDefinition
    let tree: Tree
    var indexes: [Index] = []
    /// What in the schema cannot be kept in step with rows.
    var obstacle: [UInt8]?

    func checkWriting() throws(ImageError) {
        if let obstacle { throw .unsupported(.definition(name: obstacle)) }
    }

    // MARK: Reading

    func row(_ rowid: Int64) throws(ImageError) -> Row? {
        guard let payload = try tree.find(rowid) else { return nil }
        return Row(rowid: rowid, payload: payload, record: try Record(payload, pager))
    }

    func forEachRow(
        from rowid: Int64 = .min, _ body: (Row) throws(ImageError) -> Bool
    ) throws(ImageError) {
        try tree.forEachRow(from: rowid) { (rowid, payload) throws(ImageError) in
            try body(Row(rowid: rowid, payload: payload, record: try Record(payload, pager)))
        }
    }

    func value(_ row: Row, _ column: Int) throws(ImageError) -> Value {
        if column == definition.rowidColumn { return .integer(row.rowid) }
        if let value = try row.record.value(column, row.payload, pager) { return value }
        return column < definition.columns.count ? definition.columns[column].standard : .null
    }

    func integer(_ row: Row, _ column: Int) throws(ImageError) -> Int64 {
        guard case .integer(let number) = try value(row, column) else {
            throw .damaged(.init(page: row.payload.page, .value))
        }
        return number
    }

    /// Text as UTF-8, or the bytes of a blob; nil for null.
    func bytes(_ row: Row, _ column: Int) throws(ImageError) -> [UInt8]? {
        switch try value(row, column) {
        case .null: return nil
        case .text(let bytes): return Schema.utf8(bytes, pager.header.encoding)
        case .blob(let bytes): return bytes
        case .integer, .real: throw .damaged(.init(page: row.payload.page, .value))
        }
    }

    func requiredBytes(_ row: Row, _ column: Int) throws(ImageError) -> [UInt8] {
        guard let bytes = try bytes(row, column) else {
            throw .damaged(.init(page: row.payload.page, .value))
        }
        return bytes
    }

    /// An index that begins with a column.
    func index(_ column: Int) -> Index? { indexes.first { $0.columns.first == column } }

    /// Goes over the rows that have a value in a column, by an index if there is one.
    func forEachRow(
        _ column: Int, _ wanted: Value, _ body: (Row) throws(ImageError) -> Bool
    ) throws(ImageError) {
        guard let index = index(column) else {
            return try forEachRow { (row) throws(ImageError) in
                if Value.compare(try value(row, column), wanted) != 0 { return true }
                return try body(row)
            }
        }
        try index.tree.forEachEntry(from: [wanted]) { (entry) throws(ImageError) in
            guard let first = entry.first, Value.compare(first, wanted) == 0 else { return false }
            return try body(try row(of: entry, index))
        }
    }

    /// The row of an entry of an index.
    func row(of entry: [Value], _ index: Index) throws(ImageError) -> Row {
        guard entry.count == index.columns.count + 1, case .integer(let rowid)? = entry.last,
            let row = try row(rowid)
        else { throw .damaged(.init(page: index.tree.root, .index)) }
        return row
    }

    // MARK: Writing

    private func entry(_ index: Index, _ rowid: Int64, _ values: [Value]) -> [Value] {
        index.columns.map {
            $0 == definition.rowidColumn
                ? .integer(rowid) : $0 < values.count ? values[$0] : .null
        } + [.integer(rowid)]
    }

    /// The key of the next row.
    func nextRowid() throws(ImageError) -> Int64 {
        let last = max(try tree.lastRowid() ?? 0, 0)
        guard last < .max else { throw .exhausted }
        return last + 1
    }

    /// Values in the order of the columns, with what others made of the table filled up.
    func values(_ pairs: [(column: Int, value: Value)]) -> [Value] {
        var values = definition.columns.map(\.standard)
        for (column, value) in pairs where column < values.count { values[column] = value }
        if let column = definition.rowidColumn { values[column] = .null }
        return values
    }

    /// Adds a row.
    func insert(_ rowid: Int64, _ values: [Value]) throws(ImageError) {
        try checkWriting()
        try tree.setRow(rowid, Record.encode(values))
        try addEntries(rowid, values)
    }

    func addEntries(_ rowid: Int64, _ values: [Value]) throws(ImageError) {
        for index in indexes { try index.tree.addEntry(entry(index, rowid, values)) }
    }

    func removeEntries(_ row: Row) throws(ImageError) {
        for index in indexes {
            var values: [Value] = []
            for column in index.columns { values.append(try value(row, column)) }
            try index.tree.removeEntry(values + [.integer(row.rowid)])
        }
    }

    func remove(_ row: Row) throws(ImageError) {
        try checkWriting()
        try removeEntries(row)
        guard try tree.removeRow(row.rowid) else {
            throw .damaged(.init(page: row.payload.page, .index))
        }
    }

    /// Changes values of a row.
    func update(
        _ row: Row, _ pairs: [(column: Int, value: Value)]
    ) throws(ImageError) {
        try checkWriting()
        var values: [Value] = []
        for column in definition.columns.indices { values.append(try value(row, column)) }
        for (column, value) in pairs where column < values.count { values[column] = value }
        if let column = definition.rowidColumn { values[column] = .null }
        try removeEntries(row)
        try tree.setRow(row.rowid, Record.encode(values))
        try addEntries(row.rowid, values)
    }
}
