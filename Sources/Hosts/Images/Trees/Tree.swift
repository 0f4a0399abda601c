/// A tree of a table or index: section 1.6 of SQLite's file format.
struct Tree {
    let pager: Pager
    let root: UInt32
    let isTable: Bool

    /// No tree of a file with 2^32 pages is deeper.
    static let depthLimit = 20

    /// A place on the way from the root to a leaf.
    struct Step {
        var page: UInt32
        /// A cell, or the number of cells for the page after the last one.
        var index: Int
    }

    func page(_ number: UInt32) throws(ImageError) -> TreePage {
        try TreePage(pager, number, isTable: isTable)
    }

    func damage(_ page: UInt32, _ rule: ImageError.Damage.Rule) -> ImageError {
        .damaged(.init(page: page, rule))
    }

    // MARK: Tables

    /// The way to the first row whose key is not below `rowid`, and its leaf.
    func path(to rowid: Int64) throws(ImageError) -> (path: [Step], leaf: TreePage) {
        var path: [Step] = []
        var page = try page(root)
        while true {
            let index = try page.index(of: rowid)
            path.append(Step(page: page.number, index: index))
            if page.kind.isLeaf { return (path, page) }
            guard path.count < Self.depthLimit else { throw damage(page.number, .depth) }
            page = try self.page(try page.child(index))
        }
    }

    /// The payload of a row; nil if there is none.
    func find(_ rowid: Int64) throws(ImageError) -> Payload? {
        let (path, leaf) = try path(to: rowid)
        guard let index = path.last?.index, index < leaf.cellCount,
            try leaf.rowid(index) == rowid
        else { return nil }
        return try leaf.payload(index)
    }

    /// The highest key; nil for a table without rows.
    func lastRowid() throws(ImageError) -> Int64? {
        var page = try page(root)
        for _ in 0..<Self.depthLimit {
            if page.kind.isLeaf {
                return page.cellCount > 0 ? try page.rowid(page.cellCount - 1) : nil
            }
            page = try self.page(try page.right)
        }
        throw damage(page.number, .depth)
    }

    /// Goes over rows from a key on, in order, until `body` returns false.
    func forEachRow(
        from first: Int64 = .min,
        _ body: (Int64, Payload) throws(ImageError) -> Bool
    ) throws(ImageError) {
        var (path, leaf) = try path(to: first)
        var last: Int64?
        var left = pager.pageCount
        while true {
            guard let step = path.last else { return }
            if step.index < leaf.cellCount {
                let rowid = try leaf.rowid(step.index)
                if let last, last >= rowid { throw damage(leaf.number, .order) }
                last = rowid
                guard try body(rowid, try leaf.payload(step.index)) else { return }
                path[path.count - 1].index += 1
            } else {
                guard let next = try nextLeaf(&path, &left) else { return }
                leaf = next
            }
        }
    }

    /// Moves from the end of a leaf to the beginning of the next one, at most `left` pages.
    private func nextLeaf(
        _ path: inout [Step], _ left: inout UInt32
    ) throws(ImageError) -> TreePage? {
        path.removeLast()
        while let step = path.last {
            let above = try page(step.page)
            guard step.index < above.cellCount else {
                path.removeLast()
                continue
            }
            path[path.count - 1].index += 1
            return try firstLeaf(above, step.index + 1, &path, &left)
        }
        return nil
    }

    private func firstLeaf(
        _ above: TreePage, _ index: Int, _ path: inout [Step], _ left: inout UInt32
    ) throws(ImageError) -> TreePage {
        var page = try page(try above.child(index))
        while true {
            // More leaves than pages: some are in the tree twice.
            guard left > 0 else { throw damage(page.number, .cycle) }
            left -= 1
            path.append(Step(page: page.number, index: 0))
            if page.kind.isLeaf { return page }
            guard path.count < Self.depthLimit else { throw damage(page.number, .depth) }
            page = try self.page(try page.child(0))
        }
    }

    // MARK: Indexes

    /// The order of a cell's values beside those of a key, as far as the key has values.
    func compare(_ page: TreePage, _ index: Int, _ key: [Value]) throws(ImageError) -> Int {
        let payload = try page.payload(index)
        let record = try Record(payload, pager)
        for (column, wanted) in key.enumerated() {
            guard let value = try record.value(column, payload, pager) else { return -1 }
            let order = Value.compare(value, wanted)
            if order != 0 { return order }
        }
        return 0
    }

    /// The way to the first entry that is not before `key`; `isFound` if it begins with it. The
    /// last step of the way may be one after the last cell of its page.
    func path(to key: [Value]) throws(ImageError) -> (path: [Step], isFound: Bool) {
        var path: [Step] = []
        var page = try page(root)
        /// How much of the path leads to the best entry of an interior page.
        var best: Int?
        while true {
            var (low, high) = (0, page.cellCount)
            while low < high {
                let middle = (low + high) / 2
                if try compare(page, middle, key) < 0 { low = middle + 1 } else { high = middle }
            }
            path.append(Step(page: page.number, index: low))
            var isEqual = false
            if low < page.cellCount { isEqual = try compare(page, low, key) == 0 }
            if page.kind.isLeaf {
                if isEqual { return (path, true) }
                if low == page.cellCount, let best { return (Array(path.prefix(best)), true) }
                return (path, false)
            }
            if isEqual { best = path.count }
            guard path.count < Self.depthLimit else { throw damage(page.number, .depth) }
            page = try self.page(try page.child(low))
        }
    }

    /// Goes over entries from the first that is not before `key`, in order, until `body` returns
    /// false.
    func forEachEntry(
        from key: [Value], _ body: ([Value]) throws(ImageError) -> Bool
    ) throws(ImageError) {
        var (path, _) = try path(to: key)
        var left = pager.pageCount
        var last: [Value] = []
        while let step = path.last {
            let page = try page(step.page)
            guard step.index < page.cellCount else {
                path.removeLast()
                continue
            }
            let payload = try page.payload(step.index)
            let values = try Record(payload, pager).values(payload, pager)
            guard Self.isOrdered(last, values) else { throw damage(page.number, .order) }
            last = values
            guard try body(values) else { return }
            path[path.count - 1].index += 1
            if !page.kind.isLeaf { _ = try firstLeaf(page, step.index + 1, &path, &left) }
        }
    }

    static func isOrdered(_ one: [Value], _ other: [Value]) -> Bool {
        for (one, other) in zip(one, other) {
            let order = Value.compare(one, other)
            if order != 0 { return order < 0 }
        }
        return one.count < other.count
    }
}
