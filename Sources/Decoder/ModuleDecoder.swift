/// Decodes the sections of a module. One pass; function bodies and constant expressions stay
/// ranges of `bytes`, which the result keeps.
///
/// Everything that makes a module malformed outside of function bodies is found here. What is in
/// the bodies is for validation, which reads them.
///
/// Cost: proportional to the number of entities, not to the size of bodies and data.
///
/// - Throws: the first error in the order of the file. A module that needs a feature that is not
///   in `features`, or is larger than `limits`, is refused too. `cancelled` if `cancellation`, which is
///   asked every 64 KiB, says so.
///
/// Specification: 5.5 (modules).
public func decode(
    _ bytes: ModuleBytes, features: Features = .default, limits: DecodingLimits = .default,
    cancellation: Cancellation? = nil
) throws(DecodingError) -> ParsedModule {
    var decoder = ModuleDecoder(bytes, features: features, limits: limits)
    decoder.cancellation = cancellation
    try decoder.decode()
    return decoder.module
}

/// Walks over the sections; what is in them is decoded in the extensions of this type.
struct ModuleDecoder {
    var module: ParsedModule
    /// The reader is before the next section.
    private var reader: BinaryReader
    /// The place in the order of sections of the last one.
    private var lastRank = 0
    /// The first count that disagrees with another section's; reported if nothing else is wrong.
    private var inconsistency: DecodingError?
    private var hasCode = false
    private var hasData = false
    fileprivate(set) var cancellation: Cancellation?
    /// Where it is asked next.
    private var checkpoint = 64 << 10

    var features: Features { module.features }
    var limits: DecodingLimits { module.limits }

    init(_ bytes: ModuleBytes, features: Features, limits: DecodingLimits) {
        module = ParsedModule(bytes: bytes, features: features, limits: limits)
        reader = module.reader(of: bytes.range)
    }

    mutating func decode() throws(DecodingError) {
        if module.bytes.count > limits.moduleSize {
            throw .exceeds(.moduleSize, limits.moduleSize, at: 0)
        }
        try expect([0x00, 0x61, 0x73, 0x6d], orElse: .magicHeaderNotDetected)
        try expect([0x01, 0x00, 0x00, 0x00], orElse: .unknownBinaryVersion)
        while !reader.isAtEnd {
            try checkCancellation(reader)
            try section()
        }
        let end = module.bytes.count
        if !hasCode, module.functions.count != module.importedFunctionCount {
            noteInconsistency(.functionAndCodeInconsistent, at: end)
        }
        if !hasData, let count = module.dataCount, count != 0 {
            noteInconsistency(.dataCountAndDataInconsistent, at: end)
        }
        if let inconsistency { throw inconsistency }
    }

    mutating func noteInconsistency(_ reason: DecodingError.Reason, at offset: Int) {
        if inconsistency == nil { inconsistency = DecodingError(reason, at: offset) }
    }

    private mutating func expect(
        _ signature: [UInt8], orElse reason: DecodingError.Reason
    ) throws(DecodingError) {
        let position = reader.offset
        guard reader.remaining >= signature.count else {
            throw DecodingError(.unexpectedEnd, at: reader.endOffset)
        }
        for expected in signature where try reader.byte() != expected {
            // What is there instead says what the file is.
            reader.offset = 0
            var start = [UInt8](repeating: 0, count: min(8, reader.remaining))
            for index in start.indices { start[index] = try reader.byte() }
            throw DecodingError(
                reason, at: position, payload: 0, detail: DecodingError.detail(of: start))
        }
    }

