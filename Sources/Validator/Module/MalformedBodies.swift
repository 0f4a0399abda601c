import WasmDecoder

/// The first function whose body is malformed, if it is found before the search is cancelled. Only
/// asked when a module is refused anyway.
func firstMalformedBody(
    of module: ParsedModule, _ cancellation: Cancellation?
) -> ValidationError? {
    var kinds = RawStack<Frame.Kind>(capacity: 64)
    var checkpoint = 0
    for (position, body) in module.bodies.enumerated() {
        if let cancellation, body.start >= checkpoint {
            if cancellation.isCancelled { return nil }
            checkpoint = body.start + (64 << 10)
        }
        do throws(DecodingError) {
            var reader = module.reader(of: body)
            try checkForm(&reader, &kinds, hasDataCount: module.dataCount != nil)
        } catch {
            let function = FunctionIndex(
                truncatingIfNeeded: max(module.importedFunctionCount, 0) + position)
            return ValidationError(.malformed(error), at: error.offset, function: function)
        }
    }
    return nil
}

/// Reads a body as far as it can be read without knowing what its indices name.
private func checkForm(
    _ reader: inout BinaryReader, _ kinds: inout RawStack<Frame.Kind>, hasDataCount: Bool
) throws(DecodingError) {
    try reader.forEachLocalGroup { _, _ in }
    kinds.removeAll()
    kinds.push(.function)
    while !kinds.isEmpty {
        let start = reader.offset
        let opcode = try reader.opcode()
        if !updateNesting(opcode, &kinds) { throw DecodingError(.endExpected, at: start) }
        if opcode.needsDataCount, !hasDataCount {
            throw DecodingError(.dataCountRequired, at: start)
        }
        try reader.skipImmediates(of: opcode)
    }
    if !reader.isAtEnd { throw DecodingError(.endExpected, at: reader.offset) }
}

/// Opens and closes blocks; false if the instruction cannot be here.
private func updateNesting(_ opcode: Opcode, _ kinds: inout RawStack<Frame.Kind>) -> Bool {
    let current = kinds[kinds.count - 1]
    switch opcode {
    case .block, .loop, .tryTable: kinds.push(.block)
    case .if: kinds.push(.if)
    case .try: kinds.push(.try)
    case .else:
        if current != .if { return false }
        kinds[kinds.count - 1] = .else
    case .catch:
        if current != .try && current != .catch { return false }
        kinds[kinds.count - 1] = .catch
    case .catchAll:
        if current != .try && current != .catch { return false }
        kinds[kinds.count - 1] = .catchAll
    case .delegate:
        if current != .try { return false }
        _ = kinds.pop()
    case .end: _ = kinds.pop()
    default: break
    }
    return true
}

extension Opcode {
    /// Whether the instruction names a data segment.
    fileprivate var needsDataCount: Bool {
        switch self {
        case .memoryInit, .dataDrop, .arrayNewData, .arrayInitData: true
        default: false
        }
    }
}
