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
        case tables(List)
    }

    /// An array of tables: an object, so that it is never copied when a table is added.
    final class List {
        fileprivate(set) var tables: [TOMLTable]

        init(_ first: TOMLTable) { tables = [first] }

        func append(_ table: TOMLTable) { tables.append(table) }
    }

    var kind: Kind
    private var entries: [ByteName: Entry] = [:]
    private var order: [ByteName] = []

    /// Its keys from the root on, if anybody asks.
    var path: String

    init(_ kind: Kind, path: String = "") {
        self.kind = kind
        self.path = path
    }

    subscript(key: String) -> Entry? { entries[ByteName(text: key)] }

    func set(_ key: String, _ entry: Entry) {
        let name = ByteName(text: key)
        if entries.updateValue(entry, forKey: name) == nil { order.append(name) }
    }

    var document: Document {
        .object(
            order.compactMap { name in
                let value: Document
                switch entries[name] {
                case .value(let document): value = document
                case .table(let table): value = table.document
                case .tables(let list): value = .array(list.tables.map(\.document))
                case nil: return nil
                }
                return Document.Member(name.text, value)
            })
    }
}
