import WasmDecoder

/// Sections; the reader is after a section's size.
extension PaddingFinder {
    /// The content of a known section.
    ///
    /// - Parameter isWritten: whether the parser writes this section at all.
    mutating func section(_ kind: SectionKind, isWritten: Bool) throws(DecodingError) {
        guard isWritten else {
            let start = reader.offset
            try reader.skip(reader.remaining)
            return note(start, writtenAs: [])
        }
        switch kind {
        case .start, .dataCount: try unsigned32()
        case .code: try unsigned32()
        default: for _ in 0..<(try unsigned32()) { try entry(kind) }
        }
    }

    private mutating func entry(_ kind: SectionKind) throws(DecodingError) {
        switch kind {
        case .type: try recursionGroup()
        case .import: try importEntry()
        case .function: try unsigned32()
        case .table:
            let hasInitializer = reader.nextByte == 0x40
            if hasInitializer { try reader.skip(2) }
            try tableType()
            if hasInitializer { try expression() }
        case .memory: try memoryType()
        case .tag: try tag()
        case .global:
            try globalType()
            try expression()
        case .export:
            try name()
            try reader.skip(1)
            try unsigned32()
        case .element: try elementSegment()
        case .data: try dataSegment()
        case .start, .dataCount, .code: break
        }
    }

    private mutating func name() throws(DecodingError) {
        let count = try unsigned32()
        try reader.skip(Int(count))
    }

    // MARK: Types

    private mutating func recursionGroup() throws(DecodingError) {
        guard reader.nextByte == 0x4e else { return try subtype() }
        let start = reader.offset
        try reader.skip(1)
        let countStart = reader.offset
        // A group of one is written as its type.
        if try reader.unsigned32() == 1 {
            note(start, writtenAs: [])
            return try subtype()
        }
        reader.offset = countStart
        for _ in 0..<(try unsigned32()) { try subtype() }
    }

    private mutating func subtype() throws(DecodingError) {
        let start = reader.offset
        if let form = reader.nextByte, form == 0x4f || form == 0x50 {
            try reader.skip(1)
            let countStart = reader.offset
            let count = try reader.unsigned32()
            if form == 0x4f, count == 0 {
                // Final without supertypes is what types are that say nothing.
                note(start, writtenAs: [])
            } else {
                reader.offset = countStart
                for _ in 0..<(try unsigned32()) { try unsigned32() }
            }
        }
        switch try reader.byte() {
        case 0x60:
            for _ in 0..<(try unsigned32()) { try valueType() }
            for _ in 0..<(try unsigned32()) { try valueType() }
        case 0x5f: for _ in 0..<(try unsigned32()) { try fieldType() }
        default: try fieldType()
        }
    }

    private mutating func fieldType() throws(DecodingError) {
        if let byte = reader.nextByte, byte == 0x77 || byte == 0x78 {
            try reader.skip(1)
        } else {
            try valueType()
        }
        try reader.skip(1)
    }

    private mutating func globalType() throws(DecodingError) {
        try valueType()
        try reader.skip(1)
    }

    private mutating func tableType() throws(DecodingError) {
        try referenceType()
        _ = try limits(isWritten: reader.nextByte)
    }

    private mutating func memoryType() throws(DecodingError) {
        // The usual size of a page is not written.
        var ahead = reader
        let flags = try ahead.byte()
        _ = try ahead.unsigned64()
        if flags & 1 != 0 { _ = try ahead.unsigned64() }
        var hasUsualPage = false
        if flags & 8 != 0 { hasUsualPage = try ahead.unsigned32() == 16 }
        _ = try limits(isWritten: hasUsualPage ? flags & ~8 : flags)
        guard flags & 8 != 0 else { return }
        let start = reader.offset
        if hasUsualPage {
            _ = try reader.unsigned32()
            note(start, writtenAs: [])
        } else {
            try unsigned32()
        }
    }

    private mutating func limits(isWritten flags: UInt8?) throws(DecodingError) {
        let start = reader.offset
        let original = try reader.byte()
        note(start, writtenAs: [flags ?? original])
        try unsigned64()
        if original & 1 != 0 { try unsigned64() }
    }

    private mutating func tag() throws(DecodingError) {
        try reader.skip(1)
        try unsigned32()
    }

    // MARK: Entries

    private mutating func importEntry() throws(DecodingError) {
        try name()
        try name()
        switch ExternalKind(rawValue: try reader.byte()) {
        case .function: try unsigned32()
        case .table: try tableType()
        case .memory: try memoryType()
        case .global: try globalType()
        case .tag: try tag()
        case nil: break
        }
    }

    private mutating func elementSegment() throws(DecodingError) {
        let start = reader.offset
        let flags = try reader.unsigned32()
        let hasExpressions = flags & 4 != 0
        /// Whether the parser leaves table and type out.
        var isShort = false
        if flags & 3 == 2 {
            let behindFlags = reader.offset
            let table = try reader.unsigned32()
            if table == 0 {
                isShort = true
                if hasExpressions { isShort = try elementType() == .funcref }
            }
            if isShort {
                note(start, writtenAs: [UInt8(truncatingIfNeeded: flags & 4)])
            } else {
                reader.offset = start
                try unsigned32()
                reader.offset = behindFlags
                try unsigned32()
            }
        } else {
            reader.offset = start
            try unsigned32()
        }
        if flags & 1 == 0 { try expression() }
        if flags & 3 != 0 {
            let start = reader.offset
            if isShort {
                if hasExpressions { _ = try reader.referenceType() } else { try reader.skip(1) }
                note(start, writtenAs: [])
            } else if hasExpressions {
                try referenceType()
            } else {
                try reader.skip(1)
            }
        }
        for _ in 0..<(try unsigned32()) {
            if hasExpressions { try expression() } else { try unsigned32() }
        }
    }

    /// The type of the elements, which is after the offset that comes next.
    private func elementType() throws(DecodingError) -> ReferenceType {
        var ahead = reader
        _ = try ahead.constantExpression()
        return try ahead.referenceType()
    }

    private mutating func dataSegment() throws(DecodingError) {
        let start = reader.offset
        let flags = try reader.unsigned32()
        let behindFlags = reader.offset
        if flags == 2, try reader.unsigned32() == 0 {
            note(start, writtenAs: [0])
        } else {
            reader.offset = start
            try unsigned32()
            reader.offset = behindFlags
            if flags == 2 { try unsigned32() }
        }
        if flags != 1 { try expression() }
        try name()
    }
}
