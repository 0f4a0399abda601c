/// Checks all of a database, as SQLite's `PRAGMA integrity_check` does.
struct Check {
    private let pager: Pager
    private let limit: Int
    private(set) var found: [ImageError.Damage] = []
    /// Whether each page was met.
    private var met: [Bool]

    init(_ pager: Pager, limit: Int) {
        self.pager = pager
        self.limit = max(limit, 1)
        met = [Bool](repeating: false, count: Int(pager.pageCount) + 1)
    }

    private mutating func report(_ page: UInt32, _ rule: ImageError.Damage.Rule) {
        if found.count < limit { found.append(.init(page: page, rule)) }
    }

    /// Notes that a page is used; false if that cannot be.
    private mutating func meet(_ number: UInt32) -> Bool {
        guard number >= 1, number <= pager.pageCount, number != pager.lockPage else {
            report(number, .pageNumber)
            return false
        }
        guard !met[Int(number)] else {
            report(number, .reused)
            return false
        }
        met[Int(number)] = true
        return true
    }

    mutating func run() throws(ImageError) {
        try checkFreeList()
        try checkTree(1, isTable: true)
        let schema: Schema
        do throws(ImageError) {
            schema = try Schema(pager)
        } catch {
            return try note(error)
        }
        for entry in schema.entries where entry.root != 0 {
            try checkTree(entry.root, isTable: entry.type == Array("table".utf8))
        }
        for name in ["namespace", "object", "link"] {
            do throws(ImageError) {
                if let table = try schema.table(name, pager) { try checkIndexes(table) }
            } catch {
                try note(error)
            }
        }
        guard pager.header.largestRoot == 0 else { return }
        for (index, isMet) in met.enumerated().dropFirst() where !isMet {
            let number = UInt32(truncatingIfNeeded: index)
            if number != pager.lockPage { report(number, .unused) }
        }
    }

    /// Notes damage; throws what is no damage.
    private mutating func note(_ error: ImageError) throws(ImageError) {
        guard case .damaged(let damage) = error else { throw error }
        report(damage.page, damage.rule)
    }

    private mutating func checkFreeList() throws(ImageError) {
        let first = try pager.page(1)
        let damage = ImageError.Damage(page: 1, .header)
        var trunk = try first.number32(DatabaseHeader.Field.freeTrunk, damage)
        let count = try first.number32(DatabaseHeader.Field.freeCount, damage)
        var pages: UInt32 = 0
        while trunk != 0 {
            guard meet(trunk) else { return }
            pages += 1
            let list = try pager.page(trunk)
            let leaves = try list.number32(4, damage)
            guard leaves <= pager.usable / 4 - 2 else { return report(trunk, .freeList) }
            for index in 0..<Int(leaves) {
                if meet(try list.number32(8 + 4 * index, damage)) { pages += 1 }
            }
            trunk = try list.number32(0, damage)
        }
        if pages != count { report(1, .freeList) }
    }

    /// What is checked of a tree: a page and where its keys may be.
    private struct Visit {
        var page: UInt32
        var depth: Int
        var above: Int64?
        var upTo: Int64?
    }

    private mutating func checkTree(_ root: UInt32, isTable: Bool) throws(ImageError) {
        var visits = [Visit(page: root, depth: 0)]
        var leafDepth: Int?
        while let visit = visits.popLast() {
            guard meet(visit.page) else { continue }
            do throws(ImageError) {
                let page = try TreePage(pager, visit.page, isTable: isTable)
                if page.kind.isLeaf {
                    if let leafDepth, leafDepth != visit.depth { report(visit.page, .depth) }
                    leafDepth = visit.depth
                }
                if page.cellCount == 0, visit.depth > 0 { report(visit.page, .cell) }
                guard visit.depth < Tree.depthLimit else {
                    report(visit.page, .depth)
                    continue
                }
                try checkPage(page, visit, &visits)
            } catch {
                try note(error)
            }
        }
        guard !isTable, found.isEmpty else { return }
        do throws(ImageError) {
            let tree = Tree(pager: pager, root: root, isTable: false)
            // Entries with other collations have another order.
            var count = 0
            try tree.forEachEntry(from: []) { (_) throws(ImageError) in
                count += 1
                return true
            }
        } catch {
            try note(error)
        }
    }

    private mutating func checkPage(
        _ page: TreePage, _ visit: Visit, _ visits: inout [Visit]
    ) throws(ImageError) {
        // A node refuses cells that overlap.
        _ = try Node(page)
        var above = visit.above
        for index in 0..<page.cellCount {
            var key: Int64?
            if page.kind.isTable {
                let rowid = try page.rowid(index)
                if let above, rowid <= above { report(page.number, .order) }
                if let upTo = visit.upTo, rowid > upTo { report(page.number, .order) }
                key = rowid
            }
            if !page.kind.isLeaf {
                visits.append(
                    Visit(
                        page: try page.child(index), depth: visit.depth + 1, above: above,
                        upTo: key))
            }
            above = key
            if page.kind != .tableInterior { try checkPayload(try page.payload(index)) }
        }
        if !page.kind.isLeaf {
            visits.append(
                Visit(
                    page: try page.right, depth: visit.depth + 1, above: above,
                    upTo: visit.upTo))
        }
    }

    private mutating func checkPayload(_ payload: Payload) throws(ImageError) {
        try payload.check(pager)
        var number = payload.overflow
        var left = payload.count - payload.local.count
        while left > 0 {
            guard meet(number) else { return }
            number = try pager.overflowPage(number).number32(0, .init(page: number, .overflow))
            left -= pager.usable - 4
        }
        if number != 0 { report(payload.page, .overflow) }
    }

    /// Each row has its entry in each index, and there are no others.
    private mutating func checkIndexes(_ table: Table) throws(ImageError) {
        guard table.obstacle == nil else { return }
        for index in table.indexes {
            var rows = 0
            var missing = false
            try table.forEachRow { (row) throws(ImageError) in
                rows += 1
                var values: [Value] = []
                for column in index.columns { values.append(try table.value(row, column)) }
                if try !index.tree.path(to: values + [.integer(row.rowid)]).isFound {
                    missing = true
                }
                return true
            }
            var entries = 0
            try index.tree.forEachEntry(from: []) { (_) throws(ImageError) in
                entries += 1
                return true
            }
            if missing || rows != entries { report(index.tree.root, .index) }
        }
    }
}
