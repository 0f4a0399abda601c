/// The bytes of a file in memory, in blocks: an operation moves only the bytes that it reads or
/// writes, however large the file is, and unwritten parts take no memory.
struct FileContent {
    private static let blockByteCount = 1 << 16

    /// A block may be shorter than its part of the file: missing bytes are zero, as are missing
    /// blocks at the end.
    private var blocks: [[UInt8]] = []
    private(set) var count = 0

    /// Blocks with at least one byte.
    private static func blockCount(_ byteCount: Int) -> Int {
        byteCount / blockByteCount + (byteCount % blockByteCount == 0 ? 0 : 1)
    }

    /// All bytes in one array.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for block in blocks {
            bytes += block
            let end = min(count, bytes.count - block.count + Self.blockByteCount)
            bytes += repeatElement(0, count: end - bytes.count)
        }
        bytes += repeatElement(0, count: count - bytes.count)
        return bytes
    }

    /// Copies bytes from `offset` on to `target`; returns their number.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let total = max(0, min(target.count, count - offset))
        var done = 0
        while done < total {
            let (index, start) = (offset + done).quotientAndRemainder(
                dividingBy: Self.blockByteCount)
            let size = min(total - done, Self.blockByteCount - start)
            let part = UnsafeMutableRawBufferPointer(rebasing: target[done..<(done + size)])
            let block = index < blocks.count ? blocks[index].dropFirst(start).prefix(size) : []
            part.copyBytes(from: block)
            UnsafeMutableRawBufferPointer(rebasing: part[block.count...])
                .initializeMemory(as: UInt8.self, repeating: 0)
            done += size
        }
        return total
    }

    /// Writes all of `source` at `offset`; the file grows if necessary.
    mutating func write(_ source: UnsafeRawBufferPointer, at offset: Int) {
        guard !source.isEmpty else { return }
        let end = offset + source.count
        if end > count { count = end }
        if blocks.count < Self.blockCount(end) {
            blocks += repeatElement([], count: Self.blockCount(end) - blocks.count)
        }
        var done = 0
        while done < source.count {
            let (index, start) = (offset + done).quotientAndRemainder(
                dividingBy: Self.blockByteCount)
            let size = min(source.count - done, Self.blockByteCount - start)
            let part = source[done..<(done + size)]
            Self.put(part, at: start, in: &blocks[index])
            done += size
        }
    }

    private static func put(
        _ part: Slice<UnsafeRawBufferPointer>, at start: Int, in block: inout [UInt8]
    ) {
        if block.count < start { block += repeatElement(0, count: start - block.count) }
        let overwritten = min(block.count - start, part.count)
        if overwritten > 0 {
            block.withUnsafeMutableBytes { block in
                UnsafeMutableRawBufferPointer(rebasing: block[start..<(start + overwritten)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: part.prefix(overwritten)))
            }
        }
        block.append(contentsOf: part.dropFirst(overwritten))
    }

    /// Makes the file shorter, or longer with zeros, which take no memory.
    ///
    /// - Returns: the removed blocks, for `DiscardedContent`: freeing them takes time.
    mutating func setCount(_ wanted: Int) -> [[UInt8]] {
        let kept = Self.blockCount(wanted)
        var removed: [[UInt8]] = []
        if kept == 0 {
            removed = blocks
            blocks = []
        } else if kept < blocks.count {
            removed = Array(blocks[kept...])
            blocks.removeLast(blocks.count - kept)
        }
        let rest = wanted - (kept - 1) * Self.blockByteCount
        if wanted < count, kept > 0, kept <= blocks.count, blocks[kept - 1].count > rest {
            blocks[kept - 1].removeLast(blocks[kept - 1].count - rest)
        }
        count = wanted
        return removed
    }
}

/// Blocks of files that were shortened or removed. Each operation that makes new blocks frees more
/// than it can make, so that both together never exceed the limit.
struct DiscardedContent {
    private var lists: [[[UInt8]]] = []

    /// Blocks that are freed at once: some tenths of a millisecond.
    private static let step = 64

    mutating func add(_ blocks: [[UInt8]]) {
        if !blocks.isEmpty { lists.append(blocks) }
    }

    mutating func freeSome() {
        guard let last = lists.indices.last else { return }
        lists[last].removeLast(min(Self.step, lists[last].count))
        if lists[last].isEmpty { lists.removeLast() }
    }
}
