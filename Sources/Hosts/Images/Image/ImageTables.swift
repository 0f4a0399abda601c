/// The tables of an image and where their columns are.
struct ImageTables {
    let schema: Schema
    let pager: Pager

    struct Namespace {
        let table: Table
        let path: Int
        let object: Int
    }

    struct Objects {
        let table: Table
        let key: Int
        let kind: Int
        let bytes: Int
    }

    struct Links {
        let table: Table
        let from: Int
        let to: Int
        let kind: Int
    }

    let namespace: Namespace
    let objects: Objects
    let links: Links

    /// - Throws: `notAnImage` if a table or column is not there.
    init(_ schema: Schema, _ pager: Pager) throws(ImageError) {
        self.schema = schema
        self.pager = pager
        func table(_ name: String) throws(ImageError) -> Table {
            guard let table = try schema.table(name, pager) else {
                throw .notAnImage(.noTable(name))
            }
            return table
        }
        func column(_ table: Table, _ name: String) throws(ImageError) -> Int {
            try Self.column(table, name)
        }
        let names = try table("namespace")
        namespace = Namespace(
            table: names, path: try column(names, "path"), object: try column(names, "object_key"))
        let objects = try table("object")
        self.objects = Objects(
            table: objects, key: try column(objects, "object_key"),
            kind: try column(objects, "kind"), bytes: try column(objects, "bytes"))
        // The key of an object is that of its row.
        guard objects.definition.rowidColumn == self.objects.key else {
            throw .unsupported(.definition(name: objects.name))
        }
        let links = try table("link")
        self.links = Links(
            table: links, from: try column(links, "from_object_key"),
            to: try column(links, "to_object_key"), kind: try column(links, "kind"))
    }

    static func column(_ table: Table, _ name: String) throws(ImageError) -> Int {
        guard let column = table.definition.column(name) else {
            throw .notAnImage(
                .noColumn(table: String(decoding: table.name, as: UTF8.self), name))
        }
        return column
    }

    /// The tables that the original has, as it defines them.
    static let definitions = [
        """
        CREATE TABLE namespace (path TEXT PRIMARY KEY, object_key INTEGER NOT NULL)
        """,
        """
        CREATE TABLE object (object_key INTEGER PRIMARY KEY, kind TEXT NOT NULL \
        CHECK (kind IN ('MODULE', 'INSTANCE')), bytes BLOB NOT NULL)
        """,
        """
        CREATE TABLE link (link_key INTEGER PRIMARY KEY, from_object_key INTEGER NOT NULL, \
        to_object_key INTEGER NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('INSTANCE_OF')))
        """,
    ]

    /// The tables that only we have. They are made when they are first needed.
    enum Own: String {
        case queue = "wasmd_queue"
        case binding = "wasmd_binding"
        case setting = "wasmd_setting"

        var definition: String {
            switch self {
            case .queue:
                """
                CREATE TABLE wasmd_queue (message_key INTEGER PRIMARY KEY, target TEXT NOT NULL, \
                sender TEXT, bytes BLOB NOT NULL)
                """
            case .binding:
                """
                CREATE TABLE wasmd_binding (path TEXT PRIMARY KEY, kind TEXT NOT NULL, \
                target TEXT NOT NULL)
                """
            case .setting:
                "CREATE TABLE wasmd_setting (name TEXT PRIMARY KEY, value BLOB NOT NULL)"
            }
        }
    }
}

extension Schema {
    /// Adds a table, with its automatic indexes, to the database. The schema must be read again
    /// then.
    static func create(_ text: String, _ pager: Pager) throws(ImageError) {
        let bytes = Array(text.utf8)
        guard let definition = TableDefinition(bytes),
            let name = Token.all(bytes)?.dropFirst(2).first?.name
        else { throw .unsupported(.definition(name: bytes)) }
        let tree = Tree(pager: pager, root: 1, isTable: true)
        func add(_ type: String, _ entry: [UInt8], _ kind: TreeKind, _ text: Value)
            throws(ImageError)
        {
            let root = try pager.allocatePage()
            try Node(number: root, kind: kind).write(pager)
            let last = try tree.lastRowid() ?? 0
            guard last < .max else { throw .exhausted }
            try tree.setRow(
                last + 1,
                Record.encode([
                    .text(Array(type.utf8)), .text(entry), .text(name), .integer(Int64(root)), text,
                ]))
        }
        try add("table", name, .tableLeaf, .text(bytes))
        for number in definition.uniqueGroups.indices {
            let index = Array("sqlite_autoindex_".utf8) + name + Array("_\(number + 1)".utf8)
            try add("index", index, .indexLeaf, .null)
        }
        try pager.updatePage(1) { (page) throws(ImageError) in
            let damage = ImageError.Damage(page: 1, .header)
            let cookie = try page.number32(DatabaseHeader.Field.schemaCookie, damage)
            page.set32(DatabaseHeader.Field.schemaCookie, cookie &+ 1)
        }
    }
}
