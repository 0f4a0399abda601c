/// A table as `CREATE TABLE` defines it, as far as its rows and indexes depend on it.
struct TableDefinition: Hashable, Sendable {
    struct Column: Hashable, Sendable {
        /// In lower case.
        var name: [UInt8]
        var type: [UInt8] = []
        /// What rows have that are older than the column.
        var standard: Value = .null
        /// A collation other than `BINARY`.
        var hasCollation = false
        var isGenerated = false
    }

    private(set) var columns: [Column] = []
    /// The column that is the key of the row; its value is not in the record.
    private(set) var rowidColumn: Int?
    /// The columns of each automatic index, in order.
    private(set) var uniqueGroups: [[Int]] = []
    /// Whether keys of removed rows are never used again.
    private(set) var isAutoincrement = false
    private(set) var isWithoutRowid = false
    /// Whether a column has a collation in a constraint, or cannot be understood.
    private(set) var hasUnknown = false

    /// Words that end the type of a column.
    private static let constraints: Set<[UInt8]> = Set(
        [
            "constraint", "primary", "not", "null", "unique", "check", "default", "collate",
            "references", "generated", "as",
        ].map { Array($0.utf8) })

    /// The most columns and automatic indexes of a table, as SQLite has it for columns by default.
    private static let limit = 2000

    /// Nil for a text that is no `CREATE TABLE`, or one of too many columns.
    init?(_ text: [UInt8]) {
        guard let tokens = Token.all(text), let open = tokens.firstIndex(where: { $0.isSign("(") }),
            tokens.count >= 4, tokens[0].isWord("create"),
            tokens[..<open].contains(where: { $0.isWord("table") })
        else { return nil }
        var depth = 0
        var part: [Token] = []
        var end: Int?
        for (index, token) in tokens.enumerated().dropFirst(open) {
            if token.isSign("(") { depth += 1 }
            if token.isSign(")") { depth -= 1 }
            if depth == 0 || depth == 1 && token.isSign(",") {
                // Each column and each index is compared with those before it.
                guard columns.count <= Self.limit, uniqueGroups.count <= Self.limit else {
                    return nil
                }
                add(part)
                part = []
                if depth == 0 {
                    end = index
                    break
                }
            } else if index > open {
                part.append(token)
            }
        }
        guard let end, !columns.isEmpty, columns.count <= Self.limit,
            uniqueGroups.count <= Self.limit
        else { return nil }
        let options = tokens[(end + 1)...]
        isWithoutRowid = options.contains { $0.isWord("without") }
    }

    func column(_ name: String) -> Int? {
        columns.firstIndex { $0.name == Array(name.utf8) }
    }

    private mutating func add(_ part: [Token]) {
        guard let first = part.first else { return }
        if case .word(let word) = first,
            ["constraint", "primary", "unique", "check", "foreign"].contains(
                String(decoding: word, as: UTF8.self))
        {
            return addConstraint(part)
        }
        guard let name = first.name else {
            hasUnknown = true
            return
        }
        var column = Column(name: Token.lowercased(name))
        var rest = part.dropFirst()
        while let token = rest.first {
            if case .word(let word) = token, Self.constraints.contains(word) { break }
            if let name = token.name { column.type += Token.lowercased(name) }
            if token.isSign("(") { column.type.append(UInt8(ascii: "(")) }
            rest = rest.dropFirst()
        }
        let index = columns.count
        columns.append(column)
        addColumnConstraints(Array(rest), index)
    }

    private mutating func addColumnConstraints(_ tokens: [Token], _ index: Int) {
        var depth = 0
        for (place, token) in tokens.enumerated() {
            if token.isSign("(") { depth += 1 }
            if token.isSign(")") { depth -= 1 }
            guard depth == 0, case .word(let word) = token else { continue }
            let next = place + 1 < tokens.count ? tokens[place + 1] : nil
            let afterNext = place + 2 < tokens.count ? tokens[place + 2] : nil
            switch String(decoding: word, as: UTF8.self) {
            case "primary":
                let isDescending = afterNext?.isWord("desc") == true
                addPrimaryKey([index], isDescending: isDescending)
            case "autoincrement": isAutoincrement = true
            case "unique": addUnique([index])
            case "collate":
                if let name = next?.name, Token.lowercased(name) != Array("binary".utf8) {
                    columns[index].hasCollation = true
                }
            case "generated", "as": columns[index].isGenerated = true
            case "default": columns[index].standard = Self.standard(tokens[(place + 1)...])
            default: break
            }
        }
    }

    private mutating func addConstraint(_ part: [Token]) {
        let isPrimary = part.contains { $0.isWord("primary") }
        guard isPrimary || part.contains(where: { $0.isWord("unique") }),
            let open = part.firstIndex(where: { $0.isSign("(") }),
            let close = part.firstIndex(where: { $0.isSign(")") }), open < close,
            !part[..<open].contains(where: { $0.isWord("check") || $0.isWord("foreign") })
        else { return }
        var group: [Int] = []
        for item in part[(open + 1)..<close].split(whereSeparator: { $0.isSign(",") }) {
            guard let name = item.first?.name.map(Token.lowercased),
                let column = columns.firstIndex(where: { $0.name == name })
            else {
                hasUnknown = true
                return
            }
            if item.dropFirst().contains(where: { $0.isWord("collate") || $0.isWord("desc") }) {
                hasUnknown = true
            }
            group.append(column)
        }
        if isPrimary {
            if part.contains(where: { $0.isWord("autoincrement") }) { isAutoincrement = true }
            addPrimaryKey(group, isDescending: false)
        } else {
            addUnique(group)
        }
    }

    private mutating func addPrimaryKey(_ group: [Int], isDescending: Bool) {
        if group.count == 1, columns[group[0]].type == Array("integer".utf8), !isDescending {
            rowidColumn = group[0]
        } else {
            if isDescending { hasUnknown = true }
            addUnique(group)
        }
    }

    /// The same columns have one index only.
    private mutating func addUnique(_ group: [Int]) {
        if !uniqueGroups.contains(group) { uniqueGroups.append(group) }
    }

    private static func standard(_ tokens: ArraySlice<Token>) -> Value {
        guard let first = tokens.first else { return .null }
        switch first {
        case .text(let bytes): return .text(bytes)
        case .number: return integer(first).map { .integer($0) } ?? .null
        case .sign(let sign) where sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+"):
            guard let number = tokens.dropFirst().first.flatMap(integer) else { return .null }
            return .integer(sign == UInt8(ascii: "-") ? 0 &- number : number)
        default: return .null
        }
    }

    private static func integer(_ token: Token) -> Int64? {
        guard case .number(let digits) = token else { return nil }
        return Int64(String(decoding: digits, as: UTF8.self))
    }

    // MARK: Indexes

    /// The columns of `CREATE INDEX`; nil if it has expressions, conditions, collations or other
    /// orders.
    func indexColumns(_ text: [UInt8]) -> [Int]? {
        guard let tokens = Token.all(text), let open = tokens.firstIndex(where: { $0.isSign("(") }),
            let close = tokens.lastIndex(where: { $0.isSign(")") }), close == tokens.count - 1,
            open < close
        else { return nil }
        var group: [Int] = []
        for item in tokens[(open + 1)..<close].split(
            omittingEmptySubsequences: false, whereSeparator: { $0.isSign(",") })
        {
            guard let name = item.first?.name.map(Token.lowercased),
                let column = columns.firstIndex(where: { $0.name == name }),
                item.count == 1 || item.count == 2 && item.last?.isWord("asc") == true
            else { return nil }
            group.append(column)
        }
        return group
    }
}
