// Invariant: what comes out has the counts that the module defines, indices in range, and values of
// the types of their places: restoring checks nothing. Nothing is reserved that is
// larger than in proportion to the bytes that are left.

import WasmValidator

extension Snapshot {
    /// Reads what `encoded()` wrote, in this or another process. The bytes may come from anywhere:
    /// an instance that is made from them is one that the module could have, as far as types go.
    ///
    /// - Throws: `SnapshotError.otherModule` if the snapshot was made of other bytes than the
    ///   module's; `.malformed`, with the offset of what is wrong; `.resource`.
    public init(decoding bytes: [UInt8], for module: Module) throws(SnapshotError) {
        let result: Result<SavedState, SnapshotError> = bytes.withUnsafeBytes { bytes in
            do throws(SnapshotError) {
                var decoder = SnapshotDecoder(bytes, module)
                return .success(try decoder.decode())
            } catch {
                return .failure(error)
            }
        }
        self.init(module: module, state: try result.get())
    }
}

private struct SnapshotDecoder {
    private var reader: SnapshotReader
    private let module: Module
    private let types: TypeRegistry
    private var state = SavedState()

    init(_ bytes: UnsafeRawBufferPointer, _ module: Module) {
        reader = SnapshotReader(bytes)
        self.module = module
        types = module.engine.types
    }

    mutating func decode() throws(SnapshotError) -> SavedState {
        try readHeader()
        try readHeap()
        try readGlobals()
        try readTables()
        try readSegments()
        try readMemories()
        guard reader.isAtEnd else { throw reader.malformed(.length) }
        return state
    }

    private mutating func readHeader() throws(SnapshotError) {
        for byte in SnapshotFormat.magic {
            guard try reader.number(as: UInt8.self) == byte else { throw reader.malformed(.magic) }
        }
        let version = try reader.number(as: UInt32.self)
        guard version == SnapshotFormat.version else { throw reader.malformed(.version(version)) }
        var words: [UInt32] = []
        for _ in 0..<8 { words.append(try reader.number(as: UInt32.self)) }
        guard ModuleFingerprint(words: words) == module.fingerprint else { throw .otherModule }
        let checksum = try reader.number(as: UInt64.self)
        guard SnapshotFormat.checksum(reader.rest) == checksum else {
            throw reader.malformed(.checksum)
        }
    }

    /// A count that must be what the module says.
    private mutating func readCount(_ expected: Int) throws(SnapshotError) {
        guard try reader.number(as: UInt64.self) == UInt64(UInt(bitPattern: expected)) else {
            throw reader.malformed(.count)
        }
    }

    // MARK: References

    /// Reads a reference of a type in canonical form.
    private mutating func reference(_ type: ValueType) throws(SnapshotError) -> SavedReference {
        let reference = SavedReference(bits: try reader.number(as: UInt64.self))
        guard let target = reference.target else { throw reader.malformed(.value) }
        let actual: HeapType
        switch target {
        case .null:
            guard type.isDefaultable else { throw reader.malformed(.type) }
            return reference
        case .function(let index):
            let functions = module.parsed.functions
            guard functions.indices.contains(index) else { throw reader.malformed(.value) }
            actual = .index(module.valid.typeIDs[Int(functions[index])])
        case .i31: actual = isExtern(type) ? .extern : .i31
        case .object(let index):
            guard state.heap.objects.indices.contains(index) else {
                throw reader.malformed(.value)
            }
            let id = module.valid.typeIDs[Int(state.heap.objects[index].type)]
            actual = isExtern(type) ? .extern : .index(id)
        }
        guard types.matches(.ref(actual, nullable: false), type) else {
            throw reader.malformed(.type)
        }
        return reference
    }

    private func isExtern(_ type: ValueType) -> Bool {
        type.reference.map { types.top(of: $0.heapType) } == .extern
    }

    private mutating func references(
        _ count: Int, _ type: ValueType
    ) throws(SnapshotError) -> [SavedReference] {
        var references: [SavedReference] = []
        references.reserveCapacity(min(count, reader.rest.count / 8))
        for _ in 0..<count { references.append(try reference(type)) }
        return references
    }

