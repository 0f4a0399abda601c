/// The list of unused pages: section 1.5 of SQLite's file format.
extension Pager {
    private typealias Field = DatabaseHeader.Field

    private func freeDamage(_ page: UInt32) -> ImageError {
        .damaged(.init(page: page, .freeList))
    }

    /// Takes a page from the free list, or adds one to the file. Its content is undefined.
    func allocatePage() throws(ImageError) -> UInt32 {
        let first = try page(1)
        let count = try first.number32(Field.freeCount, .init(page: 1, .header))
        let trunk = try first.number32(Field.freeTrunk, .init(page: 1, .header))
        guard count > 0 else {
            guard trunk == 0 else { throw freeDamage(1) }
            return try appendPage()
        }
        guard trunk > 1, trunk <= pageCount, trunk != lockPage else { throw freeDamage(1) }
        let list = try page(trunk)
        let next = try list.number32(0, .init(page: trunk, .freeList))
        let leaves = try list.number32(4, .init(page: trunk, .freeList))
        guard leaves <= usable / 4 - 2, leaves < count else { throw freeDamage(trunk) }
        var number = trunk
        if leaves > 0 {
            let place = 4 + 4 * Int(leaves)
            number = try list.number32(place, .init(page: trunk, .freeList))
            guard number > 1, number <= pageCount, number != lockPage, number != trunk else {
                throw freeDamage(trunk)
            }
            try updatePage(trunk) { (page) throws(ImageError) in page.set32(4, leaves - 1) }
        } else {
            guard next != trunk, (next == 0) == (count == 1) else { throw freeDamage(trunk) }
        }
        try updatePage(1) { (page) throws(ImageError) in
            page.set32(Field.freeCount, count - 1)
            if leaves == 0 { page.set32(Field.freeTrunk, next) }
        }
        freed.remove(number)
        return number
    }

    /// Puts a page on the free list.
    func freePage(_ number: UInt32) throws(ImageError) {
        guard number > 1, number <= pageCount, number != lockPage else {
            throw .damaged(.init(page: number, .pageNumber))
        }
        guard freed.insert(number).inserted else { throw .damaged(.init(page: number, .reused)) }
        let first = try page(1)
        let count = try first.number32(Field.freeCount, .init(page: 1, .header))
        let trunk = try first.number32(Field.freeTrunk, .init(page: 1, .header))
        guard count < pageCount else { throw freeDamage(1) }
        var isLeaf = false
        if trunk != 0 {
            guard trunk > 1, trunk <= pageCount, trunk != lockPage, trunk != number else {
                throw freeDamage(1)
            }
            let leaves = try page(trunk).number32(4, .init(page: trunk, .freeList))
            // The last six places stay empty for old versions of SQLite.
            if leaves < usable / 4 - 8 {
                try updatePage(trunk) { (page) throws(ImageError) in
                    page.set32(8 + 4 * Int(leaves), number)
                    page.set32(4, leaves + 1)
                }
                isLeaf = true
            }
        }
        if !isLeaf {
            try updatePage(number) { (page) throws(ImageError) in
                page.set32(0, trunk)
                page.set32(4, 0)
            }
        }
        try updatePage(1) { (page) throws(ImageError) in
            page.set32(Field.freeCount, count + 1)
            if !isLeaf { page.set32(Field.freeTrunk, number) }
        }
    }
}
