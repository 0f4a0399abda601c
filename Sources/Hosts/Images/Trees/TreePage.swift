/// What a page of a tree is: section 1.6 of SQLite's file format.
enum TreeKind: UInt8, Sendable {
    case indexInterior = 2
    case tableInterior = 5
    case indexLeaf = 10
    case tableLeaf = 13

    var isLeaf: Bool { self == .indexLeaf || self == .tableLeaf }
    var isTable: Bool { self == .tableInterior || self == .tableLeaf }
    var headerSize: Int { isLeaf ? 8 : 12 }
    var interior: TreeKind { isTable ? .tableInterior : .indexInterior }
}

/// A page of a tree as it is in the file. Whatever is read of it is checked to be inside of it.
struct TreePage {
    let number: UInt32
    let bytes: [UInt8]
    let kind: TreeKind
    let cellCount: Int
    /// Where the page's own header is: after that of the database on the first page.
    let start: Int
    let usable: Int

    init(_ pager: Pager, _ number: UInt32, isTable: Bool) throws(ImageError) {
        self.number = number
        bytes = try pager.page(number)
        usable = pager.usable
        start = number == 1 ? DatabaseHeader.size : 0
        guard let kind = TreeKind(rawValue: try bytes.byte(start, .init(page: number, .pageKind))),
            kind.isTable == isTable
        else { throw .damaged(.init(page: number, .pageKind)) }
        self.kind = kind
        cellCount = try bytes.number16(start + 3, .init(page: number, .cell))
        guard start + kind.headerSize + 2 * cellCount <= usable else {
            throw .damaged(.init(page: number, .cell))
        }
    }

    func damage(_ rule: ImageError.Damage.Rule) -> ImageError.Damage {
        .init(page: number, rule)
    }

    /// Where the array of pointers to cells begins.
    var pointers: Int { start + kind.headerSize }

    /// The page after the last cell.
    var right: UInt32 {
        get throws(ImageError) { try bytes.number32(start + 8, damage(.cell)) }
    }

    func offset(_ index: Int) throws(ImageError) -> Int {
        let offset = try bytes.number16(pointers + 2 * index, damage(.cell))
        guard offset >= pointers + 2 * cellCount, offset + 4 <= usable else {
            throw .damaged(damage(.cell))
        }
        return offset
    }

    /// The page before cell `index`, or after the last one.
    func child(_ index: Int) throws(ImageError) -> UInt32 {
        index < cellCount ? try bytes.number32(try offset(index), damage(.cell)) : try right
    }

    /// The key of a cell of a table.
    func rowid(_ index: Int) throws(ImageError) -> Int64 {
        var position = try offset(index)
        if kind == .tableLeaf {
            position += try bytes.varint(position, before: usable, damage(.cell)).size
        } else {
            position += 4
        }
        return try bytes.varint(position, before: usable, damage(.cell)).value
    }

    /// The first cell of a table whose key is not below `rowid`.
    func index(of rowid: Int64) throws(ImageError) -> Int {
        var (low, high) = (0, cellCount)
        while low < high {
            let middle = (low + high) / 2
            if try self.rowid(middle) < rowid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The payload of a cell; the pages of a table's interior have none.
    func payload(_ index: Int) throws(ImageError) -> Payload {
        var position = try offset(index)
        if kind == .indexInterior { position += 4 }
        let (count, size) = try bytes.varint(position, before: usable, damage(.cell))
        position += size
        if kind == .tableLeaf {
            position += try bytes.varint(position, before: usable, damage(.cell)).size
        }
        guard count >= 0, count <= 0x7fff_ffff else { throw .damaged(damage(.payload)) }
        let local = Payload.localCount(Int(count), usable: usable, isTable: kind.isTable)
        let isLocal = local == Int(count)
        guard position + local + (isLocal ? 0 : 4) <= usable else {
            throw .damaged(damage(.cell))
        }
        return Payload(
            page: number, count: Int(count), local: bytes[position..<(position + local)],
            overflow: isLocal ? 0 : try bytes.number32(position + local, damage(.cell)))
    }

    /// A cell with its key, payload and numbers of pages.
    func cell(_ index: Int) throws(ImageError) -> ArraySlice<UInt8> {
        let offset = try offset(index)
        var end = offset
        if kind == .tableInterior {
            end += 4 + (try bytes.varint(offset + 4, before: usable, damage(.cell)).size)
        } else {
            let payload = try payload(index)
            end = payload.local.endIndex + (payload.overflow == 0 ? 0 : 4)
            // A payload that goes on has a page to go on to.
            guard payload.overflow != 0 || payload.local.count == payload.count else {
                throw .damaged(damage(.overflow))
            }
        }
        guard end <= usable else { throw .damaged(damage(.cell)) }
        return bytes[offset..<end]
    }
}