    /// The number of references that follow.
    private mutating func referenceCount() throws(SnapshotError) -> Int {
        try reader.count(ofByteCount: 8)
    }

    // MARK: Parts

    private mutating func readHeap() throws(SnapshotError) {
        let count = try reader.count(ofByteCount: 8)
        var shapes: [TypeIndex: ObjectShape] = [:]
        var offset = 0
        state.heap.objects.reserveCapacity(count)
        for _ in 0..<count {
            let type = try reader.number(as: UInt32.self)
            let length = try reader.number(as: UInt32.self)
            guard module.valid.typeIDs.indices.contains(Int(type)),
                let shape = shapes[type] ?? ObjectShape(module.valid.typeIDs[Int(type)], in: types)
            else { throw reader.malformed(.value) }
            shapes[type] = shape
            if case .structure = shape.layout, length != 0 { throw reader.malformed(.value) }
            state.heap.objects.append(
                SavedHeap.Object(type: type, length: length, offset: offset))
            let size = shape.contentByteCount(length: length)
            // All contents must be in the bytes that are left: sums stay small.
            guard size <= reader.rest.count - offset else { throw reader.malformed(.unexpectedEnd) }
            offset += size
        }
        let contents = reader.rest.prefix(offset)
        for object in state.heap.objects {
            if let shape = shapes[object.type] { try readContents(object, shape) }
        }
        state.heap.contents = Array(contents)
    }

    private mutating func readContents(
        _ object: SavedHeap.Object, _ shape: ObjectShape
    ) throws(SnapshotError) {
        if shape.isPlainArray {
            return try reader.skip(shape.contentByteCount(length: object.length))
        }
        try shape.forEachField(length: object.length) { (field, _) throws(SnapshotError) in
            if let type = field.reference {
                _ = try reference(type)
            } else {
                try reader.skip(field.storage.byteCount)
            }
        }
    }

    private mutating func readGlobals() throws(SnapshotError) {
        let definitions = module.parsed.globalDefinitions
        try readCount(definitions.count)
        for definition in definitions {
            let type = module.valid.canonical(definition.type.value)
            if type.isReference {
                state.globals.append(SavedValue(low: try reference(type).bits))
                continue
            }
            let low = try reader.number(as: UInt64.self)
            let high = type.isVector ? try reader.number(as: UInt64.self) : 0
            // Slots of 32-bit types have an upper half of zeros.
            if type == .i32 || type == .f32, low >> 32 != 0 { throw reader.malformed(.type) }
            state.globals.append(SavedValue(low: low, high: high))
        }
    }

    private mutating func readTables() throws(SnapshotError) {
        let definitions = module.parsed.tableDefinitions
        try readCount(definitions.count)
        for definition in definitions {
            let type = ValueType(module.valid.canonical(definition.type).element)
            let limits = definition.type.limits
            let count = try reader.number(as: UInt64.self)
            guard count >= limits.minimum, count <= limits.maximum ?? UInt64.max,
                definition.type.addressType == .i64 || count <= UInt64(UInt32.max)
            else { throw reader.malformed(.size) }
            let stored = try referenceCount()
            guard UInt64(stored) <= count, type.isDefaultable || UInt64(stored) == count else {
                throw reader.malformed(.count)
            }
            state.tables.append(
                SavedTable(count: count, elements: try references(stored, type)))
        }
    }

    private mutating func readSegments() throws(SnapshotError) {
        let segments = module.parsed.elementSegments
        try readCount(segments.count)
        var traced = module.tracedSegments[...]
        for (index, segment) in segments.enumerated() {
            let isTraced = traced.first == index
            if isTraced { traced.removeFirst() }
            switch try reader.number(as: UInt8.self) {
            case SnapshotFormat.segmentDropped: state.elementSegments.append(.dropped)
            case SnapshotFormat.segmentKept where !isTraced: state.elementSegments.append(.kept)
            case SnapshotFormat.segmentReferences where isTraced:
                let count = try referenceCount()
                guard count == segment.count else { throw reader.malformed(.count) }
                let type = module.valid.canonical(ValueType(segment.type))
                state.elementSegments.append(.references(try references(count, type)))
            default: throw reader.malformed(.value)
            }
        }
        let dataCount = module.parsed.dataSegments.count
        try readCount(dataCount)
        for _ in 0..<dataCount {
            switch try reader.number(as: UInt8.self) {
            case SnapshotFormat.segmentDropped: state.isDataDropped.append(true)
            case SnapshotFormat.segmentKept: state.isDataDropped.append(false)
            default: throw reader.malformed(.value)
            }
        }
    }

