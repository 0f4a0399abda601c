/// A table or array of tables while a document is read.
final class TOMLTable {
    enum Kind {
        /// Named by a part of a header or of a dotted key only.
        case implicit
        /// Made by a dotted key: a header cannot open it.
        case dotted
        /// Opened by a header.
        case header
        /// A value in braces: nothing can be added.
        case closed
    }

    enum Entry {
        case value(Document)
        case table(TOMLTable)
        case tables([TOMLTable])
    }

    var kind: Kind
    private var entries: [ByteName: Entry] = [:]
    private var order: [ByteName] = []

    init(_ kind: Kind) { self.kind = kind }

    subscript(key: String) -> Entry? { entries[ByteName(text: key)] }

    func set(_ key: String, _ entry: Entry) {
        let name = ByteName(text: key)
        if entries.updateValue(entry, forKey: name) == nil { order.append(name) }
    }

    /// Adds a table to an array of tables that is there.
    func append(_ key: String, _ table: TOMLTable) {
        let name = ByteName(text: key)
        // Taken out meanwhile, so that the array is not copied.
        guard case .tables(var tables)? = entries.updateValue(.value(.null), forKey: name) else {
            return
        }
        tables.append(table)
        entries[name] = .tables(tables)
    }

    var document: Document {
        .object(
            order.compactMap { name in
                let value: Document
                switch entries[name] {
                case .value(let document): value = document
                case .table(let table): value = table.document
                case .tables(let tables): value = .array(tables.map(\.document))
                case nil: return nil
                }
                return Document.Member(name.text, value)
            })
    }
}
