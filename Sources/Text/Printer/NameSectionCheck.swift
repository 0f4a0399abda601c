import WasmDecoder

/// Tells whether a name section is the one that the parser writes for the identifiers that the
/// printer makes of it.
struct NameSectionCheck {
    private let module: ParsedModule
    /// By function: how many labels it has. Complete for functions whose labels have names.
    private let labelCounts: [UInt32: UInt32]

    init(_ module: ParsedModule, _ labelCounts: [UInt32: UInt32]) {
        self.module = module
        self.labelCounts = labelCounts
    }

    /// Reads the content of the section once, without a copy.
    mutating func isWritten(_ content: ByteRange) throws(DecodingError) -> Bool {
        var reader = module.reader(of: content)
        var last = -1
        while !reader.isAtEnd {
            let id = Int(try reader.byte())
            let size = try reader.count()
            guard id > last, id <= 11 else { return false }
            last = id
            var part = module.reader(
                of: ByteRange(start: reader.offset, end: reader.offset + size))
            guard try isWritten(subsection: id, &part), part.isAtEnd, !part.hasRedundantForms else {
                return false
            }
            try reader.skip(size)
        }
        return !reader.hasRedundantForms && last >= 0
    }

    private func isWritten(
        subsection id: Int, _ part: inout BinaryReader
    ) throws(DecodingError) -> Bool {
        switch id {
        case 0:
            try skipName(&part)
            return true
        case 2:
            return try inner(&part) { (function) throws(DecodingError) in
                try localCount(function)
            }
        case 3:
            return try inner(&part, allowsEmptyNames: false) { function in
                Int(labelCounts[function] ?? 0)
            }
        case 10: return try inner(&part) { fieldCount($0) }
        default: return try map(&part, below: Self.count(id, module))
        }
    }

    private func inner(
        _ part: inout BinaryReader, allowsEmptyNames: Bool = true,
        _ count: (UInt32) throws(DecodingError) -> Int
    ) throws(DecodingError) -> Bool {
        let outerCount = try part.unsigned32()
        var last = -1
        for _ in 0..<outerCount {
            let outer = try part.unsigned32()
            guard Int(outer) > last else { return false }
            last = Int(outer)
            guard
                try map(&part, below: try count(outer), allowsEmptyNames: allowsEmptyNames)
            else { return false }
        }
        return outerCount > 0
    }

    private func map(
        _ part: inout BinaryReader, below limit: Int, allowsEmptyNames: Bool = true
    ) throws(DecodingError) -> Bool {
        let count = try part.unsigned32()
        var last = -1
        for _ in 0..<count {
            let index = Int(try part.unsigned32())
            guard index > last, index < limit else { return false }
            last = index
            if try skipName(&part) == 0, !allowsEmptyNames { return false }
        }
        return count > 0
    }

    @discardableResult
    private func skipName(_ part: inout BinaryReader) throws(DecodingError) -> Int {
        let length = try part.count()
        try part.skip(length)
        return length
    }

    // MARK: What there is

    /// How many entities the names of a subsection are for.
    private static func count(_ id: Int, _ module: ParsedModule) -> Int {
        switch id {
        case 1: module.functions.count
        case 4: module.types.count
        case 5: module.tables.count
        case 6: module.memories.count
        case 7: module.globals.count
        case 8: module.elementSegments.count
        case 9: module.dataSegments.count
        case 11: module.tags.count
        default: 0
        }
    }

    private func localCount(_ function: UInt32) throws(DecodingError) -> Int {
        guard function < module.functions.count else { return 0 }
        let parameters = module.functionType(at: function)?.parameters.count ?? 0
        guard let body = module.body(of: function) else { return parameters }
        var reader = module.reader(of: body)
        return parameters + Int(try reader.forEachLocalGroup { _, _ in })
    }

    private func fieldCount(_ type: UInt32) -> Int {
        guard type < module.types.count,
            case .structure(let fields) = module.types[Int(type)].composite
        else { return 0 }
        return fields.count
    }

    // MARK: What is written

    /// The name section that the parser writes.
    static func written(
        _ module: ParsedModule, _ labelCounts: [UInt32: UInt32]
    ) throws(DecodingError) -> [UInt8] {
        guard let names = module.names() else { return [] }
        let check = NameSectionCheck(module, labelCounts)
        var section = ByteWriter()
        if let name = names.module {
            var content = ByteWriter()
            content.vector(name.utf8)
            section.byte(0)
            section.vector(content.bytes)
        }
        func write(_ id: UInt8, _ map: NameMap) {
            var content = ByteWriter()
            guard append(map, below: count(Int(id), module), to: &content) else { return }
            section.byte(id)
            section.vector(content.bytes)
        }
        func write(
            _ id: UInt8, _ map: IndirectNameMap, allowsEmptyNames: Bool = true,
            _ count: (UInt32) throws(DecodingError) -> Int
        ) throws(DecodingError) {
            var content = ByteWriter()
            var groups = 0
            for outer in map.indices {
                guard let inner = map[outer] else { continue }
                var group = ByteWriter()
                group.index(outer)
                if append(
                    inner, below: try count(outer), allowsEmptyNames: allowsEmptyNames, to: &group)
                {
                    content.append(group)
                    groups += 1
                }
            }
            guard groups > 0 else { return }
            var head = ByteWriter()
            head.count(groups)
            section.byte(id)
            section.count(head.count + content.count)
            section.append(head)
            section.append(content)
        }
        write(1, names.functions)
        try write(2, names.locals) { (function) throws(DecodingError) in
            try check.localCount(function)
        }
        try write(3, names.labels, allowsEmptyNames: false) { Int(labelCounts[$0] ?? 0) }
        write(4, names.types)
        write(5, names.tables)
        write(6, names.memories)
        write(7, names.globals)
        write(8, names.elementSegments)
        write(9, names.dataSegments)
        try write(10, names.fields) { check.fieldCount($0) }
        write(11, names.tags)
        return section.bytes
    }

    /// The first name of each index that there is; false if there is none.
    private static func append(
        _ map: NameMap, below limit: Int, allowsEmptyNames: Bool = true,
        to writer: inout ByteWriter
    ) -> Bool {
        var entries = ByteWriter()
        var count = 0
        var last: UInt32?
        for (index, name) in map.all where Int(index) < limit && index != last {
            if name.utf8.isEmpty, !allowsEmptyNames { continue }
            last = index
            entries.index(index)
            entries.vector(name.utf8)
            count += 1
        }
        guard count > 0 else { return false }
        writer.count(count)
        writer.append(entries)
        return true
    }
}
