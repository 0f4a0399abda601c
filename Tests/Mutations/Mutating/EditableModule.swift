import WasmDecoder

/// A module taken apart into sections and function bodies, whose sizes are right again when it is
/// put together.
struct EditableModule {
    struct Section {
        var id: UInt8
        /// Without id and size. Empty for the code section, whose bodies stand in `bodies`.
        var content: [UInt8]
    }

    var sections: [Section] = []
    /// Locals and instructions, without the sizes.
    var bodies: [[UInt8]] = []
    /// Parameters of the function that each body had at first.
    var parameterCounts: [Int] = []

    /// Takes a well-formed module apart; nil if the sections are not whole.
    init?(_ bytes: [UInt8]) {
        guard bytes.starts(with: BinaryWriter.header) else { return nil }
        var offset = BinaryWriter.header.count
        while offset < bytes.count {
            let id = bytes[offset]
            offset += 1
            guard let content = Self.sized(bytes, &offset) else { return nil }
            if id == 10 {
                guard takeBodies(content) else { return nil }
                sections.append(Section(id: id, content: []))
            } else {
                sections.append(Section(id: id, content: content))
            }
        }
        parameterCounts = Array(repeating: 0, count: bodies.count)
        guard let parsed = try? decode(ModuleBytes(bytes), features: .all) else { return }
        for index in parameterCounts.indices {
            let function = FunctionIndex(clamping: parsed.importedFunctionCount + index)
            parameterCounts[index] = parsed.functionType(at: function)?.parameters.count ?? 0
        }
    }

    private static func sized(_ bytes: [UInt8], _ offset: inout Int) -> [UInt8]? {
        guard let size = readUnsigned(bytes, &offset), size <= UInt64(bytes.count - offset) else {
            return nil
        }
        let start = offset
        offset += Int(truncatingIfNeeded: size)
        return Array(bytes[start..<offset])
    }

    private mutating func takeBodies(_ content: [UInt8]) -> Bool {
        var offset = 0
        guard let count = readUnsigned(content, &offset) else { return false }
        for _ in 0..<min(count, 1_000_000) {
            guard let body = Self.sized(content, &offset) else { return false }
            bodies.append(body)
        }
        return offset == content.count
    }

    /// The file.
    var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.bytes = BinaryWriter.header
        for section in sections {
            guard section.id == 10, section.content.isEmpty else {
                writer.section(section.id, content: section.content)
                continue
            }
            var content = BinaryWriter()
            content.unsigned(bodies.count)
            for body in bodies { content.sized(body) }
            writer.section(10, content: content.bytes)
        }
        return writer.bytes
    }
}

/// One instruction of a body: its opcode and where it stands.
struct InstructionSpan {
    var opcode: Opcode
    var start: Int
    var end: Int
    /// Where its immediates start.
    var immediates: Int
}

/// A function body taken apart.
struct EditableBody {
    /// Bytes of the locals.
    var localsEnd = 0
    var localCount = 0
    var instructions: [InstructionSpan] = []
    let bytes: [UInt8]

    /// Nil if the body does not decode.
    init?(_ body: [UInt8]) {
        bytes = body
        let source = ModuleBytes(body)
        var reader = BinaryReader(source, range: source.range, features: .all)
        var locals = 0
        do throws(DecodingError) {
            try reader.forEachLocalGroup { (count, _) throws(DecodingError) in
                locals += Int(truncatingIfNeeded: count)
            }
            localCount = locals
            localsEnd = reader.offset
            while !reader.isAtEnd {
                let start = reader.offset
                let opcode = try reader.opcode()
                let immediates = reader.offset
                try reader.skipImmediates(of: opcode)
                instructions.append(
                    InstructionSpan(
                        opcode: opcode, start: start, end: reader.offset, immediates: immediates))
            }
        } catch {
            return nil
        }
        withExtendedLifetime(source) {}
    }
}
