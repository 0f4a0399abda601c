import WasmDecoder

/// Element segments (6.6.10) and data segments (6.6.11).
extension ModulePrinter {
    /// Lists and strings go on in a new line when the current one is as long.
    private static var lineLimit: Int { 90 }

    mutating func printElementSegments() throws(DecodingError) {
        for (index, segment) in module.elementSegments.enumerated() {
            field("elem")
            definition(index, names.elementSegments)
            switch segment.mode {
            case .passive: break
            case .declarative: out.write(" declare")
            case .active(let table, let offset):
                if table != 0 {
                    out.write(" (table")
                    reference(table, names.tables)
                    out.byte(0x29)
                }
                try write(offset, in: "offset")
            }
            switch segment.items {
            case .functions(let range, let count):
                out.write(" func")
                var reader = module.reader(of: range)
                for _ in 0..<count {
                    breakLongLine()
                    reference(try reader.unsigned32(), names.functions)
                }
            case .expressions(let range, let count):
                out.space()
                write(segment.type)
                var reader = module.reader(of: range)
                for _ in 0..<count {
                    breakLongLine()
                    try write(try reader.constantExpression(), in: "item")
                }
            }
            out.byte(0x29)
        }
    }

    mutating func printDataSegments() throws(DecodingError) {
        for (index, segment) in module.dataSegments.enumerated() {
            field("data")
            definition(index, names.dataSegments)
            if case .active(let memory, let offset) = segment.mode {
                if memory != 0 {
                    out.write(" (memory")
                    reference(memory, names.memories)
                    out.byte(0x29)
                }
                try write(offset, in: "offset")
            }
            strings(segment.content)
            out.byte(0x29)
        }
    }

    /// ` "..."`: bytes as a string, or as several if they are many.
    mutating func strings(_ range: ByteRange) {
        module.bytes.withUnsafeBytes { bytes in
            let start = max(0, min(range.start, bytes.count))
            strings(bytes[start..<max(start, min(range.end, bytes.count))])
        }
    }

    /// The same; ` ""` if there are none.
    mutating func strings(_ bytes: [UInt8]) {
        if bytes.isEmpty { return out.write(" \"\"") }
        bytes.withUnsafeBytes { strings($0[...]) }
    }

    private mutating func strings(_ bytes: Slice<UnsafeRawBufferPointer>) {
        var rest = bytes
        let isLong = rest.count > Self.lineLimit
        while !rest.isEmpty {
            if isLong { out.newline(2) } else { out.space() }
            let line = isLong ? rest.prefix(Self.bytesPerLine(rest)) : rest
            out.string(UnsafeRawBufferPointer(rebasing: line))
            rest = rest[line.endIndex...]
        }
    }

    /// As many bytes as make about a line, but at most one line of their own text.
    private static func bytesPerLine(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        var width = 0
        var count = 0
        for byte in bytes {
            width += (0x20..<0x7f).contains(byte) ? 1 : 3
            count += 1
            if width >= lineLimit || byte == 0x0a { break }
        }
        return count
    }

    mutating func breakLongLine() {
        if out.column > Self.lineLimit { out.newline(2) }
    }
}
