/// Distributes cells among neighbouring pages.
extension Tree {
    /// Writes a page that has too many or too few cells together with its neighbours, and changes
    /// the cells of the page above, which is not written.
    ///
    /// - Parameters:
    ///   - index: the place of the page in the one above.
    ///   - appends: the last cell is new, and others will follow it: pages before stay full.
    func balance(
        _ above: inout Node, _ index: Int, _ node: Node, appends: Bool
    ) throws(ImageError) {
        guard index <= above.cells.count else { throw damage(above.number, .cell) }
        let isAlone = appends && index == above.cells.count
        let low = isAlone ? index : max(index - 1, 0)
        let high = isAlone ? index : min(index + 1, above.cells.count)
        var siblings: [Node] = []
        for place in low...high {
            if place == index {
                siblings.append(node)
                continue
            }
            let sibling = try Node(try page(above.child(place)))
            guard sibling.kind == node.kind, sibling.number != node.number else {
                throw damage(sibling.number, .depth)
            }
            siblings.append(sibling)
        }
        let dividers = Array(above.cells[low..<high])
        let cells = items(siblings, dividers)
        let ranges = try distribute(cells.map { Node.size($0) }, node.kind, appends: isAlone)

        var numbers = siblings.map(\.number)
        while numbers.count > ranges.count {
            if let surplus = numbers.popLast() { try pager.freePage(surplus) }
        }
        while numbers.count < ranges.count { numbers.append(try pager.allocatePage()) }

        let right = siblings.last?.right ?? 0
        var newDividers: [ArraySlice<UInt8>] = []
        for (place, range) in ranges.enumerated() {
            var page = Node(number: numbers[place], kind: node.kind, cells: Array(cells[range]))
            if place < ranges.count - 1 {
                let divider = try divider(&page, cells, range.upperBound)
                newDividers.append(Node.cell(before: page.number, divider))
            } else {
                page.right = right
            }
            try page.write(pager)
        }
        above.cells.replaceSubrange(low..<high, with: newDividers)
        above.setChild(low + newDividers.count, numbers.last ?? 0)
    }

    /// All cells of neighbours in order; those between them move down into their level.
    private func items(
        _ siblings: [Node], _ dividers: [ArraySlice<UInt8>]
    ) -> [ArraySlice<UInt8>] {
        var cells: [ArraySlice<UInt8>] = []
        for (place, sibling) in siblings.enumerated() {
            cells += sibling.cells
            guard place < dividers.count else { continue }
            let rest = dividers[place].dropFirst(4)
            switch sibling.kind {
            // The keys between leaves of a table are only copies.
            case .tableLeaf: break
            case .indexLeaf: cells.append(rest)
            case .tableInterior, .indexInterior:
                cells.append(Node.cell(before: sibling.right, rest))
            }
        }
        return cells
    }

    /// What comes into the page above after `page`, whose cells end before `end`, without the
    /// number of the page.
    private func divider(
        _ page: inout Node, _ cells: [ArraySlice<UInt8>], _ end: Int
    ) throws(ImageError) -> ArraySlice<UInt8> {
        guard page.kind == .tableLeaf else {
            guard end < cells.count else { throw damage(page.number, .cell) }
            if page.kind == .indexLeaf { return cells[end] }
            page.right = cells[end].prefix(4).reduce(0) { $0 << 8 | UInt32(truncatingIfNeeded: $1) }
            return cells[end].dropFirst(4)
        }
        guard let last = page.cells.last else { throw damage(page.number, .cell) }
        let cell = Array(last.prefix(18))
        let rule = ImageError.Damage(page: page.number, .cell)
        let size = try cell.varint(0, before: cell.count, rule).size
        let key = try cell.varint(size, before: cell.count, rule).size
        return cell[size..<(size + key)]
    }

    /// The cells of each page. Except in leaves of tables, the cell between two pages is in
    /// neither.
    private func distribute(
        _ sizes: [Int], _ kind: TreeKind, appends: Bool
    ) throws(ImageError) -> [Range<Int>] {
        let room = pager.usable - kind.headerSize
        let gap = kind == .tableLeaf ? 0 : 1
        var ranges: [Range<Int>] = []
        var start = 0
        var used = 0
        for (index, size) in sizes.enumerated() {
            guard size <= room else { throw damage(root, .cell) }
            if used + size > room, index > start {
                ranges.append(start..<index)
                start = index + gap
                used = gap == 0 ? size : 0
            } else {
                used += size
            }
        }
        ranges.append(start..<max(sizes.count, start))
        fillFromTheLeft(&ranges, sizes, gap, room, evenly: !appends)
        return ranges
    }

    /// Moves cells from full pages to the ones after them: the last must have one, and pages should
    /// be about equally full.
    private func fillFromTheLeft(
        _ ranges: inout [Range<Int>], _ sizes: [Int], _ gap: Int, _ room: Int, evenly: Bool
    ) {
        guard ranges.count > 1 else { return }
        for place in (1..<ranges.count).reversed() {
            var used = ranges[place].reduce(0) { $0 + sizes[$1] }
            var before = ranges[place - 1].reduce(0) { $0 + sizes[$1] }
            while ranges[place - 1].count > 1 {
                let last = ranges[place - 1].upperBound - 1
                let comes = gap == 0 ? sizes[last] : sizes[last + 1]
                let isNeeded = ranges[place].isEmpty
                guard
                    isNeeded
                        || evenly && used + comes <= room && before - sizes[last] >= used + comes
                else { break }
                ranges[place] = (ranges[place].lowerBound - 1)..<ranges[place].upperBound
                ranges[place - 1] = ranges[place - 1].lowerBound..<last
                used += comes
                before -= sizes[last]
            }
        }
    }
}