    private mutating func section() throws(DecodingError) {
        let start = reader.offset
        let id = try reader.byte()
        guard id == 0 || SectionID(rawValue: id) != nil else {
            throw DecodingError(.malformedSectionID, at: start)
        }
        let sizeOffset = reader.offset
        let size = Int(try reader.unsigned32())
        guard size <= reader.remaining else {
            throw DecodingError(.lengthOutOfBounds, at: sizeOffset)
        }
        let content = ByteRange(start: reader.offset, end: reader.offset + size)
        try reader.skip(size)

        var section = module.reader(of: content)
        if let id = SectionID(rawValue: id) {
            guard id.rank > lastRank else {
                throw DecodingError(.unexpectedContentAfterLastSection, at: start)
            }
            lastRank = id.rank
            try decode(id, at: start, &section)
            if !section.isAtEnd { throw DecodingError(.sectionSizeMismatch, at: section.offset) }
        } else {
            try customSection(&section)
        }
        module.sections.append(
            SectionSpan(id: id, range: ByteRange(start: start, end: content.end)))
    }

    private mutating func decode(
        _ id: SectionID, at start: Int, _ section: inout BinaryReader
    ) throws(DecodingError) {
        switch id {
        case .type: try typeSection(&section)
        case .import: try importSection(&section)
        case .function: try functionSection(&section)
        case .table: try tableSection(&section)
        case .memory: try memorySection(&section)
        case .tag:
            try section.require(.exceptions, at: start)
            try tagSection(&section)
        case .global: try globalSection(&section)
        case .export: try exportSection(&section)
        case .start: module.start = try section.unsigned32()
        case .element: try elementSection(&section)
        case .dataCount:
            try section.require(.bulkMemory, at: start)
            module.dataCount = try section.unsigned32()
        case .code:
            hasCode = true
            try codeSection(&section)
        case .data:
            hasData = true
            try dataSection(&section)
        }
    }

    private mutating func customSection(_ section: inout BinaryReader) throws(DecodingError) {
        let position = section.offset
        let name = try name(&section)
        if module.customSections.count >= limits.customSections {
            throw .exceeds(.customSections, limits.customSections, at: position)
        }
        module.customSections.append(
            CustomSection(
                name: name,
                content: ByteRange(start: section.offset, end: section.endOffset),
                position: module.sections.count - module.customSections.count))
    }

    /// Ends decoding if that is wanted; for each entity of a section.
    @inline(__always)
    mutating func checkCancellation(_ section: borrowing BinaryReader) throws(DecodingError) {
        if section.offset >= checkpoint { try askCancellation(at: section.offset) }
    }

    @inline(never)
    private mutating func askCancellation(at offset: Int) throws(DecodingError) {
        checkpoint = offset + (64 << 10)
        if let cancellation, cancellation.isCancelled {
            throw DecodingError(.cancelled, at: offset)
        }
    }

    // MARK: What sections share

    /// The length of a vector, at most `limit` with the `present` that are there already.
    func count(
        _ section: inout BinaryReader, _ kind: DecodingLimits.Kind, limit: Int, present: Int = 0
    ) throws(DecodingError) -> Int {
        let position = section.offset
        let count = try section.count()
        if count > limit - present { throw .exceeds(kind, limit, at: position) }
        return count
    }

    func name(_ section: inout BinaryReader) throws(DecodingError) -> Name {
        let position = section.offset
        let name = try section.name()
        if name.utf8.count > limits.nameSize {
            throw .exceeds(.nameSize, limits.nameSize, at: position)
        }
        return name
    }
}

/// The numbers of the known sections.
enum SectionID: UInt8 {
    case type = 1
    case `import` = 2
    case function = 3
    case table = 4
    case memory = 5
    case global = 6
    case export = 7
    case start = 8
    case element = 9
    case code = 10
    case data = 11
    case dataCount = 12
    case tag = 13

    /// The place in the order that sections must have, from 1.
    var rank: Int {
        switch self {
        case .type: 1
        case .import: 2
        case .function: 3
        case .table: 4
        case .memory: 5
        case .tag: 6
        case .global: 7
        case .export: 8
        case .start: 9
        case .element: 10
        case .dataCount: 11
        case .code: 12
        case .data: 13
        }
    }
}
