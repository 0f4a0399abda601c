extension Snapshot {
    /// The snapshot as bytes, for `init(decoding:for:)`.
    ///
    /// Cost: proportional to `memoryByteCount`, tables and objects.
    public func encoded() -> [UInt8] {
        var writer = SnapshotWriter()
        writer.write(SnapshotFormat.magic)
        writer.write(SnapshotFormat.version)
        for word in module.fingerprint.words { writer.write(word) }
        writer.write(0 as UInt64)
        writer.write(state, of: module)
        let checksum = writer.bytes.withUnsafeBytes {
            SnapshotFormat.checksum(
                UnsafeRawBufferPointer(rebasing: $0[SnapshotFormat.headerByteCount...]))
        }
        writer.replace(checksum, at: SnapshotFormat.headerByteCount - 8)
        return writer.bytes
    }
}

/// Writes numbers in little endian order.
private struct SnapshotWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ content: some Sequence<UInt8>) { bytes.append(contentsOf: content) }

    mutating func write<T: FixedWidthInteger>(_ number: T) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func replace(_ number: UInt64, at offset: Int) {
        for index in 0..<8 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index))
        }
    }

    private mutating func writeCount(_ count: Int) { write(UInt64(UInt(bitPattern: count))) }

    mutating func write(_ state: SavedState, of module: Module) {
        writeCount(state.heap.objects.count)
        for object in state.heap.objects {
            write(object.type)
            write(object.length)
        }
        write(state.heap.contents)
        writeCount(state.globals.count)
        let parsed = module.parsed
        for (definition, value) in zip(parsed.globalDefinitions, state.globals) {
            write(value.low)
            if definition.type.value.isVector { write(value.high) }
        }
        writeCount(state.tables.count)
        for table in state.tables {
            write(table.count)
            write(table.elements)
        }
        writeCount(state.elementSegments.count)
        for segment in state.elementSegments {
            switch segment {
            case .kept: write(SnapshotFormat.segmentKept)
            case .dropped: write(SnapshotFormat.segmentDropped)
            case .references(let references):
                write(SnapshotFormat.segmentReferences)
                write(references)
            }
        }
        writeCount(state.isDataDropped.count)
        for isDropped in state.isDataDropped {
            write(isDropped ? SnapshotFormat.segmentDropped : SnapshotFormat.segmentKept)
        }
        writeCount(state.memories.count)
        for image in state.memories { write(image) }
    }

    private mutating func write(_ references: [SavedReference]) {
        writeCount(references.count)
        for reference in references { write(reference.bits) }
    }

    private mutating func write(_ image: MemoryImage) {
        writeCount(image.byteCount)
        writeCount(image.runs.count)
        for run in image.runs {
            let pages = (run.count + MemoryImage.pageSize - 1) / MemoryImage.pageSize
            writeCount(run.lowerBound / MemoryImage.pageSize)
            writeCount(pages)
        }
        for run in image.runs { write(image.bytes(of: run)) }
    }
}