    // MARK: Memories

    private mutating func readMemories() throws(SnapshotError) {
        let memories = module.parsed.memories.dropFirst(module.parsed.importedMemoryCount)
        try readCount(memories.count)
        for (index, type) in zip(memories.indices, memories) {
            if type.isShared { throw .sharedMemory(index: index) }
            state.memories.append(try readMemory(type))
        }
    }

    private mutating func readMemory(_ type: MemoryType) throws(SnapshotError) -> MemoryImage {
        let size = try reader.number(as: UInt64.self)
        let shift = UInt64(type.pageSizeLog2)
        let pages = size >> shift
        guard pages << shift == size, pages >= type.limits.minimum,
            pages <= min(type.limits.maximum ?? UInt64.max, type.maximumPages), size <= 1 << 46
        else { throw reader.malformed(.size) }
        let byteCount = Int(truncatingIfNeeded: size)
        let runs = try readRuns(byteCount)
        var contents: [UnsafeRawBufferPointer] = []
        for run in runs { contents.append(try reader.bytes(run.count)) }
        do throws(ResourceError) {
            return try MemoryImage(
                byteCount: byteCount, runs: runs, pool: module.engine.reservations, bytes: contents)
        } catch {
            throw .resource(error)
        }
    }

    private mutating func readRuns(_ byteCount: Int) throws(SnapshotError) -> [Range<Int>] {
        let pageSize = MemoryImage.pageSize
        let pageCount = UInt64((byteCount + pageSize - 1) / pageSize)
        let count = try reader.count(ofByteCount: 16)
        var runs: [Range<Int>] = []
        runs.reserveCapacity(count)
        var end: UInt64 = 0
        for _ in 0..<count {
            let first = try reader.number(as: UInt64.self)
            let length = try reader.number(as: UInt64.self)
            guard first >= end, first < pageCount, length > 0, length <= pageCount - first else {
                throw reader.malformed(.pages)
            }
            end = first + length
            let start = Int(truncatingIfNeeded: first) * pageSize
            runs.append(start..<min(Int(truncatingIfNeeded: end) * pageSize, byteCount))
        }
        return runs
    }
}

/// Reads numbers in little endian order.
private struct SnapshotReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Where what was read last begins.
    private var last = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[position...]) }

    /// The error for what was read last.
    func malformed(_ malformation: SnapshotError.Malformation) -> SnapshotError {
        .malformed(malformation, offset: malformation == .length ? position : last)
    }

    mutating func skip(_ byteCount: Int) throws(SnapshotError) {
        last = position
        guard byteCount <= bytes.count - position else { throw malformed(.unexpectedEnd) }
        position += byteCount
    }

    mutating func bytes(_ byteCount: Int) throws(SnapshotError) -> UnsafeRawBufferPointer {
        try skip(byteCount)
        return UnsafeRawBufferPointer(rebasing: bytes[last..<position])
    }

    mutating func number<T: FixedWidthInteger>(as type: T.Type) throws(SnapshotError) -> T {
        try skip(MemoryLayout<T>.size)
        return T(truncatingIfNeeded: bytes.word(last, MemoryLayout<T>.size))
    }

    /// How many things of this size follow, at least.
    mutating func count(ofByteCount size: Int) throws(SnapshotError) -> Int {
        let count = try number(as: UInt64.self)
        guard count <= UInt64((bytes.count - position) / size) else {
            throw malformed(.unexpectedEnd)
        }
        return Int(truncatingIfNeeded: count)
    }
}
