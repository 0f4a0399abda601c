/// A page of a tree in memory, to be changed: its cells may be more than a page can have.
struct Node {
    var number: UInt32
    var kind: TreeKind
    var cells: [ArraySlice<UInt8>]
    /// The page after the last cell, of an interior page.
    var right: UInt32 = 0

    init(number: UInt32, kind: TreeKind, cells: [ArraySlice<UInt8>] = [], right: UInt32 = 0) {
        self.number = number
        self.kind = kind
        self.cells = cells
        self.right = right
    }

    init(_ page: TreePage) throws(ImageError) {
        number = page.number
        kind = page.kind
        cells = []
        cells.reserveCapacity(page.cellCount + 1)
        var size = 0
        for index in 0..<page.cellCount {
            let cell = try page.cell(index)
            size += Self.size(cell)
            cells.append(cell)
        }
        // Cells that overlap would need more room than the page has.
        guard page.pointers + size <= page.usable else { throw .damaged(page.damage(.cell)) }
        right = kind.isLeaf ? 0 : try page.right
    }

    /// The room of a cell with its pointer: a freed one must have room for a block's header.
    static func size(_ cell: ArraySlice<UInt8>) -> Int { max(cell.count, 4) + 2 }

    var size: Int { cells.reduce(kind.headerSize) { $0 + Self.size($1) } }

    /// The room that a page has for a node.
    static func capacity(_ number: UInt32, usable: Int) -> Int {
        usable - (number == 1 ? DatabaseHeader.size : 0)
    }

    func fits(usable: Int) -> Bool { size <= Self.capacity(number, usable: usable) }

    /// Whether it should be joined with its neighbours.
    func isSparse(usable: Int) -> Bool { cells.isEmpty || size < usable / 3 }

    /// The page before cell `index`, or after the last one.
    func child(_ index: Int) -> UInt32 {
        guard index < cells.count else { return right }
        return cells[index].prefix(4).reduce(0) { $0 << 8 | UInt32(truncatingIfNeeded: $1) }
    }

    mutating func setChild(_ index: Int, _ page: UInt32) {
        guard index < cells.count else { return right = page }
        cells[index] = Self.cell(before: page, cells[index].dropFirst(4))
    }

    /// A cell of an interior page.
    static func cell(before page: UInt32, _ rest: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var cell: [UInt8] = []
        cell.reserveCapacity(rest.count + 4)
        cell.append32(page)
        cell += rest
        return cell[...]
    }

    /// Writes the page, with its cells at the end.
    func write(_ pager: Pager) throws(ImageError) {
        let usable = pager.usable
        guard fits(usable: usable) else { throw .damaged(.init(page: number, .cell)) }
        var page: [UInt8]
        let start: Int
        if number == 1 {
            page = try pager.page(1)
            start = DatabaseHeader.size
        } else {
            page = [UInt8](repeating: 0, count: pager.pageSize)
            start = 0
        }
        page[start] = kind.rawValue
        page.set16(start + 1, 0)
        page.set16(start + 3, cells.count)
        page[start + 7] = 0
        if !kind.isLeaf { page.set32(start + 8, right) }
        var pointer = start + kind.headerSize
        var end = usable
        for cell in cells {
            end -= max(cell.count, 4)
            page.replaceSubrange(end..<(end + cell.count), with: cell)
            page.set16(pointer, end)
            pointer += 2
        }
        page.set16(start + 5, end & 0xffff)
        try pager.setPage(number, page)
    }
}
