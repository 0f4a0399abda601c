import WasmDecoder

/// Which segments and references the code of a module names: what a changed module must keep.
struct SegmentUse: Sendable {
    /// One more than the largest index of a data segment in the code.
    private(set) var dataCount = 0
    /// The same for element segments.
    private(set) var elementCount = 0
    /// Operands of `ref.func`, which must be declared outside of the code.
    private(set) var functions: Set<FunctionIndex> = []

    /// Reads all bodies of a valid module. Cost: proportional to the code.
    init(_ parsed: ParsedModule) {
        for body in parsed.bodies {
            var reader = parsed.reader(of: body)
            do throws(DecodingError) {
                try reader.forEachLocalGroup { _, _ in }
                while !reader.isAtEnd { try read(&reader) }
            } catch {
                // Valid code does not get here; if it did, all segments would be kept.
                dataCount = parsed.dataSegments.count
                elementCount = parsed.elementSegments.count
            }
        }
    }

    private mutating func read(_ reader: inout BinaryReader) throws(DecodingError) {
        let opcode = try reader.opcode()
        switch opcode {
        case .memoryInit:
            use(data: try reader.unsigned32())
            _ = try reader.memoryIndex()
        case .dataDrop:
            use(data: try reader.unsigned32())
        case .arrayNewData, .arrayInitData:
            _ = try reader.unsigned32()
            use(data: try reader.unsigned32())
        case .tableInit:
            use(elements: try reader.unsigned32())
            _ = try reader.unsigned32()
        case .elemDrop:
            use(elements: try reader.unsigned32())
        case .arrayNewElem, .arrayInitElem:
            _ = try reader.unsigned32()
            use(elements: try reader.unsigned32())
        case .refFunc:
            functions.insert(try reader.unsigned32())
        default:
            try reader.skipImmediates(of: opcode)
        }
    }

    private mutating func use(data index: UInt32) { dataCount = max(dataCount, Int(index) + 1) }
    private mutating func use(elements index: UInt32) {
        elementCount = max(elementCount, Int(index) + 1)
    }
}
