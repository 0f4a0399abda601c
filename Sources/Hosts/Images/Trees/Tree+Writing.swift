/// Changes of trees.
extension Tree {
    /// The cell of a record: size, key, as much as belongs into the cell, first overflow page.
    ///
    /// - Parameters:
    ///   - count: bytes of the record.
    ///   - start: the beginning of the record, which may be all of it.
    ///   - next: gives what comes after `start`.
    private func cell(
        rowid: Int64?, count: Int, start: [UInt8],
        _ next: (Int) throws(ImageError) -> ArraySlice<UInt8>
    ) throws(ImageError) -> [UInt8] {
        guard count <= Image.maximumBytes else { throw .tooLarge(count) }
        var cell: [UInt8] = []
        cell.appendVarint(Int64(count))
        if let rowid { cell.appendVarint(rowid) }
        let local = Payload.localCount(count, usable: pager.usable, isTable: isTable)
        var ready = start[...]
        // The record is given out in two parts: the cell's, and that of the overflow pages.
        func take(_ wanted: Int) throws(ImageError) -> ArraySlice<UInt8> {
            if ready.isEmpty { ready = try next(wanted) }
            let part = ready.prefix(wanted)
            ready = ready.dropFirst(part.count)
            return part
        }
        var left = local
        while left > 0 {
            let part = try take(left)
            guard !part.isEmpty else { throw .outOfRange(offset: count - left, count: left) }
            cell += part
            left -= part.count
        }
        if local < count { cell.append32(try pager.writeOverflow(count - local, take)) }
        guard ready.isEmpty else { throw .outOfRange(offset: count, count: ready.count) }
        return cell
    }

    private static func noMore(_ wanted: Int) throws(ImageError) -> ArraySlice<UInt8> { [] }

    // MARK: Tables

    /// Adds a row, or replaces the one with its key.
    func setRow(_ rowid: Int64, _ record: [UInt8]) throws(ImageError) {
        try setRow(rowid, count: record.count, start: record, Self.noMore)
    }

    /// Adds a row whose record comes in pieces, or replaces the one with its key.
    func setRow(
        _ rowid: Int64, count: Int, start: [UInt8],
        _ next: (Int) throws(ImageError) -> ArraySlice<UInt8>
    ) throws(ImageError) {
        let cell = try cell(rowid: rowid, count: count, start: start, next)
        let (path, leaf) = try path(to: rowid)
        let index = path.last?.index ?? 0
        var replaces = false
        if index < leaf.cellCount { replaces = try leaf.rowid(index) == rowid }
        if replaces { try pager.freeOverflow(try leaf.payload(index)) }
        try put(cell, path, leaf, replaces: replaces)
    }

    /// Removes a row; false if there is none.
    @discardableResult
    func removeRow(_ rowid: Int64) throws(ImageError) -> Bool {
        let (path, leaf) = try path(to: rowid)
        guard let index = path.last?.index, index < leaf.cellCount,
            try leaf.rowid(index) == rowid
        else { return false }
        try pager.freeOverflow(try leaf.payload(index))
        var node = try Node(leaf)
        node.cells.remove(at: index)
        try finish(path, node, appends: false)
        return true
    }

    // MARK: Indexes

    /// Adds an entry, which the index must not have.
    func addEntry(_ values: [Value]) throws(ImageError) {
        let (path, isFound) = try path(to: values)
        guard let step = path.last else { return }
        let leaf = try page(step.page)
        guard !isFound, leaf.kind.isLeaf else { throw damage(step.page, .index) }
        let record = Record.encode(values)
        let cell = try cell(rowid: nil, count: record.count, start: record, Self.noMore)
        try put(cell, path, leaf, replaces: false)
    }

    /// Removes an entry.
    func removeEntry(_ values: [Value]) throws(ImageError) {
        var (path, isFound) = try path(to: values)
        guard isFound, let step = path.last else { throw damage(root, .index) }
        let found = try page(step.page)
        try pager.freeOverflow(try found.payload(step.index))
        var node = try Node(found)
        guard !found.kind.isLeaf else {
            node.cells.remove(at: step.index)
            return try finish(path, node, appends: false)
        }
        // The entry before it, which is at the end of a leaf, takes its place.
        let level = path.count - 1
        var leaf = try page(node.child(step.index))
        while !leaf.kind.isLeaf {
            path.append(Step(page: leaf.number, index: leaf.cellCount))
            guard path.count < Self.depthLimit else { throw damage(leaf.number, .depth) }
            leaf = try page(try leaf.right)
        }
        var last = try Node(leaf)
        path.append(Step(page: leaf.number, index: last.cells.count - 1))
        guard let entry = last.cells.popLast() else { throw damage(leaf.number, .cell) }
        node.cells[step.index] = Node.cell(before: node.child(step.index), entry)
        try finish(path, last, appends: false, changed: (level, node))
    }

