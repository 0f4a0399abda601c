/// Exports, code, element and data segments.
///
/// Specification: 5.5.10 to 5.5.14.
extension ModuleDecoder {
    mutating func exportSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(&section, .exports, limit: limits.exports)
        module.exports.reserveCapacity(min(count, section.remaining / 3))
        for _ in 0..<count {
            try checkCancellation(section)
            let name = try name(&section)
            let position = section.offset
            guard let kind = ExternalKind(rawValue: try section.byte()) else {
                throw DecodingError(.malformedExportKind, at: position)
            }
            if kind == .tag { try section.require(.exceptions, at: position) }
            let index = try section.unsigned32()
            if kind == .global, let index = Int(exactly: index), index < module.globals.count,
                module.globals[index].isMutable
            {
                try section.require(.mutableGlobals, at: position)
            }
            module.exports.append(Export(name: name, kind: kind, index: index))
        }
    }

    mutating func codeSection(_ section: inout BinaryReader) throws(DecodingError) {
        let position = section.offset
        let count = try section.count()
        if count != module.functions.count - module.importedFunctionCount {
            noteInconsistency(.functionAndCodeInconsistent, at: position)
        }
        module.bodies.reserveCapacity(count)
        for _ in 0..<count {
            try checkCancellation(section)
            let position = section.offset
            let size = Int(try section.unsigned32())
            if size > limits.bodySize { throw .exceeds(.bodySize, limits.bodySize, at: position) }
            module.bodies.append(try bytes(&section, count: size))
        }
    }

    /// The next `count` bytes as a range.
    private func bytes(
        _ section: inout BinaryReader, count: Int
    ) throws(DecodingError) -> ByteRange {
        let start = section.offset
        try section.skip(count)
        return ByteRange(start: start, end: section.offset)
    }

    // MARK: Data

    mutating func dataSection(_ section: inout BinaryReader) throws(DecodingError) {
        let position = section.offset
        let count = try count(&section, .dataSegments, limit: limits.dataSegments)
        if let expected = module.dataCount, Int(expected) != count {
            noteInconsistency(.dataCountAndDataInconsistent, at: position)
        }
        module.dataSegments.reserveCapacity(min(count, section.remaining / 2))
        for _ in 0..<count {
            try checkCancellation(section)
            let mode = try dataMode(&section)
            let size = Int(try section.unsigned32())
            module.dataSegments.append(
                DataSegment(mode: mode, content: try bytes(&section, count: size)))
        }
    }

    private func dataMode(_ section: inout BinaryReader) throws(DecodingError) -> SegmentMode {
        let position = section.offset
        let flags = try section.unsigned32()
        guard flags < 3 else { throw DecodingError(.malformedDataSegmentKind, at: position) }
        if flags != 0 { try section.require(.bulkMemory, at: position) }
        if flags == 1 { return .passive }
        let memory = flags == 2 ? try section.memoryIndex() : 0
        return .active(index: memory, offset: try section.constantExpression())
    }

    // MARK: Elements

    mutating func elementSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(&section, .elementSegments, limit: limits.elementSegments)
        module.elementSegments.reserveCapacity(min(count, section.remaining / 3))
        for _ in 0..<count {
            try checkCancellation(section)
            module.elementSegments.append(try elementSegment(&section))
        }
    }

    /// Bits of the number that a segment starts with.
    private enum ElementFlags {
        /// Passive, or declarative if `explicit` is set too.
        static let notActive: UInt32 = 1
        /// A table index (in active segments) and the type of the elements are given.
        static let explicit: UInt32 = 2
        /// The elements are constant expressions, not function indices.
        static let expressions: UInt32 = 4
    }

    private mutating func elementSegment(
        _ section: inout BinaryReader
    ) throws(DecodingError) -> ElementSegment {
        let position = section.offset
        let flags = try section.unsigned32()
        guard flags < 8 else { throw DecodingError(.malformedElementSegmentKind, at: position) }
        if flags != 0 { try section.require(.bulkMemory, at: position) }
        let hasExpressions = flags & ElementFlags.expressions != 0

        let mode: SegmentMode
        if flags & ElementFlags.notActive != 0 {
            mode = flags & ElementFlags.explicit != 0 ? .declarative : .passive
        } else {
            let table = flags & ElementFlags.explicit != 0 ? try section.unsigned32() : 0
            mode = .active(index: table, offset: try section.constantExpression())
        }
        // Only the short active forms leave the type out.
        var type = ReferenceType(.func, nullable: hasExpressions)
        if flags & (ElementFlags.notActive | ElementFlags.explicit) != 0 {
            if hasExpressions {
                type = try section.referenceType()
            } else {
                try elementKind(&section)
            }
        }
        let items = hasExpressions ? try expressions(&section) : try functionIndices(&section)
        return ElementSegment(type: type, mode: mode, items: items)
    }

    /// The byte that stands for the type `(ref func)`.
    private func elementKind(_ section: inout BinaryReader) throws(DecodingError) {
        let position = section.offset
        guard try section.byte() == 0 else {
            throw DecodingError(.malformedElementKind, at: position)
        }
    }

    private mutating func functionIndices(
        _ section: inout BinaryReader
    ) throws(DecodingError) -> ElementSegment.Items {
        let count = try count(&section, .elements, limit: limits.elements)
        let start = section.offset
        for _ in 0..<count {
            try checkCancellation(section)
            _ = try section.unsigned32()
        }
        return .functions(range: ByteRange(start: start, end: section.offset), count: count)
    }

    private mutating func expressions(
        _ section: inout BinaryReader
    ) throws(DecodingError) -> ElementSegment.Items {
        let count = try count(&section, .elements, limit: limits.elements)
        let start = section.offset
        for _ in 0..<count {
            try checkCancellation(section)
            _ = try section.constantExpression()
        }
        return .expressions(range: ByteRange(start: start, end: section.offset), count: count)
    }
}
