import WasmDecoder

/// Bytes of modules, put together by hand.
enum Wasm {
    static let header: [UInt8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

    static func unsigned(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        repeat {
            let low = UInt8(truncatingIfNeeded: rest & 0x7f)
            rest >>= 7
            bytes.append(rest == 0 ? low : low | 0x80)
        } while rest != 0
        return bytes
    }

    static func signed(_ value: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while true {
            let low = UInt8(truncatingIfNeeded: rest & 0x7f)
            rest >>= 7
            if (rest == 0 && low & 0x40 == 0) || (rest == -1 && low & 0x40 != 0) {
                return bytes + [low]
            }
            bytes.append(low | 0x80)
        }
    }

    /// The number of items and the items.
    static func vector(_ items: [[UInt8]]) -> [UInt8] {
        unsigned(UInt64(items.count)) + items.flatMap { $0 }
    }

    static func name(_ string: String) -> [UInt8] {
        unsigned(UInt64(string.utf8.count)) + Array(string.utf8)
    }

    static func section(_ id: UInt8, _ content: [UInt8]) -> [UInt8] {
        [id] + unsigned(UInt64(content.count)) + content
    }

    static func section(_ id: UInt8, items: [[UInt8]]) -> [UInt8] {
        section(id, vector(items))
    }

    static func custom(_ name: String, _ content: [UInt8]) -> [UInt8] {
        section(0, Wasm.name(name) + content)
    }

    static func module(_ sections: [UInt8]...) -> [UInt8] {
        header + sections.flatMap { $0 }
    }

    /// A function body: size, no locals, instructions.
    static func body(_ instructions: [UInt8]) -> [UInt8] {
        unsigned(UInt64(instructions.count + 1)) + [0] + instructions
    }

    /// `[] -> []`
    static let emptyFunctionType: [UInt8] = [0x60, 0x00, 0x00]
}

func decode(
    _ bytes: [UInt8], features: Features = .all, limits: DecodingLimits = .default
) throws(DecodingError) -> ParsedModule {
    try decode(ModuleBytes(bytes), features: features, limits: limits)
}

/// The error that decoding ends with, or nil.
func failure(
    _ bytes: [UInt8], features: Features = .all, limits: DecodingLimits = .default
) -> DecodingError? {
    do throws(DecodingError) {
        _ = try decode(bytes, features: features, limits: limits)
        return nil
    } catch {
        return error
    }
}

/// Reads something from the start of `bytes`; keeps them alive meanwhile.
func read<Value>(
    _ bytes: [UInt8], features: Features = .all,
    _ body: (inout BinaryReader) throws(DecodingError) -> Value
) -> Result<Value, DecodingError> {
    let module = ModuleBytes(bytes)
    return withExtendedLifetime(module) {
        var reader = BinaryReader(module, range: module.range, features: features)
        do throws(DecodingError) {
            return .success(try body(&reader))
        } catch {
            return .failure(error)
        }
    }
}

extension Result where Failure == DecodingError {
    var value: Success? { try? get() }

    var reason: DecodingError.Reason? {
        if case .failure(let error) = self { error.reason } else { nil }
    }

    var offset: Int? {
        if case .failure(let error) = self { error.offset } else { nil }
    }
}

/// A small generator of numbers that are the same in every run (xorshift).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