    // MARK: Pages

    /// Puts a cell into a leaf, at the end of a path.
    private func put(
        _ cell: [UInt8], _ path: [Step], _ leaf: TreePage, replaces: Bool
    ) throws(ImageError) {
        let index = path.last?.index ?? 0
        if !replaces, try putInPlace(cell, leaf, index) { return }
        var node = try Node(leaf)
        if replaces { node.cells.remove(at: index) }
        node.cells.insert(cell[...], at: index)
        // Keys that only grow fill pages to the end.
        let isLast = index == node.cells.count - 1
        try finish(path, node, appends: isLast && !replaces)
    }

    /// Adds a cell without moving others; false if there is no room between them.
    private func putInPlace(
        _ cell: [UInt8], _ leaf: TreePage, _ index: Int
    ) throws(ImageError) -> Bool {
        let pointersEnd = leaf.pointers + 2 * leaf.cellCount
        var content = try leaf.bytes.number16(leaf.start + 5, leaf.damage(.cell))
        if content == 0 { content = 65_536 }
        guard content <= leaf.usable, content >= pointersEnd else {
            throw .damaged(leaf.damage(.cell))
        }
        let place = content - max(cell.count, 4)
        guard place >= pointersEnd + 2 else { return false }
        let (start, pointer) = (leaf.start, leaf.pointers + 2 * index)
        let count = leaf.cellCount
        try pager.updatePage(leaf.number) { (page) throws(ImageError) in
            page.replaceSubrange(place..<(place + cell.count), with: cell)
            var position = pointersEnd
            while position > pointer {
                page[position] = page[position - 2]
                page[position + 1] = page[position - 1]
                position -= 2
            }
            page.set16(pointer, place)
            page.set16(start + 3, count + 1)
            page.set16(start + 5, place & 0xffff)
        }
        return true
    }

    /// Writes a changed leaf, and changes the pages above it where it has too much or too little.
    ///
    /// - Parameter changed: an interior page of the path that changed too, and its level.
    private func finish(
        _ path: [Step], _ leaf: Node, appends: Bool, changed: (level: Int, node: Node)? = nil
    ) throws(ImageError) {
        let usable = pager.usable
        var node = leaf
        var level = path.count - 1
        var isChanged = true
        while level > 0 {
            var above: Node?
            if let changed, changed.level == level - 1 { above = changed.node }
            let needsAbove = above != nil
            if isChanged {
                if node.fits(usable: usable) && !node.isSparse(usable: usable) {
                    try node.write(pager)
                    isChanged = false
                } else {
                    if above == nil { above = try Node(try page(path[level - 1].page)) }
                    guard var parent = above else { return }
                    try balance(&parent, path[level - 1].index, node, appends: appends)
                    above = parent
                    isChanged = true
                }
            }
            if needsAbove { isChanged = true }
            guard let next = above else {
                // Nothing above changes, unless a page there did.
                guard let changed, changed.level < level else { return }
                level -= 1
                continue
            }
            node = next
            level -= 1
        }
        if isChanged { try writeRoot(node) }
    }

    /// Writes the root, whose page stays the same: its cells move down if they are too many, and up
    /// if there is only one page left.
    private func writeRoot(_ node: Node) throws(ImageError) {
        let usable = pager.usable
        var node = node
        if !node.fits(usable: usable) {
            var child = node
            child.number = try pager.allocatePage()
            node = Node(
                number: node.number, kind: node.kind.interior, cells: [], right: child.number)
            try balance(&node, 0, child, appends: false)
        }
        var depth = 0
        while !node.kind.isLeaf, node.cells.isEmpty {
            let child = try Node(try page(node.right))
            let room = Node.capacity(node.number, usable: usable)
            guard child.size <= room else { break }
            depth += 1
            guard depth < Self.depthLimit else { throw damage(root, .cycle) }
            try pager.freePage(child.number)
            node = Node(
                number: node.number, kind: child.kind, cells: child.cells, right: child.right)
        }
        try node.write(pager)
    }
}
