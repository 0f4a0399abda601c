/// The bytes of a cell: a part in the cell and a chain of overflow pages.
struct Payload {
    /// The page of the cell.
    let page: UInt32
    let count: Int
    let local: ArraySlice<UInt8>
    /// The first overflow page; 0 if there is none.
    let overflow: UInt32

    /// How much of a payload is in the cell: section 1.6, "Cell Payload Overflow Pages".
    static func localCount(_ count: Int, usable: Int, isTable: Bool) -> Int {
        let most = isTable ? usable - 35 : (usable - 12) * 64 / 255 - 23
        if count <= most { return count }
        let least = (usable - 12) * 32 / 255 - 23
        let local = least + (count - least) % (usable - 4)
        return local <= most ? local : least
    }

    /// Throws if the file has fewer pages than the payload needs.
    func check(_ pager: Pager) throws(ImageError) {
        let pages = (count - local.count + pager.usable - 5) / (pager.usable - 4)
        guard pages < Int(pager.pageCount) else { throw .damaged(.init(page: page, .payload)) }
    }

    /// Lends the bytes of a range in pieces, until `body` returns false.
    func forEachPiece(
        _ pager: Pager, _ range: Range<Int>,
        _ body: (ArraySlice<UInt8>) throws(ImageError) -> Bool
    ) throws(ImageError) {
        try check(pager)
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw .outOfRange(offset: range.lowerBound, count: range.count)
        }
        if range.lowerBound < local.count {
            let end = min(range.upperBound, local.count)
            let piece = local[
                (local.startIndex + range.lowerBound)..<(local.startIndex + end)]
            if !piece.isEmpty, try !body(piece) { return }
        }
        guard range.upperBound > local.count else { return }
        var start = local.count
        var next = overflow
        let size = pager.usable - 4
        while start < range.upperBound {
            let bytes = try pager.overflowPage(next)
            let end = min(start + size, count)
            let low = max(range.lowerBound, start)
            let high = min(range.upperBound, end)
            if low < high {
                guard try body(bytes[(4 + low - start)..<(4 + high - start)]) else { return }
            }
            let last = next
            next = try bytes.number32(0, .init(page: last, .overflow))
            start = end
            // A chain that goes on after its end is a cycle, or belongs to something else.
            if start == count, next != 0 { throw .damaged(.init(page: last, .overflow)) }
        }
    }

    func bytes(_ pager: Pager, _ range: Range<Int>) throws(ImageError) -> [UInt8] {
        var bytes: [UInt8] = []
        try check(pager)
        bytes.reserveCapacity(min(max(range.count, 0), count))
        try forEachPiece(pager, range) { (piece) throws(ImageError) in
            bytes += piece
            return true
        }
        return bytes
    }
}

/// Counts the bytes of rows that are read to be kept: no more than the file has, unless rows share
/// overflow pages, as they do in no sound file.
struct RowTotal {
    private var left: Int

    init(_ pager: Pager) { left = Int(pager.pageCount) * pager.pageSize }

    /// Throws if there cannot be so many.
    mutating func add(_ count: Int, _ page: UInt32) throws(ImageError) {
        guard count <= left else { throw .damaged(.init(page: page, .overflow)) }
        left -= count
    }
}

extension Pager {
    func overflowPage(_ number: UInt32) throws(ImageError) -> [UInt8] {
        guard number > 1 else { throw .damaged(.init(page: number, .overflow)) }
        return try page(number)
    }

    /// Writes the end of a payload to new overflow pages; returns the first of them.
    ///
    /// - Parameter next: gives the following bytes, at most as many as asked for and at least one.
    func writeOverflow(
        _ count: Int, _ next: (Int) throws(ImageError) -> ArraySlice<UInt8>
    ) throws(ImageError) -> UInt32 {
        var left = count
        let first = try allocatePage()
        var number = first
        var rest: ArraySlice<UInt8> = []
        while left > 0 {
            let size = min(usable - 4, left)
            var page: [UInt8] = []
            page.reserveCapacity(pageSize)
            page.append32(0)
            while page.count < size + 4 {
                if rest.isEmpty { rest = try next(left - (page.count - 4)) }
                guard !rest.isEmpty else { throw .outOfRange(offset: count - left, count: left) }
                let part = rest.prefix(size + 4 - page.count)
                page += part
                rest = rest.dropFirst(part.count)
            }
            page += [UInt8](repeating: 0, count: pageSize - page.count)
            left -= size
            let following = left > 0 ? try allocatePage() : 0
            page.set32(0, following)
            try setPage(number, page)
            number = following
        }
        guard rest.isEmpty else { throw .outOfRange(offset: count, count: rest.count) }
        return first
    }

    /// Frees the overflow pages of a payload.
    func freeOverflow(_ payload: Payload) throws(ImageError) {
        guard payload.overflow != 0 else { return }
        try payload.check(self)
        var left = payload.count - payload.local.count
        var number = payload.overflow
        while left > 0 {
            let next = try overflowPage(number).number32(0, .init(page: number, .overflow))
            try freePage(number)
            left -= usable - 4
            number = next
        }
        guard number == 0 else { throw .damaged(.init(page: number, .overflow)) }
    }

    /// Overwrites a range of a payload after its part in the cell; pages with the same bytes are
    /// not changed.
    func overwriteOverflow(
        _ payload: Payload, at offset: Int, _ bytes: ArraySlice<UInt8>
    ) throws(ImageError) {
        try payload.check(self)
        var start = payload.local.count
        var number = payload.overflow
        let size = usable - 4
        let end = offset + bytes.count
        while start < end {
            let page = try overflowPage(number)
            let next = try page.number32(0, .init(page: number, .overflow))
            let low = max(offset, start)
            let high = min(end, start + size)
            if low < high {
                let new = bytes[
                    (bytes.startIndex + low - offset)..<(bytes.startIndex + high - offset)]
                let place = (4 + low - start)..<(4 + high - start)
                if !page[place].hasSameBytes(as: new) {
                    try updatePage(number) { (page) throws(ImageError) in
                        page.replaceSubrange(place, with: new)
                    }
                }
            }
            start += size
            number = next
        }
    }
}
