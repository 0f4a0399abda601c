import WasmDecoder
import WasmValidator

/// Writes the bytes of small modules. Types and instructions are given as the bytes that stand for
/// them; see `Bytes` for names.
struct ModuleBuilder {
    /// Recursion groups: each is one type, or the bytes of `rec` with several.
    var types: [[UInt8]] = []
    var imports: [[UInt8]] = []
    var functions: [UInt32] = []
    var tables: [[UInt8]] = []
    var memories: [[UInt8]] = []
    var tags: [UInt32] = []
    var globals: [[UInt8]] = []
    var exports: [(name: String, kind: UInt8, index: UInt32)] = []
    var start: UInt32?
    var elements: [[UInt8]] = []
    var dataCount: UInt32?
    var bodies: [[UInt8]] = []
    var datas: [[UInt8]] = []

    /// Adds a function: its type index, groups of locals and instructions without the final `end`.
    mutating func function(
        _ type: UInt32, locals: [(count: UInt32, type: [UInt8])] = [], _ code: [UInt8]...
    ) {
        functions.append(type)
        var body = leb(locals.count)
        for local in locals { body += leb(local.count) + local.type }
        body += code.flatMap { $0 } + [0x0b]
        bodies.append(body)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
        let section = { (id: UInt8, items: [[UInt8]]) -> [UInt8] in
            if items.isEmpty { return [] }
            let content = vector(items)
            return [id] + leb(content.count) + content
        }
        bytes += section(1, types)
        bytes += section(2, imports)
        bytes += section(3, functions.map { leb($0) })
        bytes += section(4, tables)
        bytes += section(5, memories)
        bytes += section(13, tags.map { [0] + leb($0) })
        bytes += section(6, globals)
        bytes += section(7, exports.map { name($0.name) + [$0.kind] + leb($0.index) })
        if let start { bytes += [8] + leb(leb(start).count) + leb(start) }
        bytes += section(9, elements)
        if let dataCount { bytes += [12] + leb(leb(dataCount).count) + leb(dataCount) }
        bytes += section(10, bodies.map { leb($0.count) + $0 })
        bytes += section(11, datas)
        return bytes
    }

    /// Decodes and validates; a registry of its own unless one is given.
    func validate(
        types: TypeRegistry = TypeRegistry(), features: Features = .everything,
        threads: Int? = nil
    ) throws -> ValidModule {
        let module = try decode(ModuleBytes(bytes), features: features)
        return try WasmValidator.validate(module, types: types, threads: threads)
    }

    /// Why the module is not valid; nil if it is. Does not expect errors of decoding.
    func reason(features: Features = .everything) throws -> ValidationError.Reason? {
        do {
            _ = try validate(features: features)
            return nil
        } catch let error as ValidationError {
            return error.reason
        }
    }

    func message(features: Features = .everything) throws -> String? {
        do {
            _ = try validate(features: features)
            return nil
        } catch let error as ValidationError {
            return error.message
        }
    }
}

extension Features {
    /// What the validator knows.
    static let everything: Features = [.all, .legacyExceptions]
}

/// Unsigned LEB128.
func leb(_ number: some BinaryInteger) -> [UInt8] {
    var number = UInt64(number)
    var bytes: [UInt8] = []
    repeat {
        let byte = UInt8(truncatingIfNeeded: number & 0x7f)
        number >>= 7
        bytes.append(number == 0 ? byte : byte | 0x80)
    } while number != 0
    return bytes
}

/// Signed LEB128.
func signed(_ number: Int64) -> [UInt8] {
    var number = number
    var bytes: [UInt8] = []
    while true {
        let byte = UInt8(truncatingIfNeeded: number & 0x7f)
        number >>= 7
        if number == (byte & 0x40 == 0 ? 0 : -1) { return bytes + [byte] }
        bytes.append(byte | 0x80)
    }
}

func vector(_ items: [[UInt8]]) -> [UInt8] { leb(items.count) + items.flatMap { $0 } }

func name(_ string: String) -> [UInt8] { leb(string.utf8.count) + Array(string.utf8) }

// MARK: Types

let i32: [UInt8] = [0x7f]
let i64: [UInt8] = [0x7e]
let f32: [UInt8] = [0x7d]
let f64: [UInt8] = [0x7c]
let v128: [UInt8] = [0x7b]
let funcref: [UInt8] = [0x70]
let externref: [UInt8] = [0x6f]
let anyref: [UInt8] = [0x6e]
let eqref: [UInt8] = [0x6d]
let i31ref: [UInt8] = [0x6c]
let exnref: [UInt8] = [0x69]
let i8: [UInt8] = [0x78]

func ref(_ index: Int64) -> [UInt8] { [0x64] + signed(index) }
func refNull(_ index: Int64) -> [UInt8] { [0x63] + signed(index) }
/// A non-nullable reference to an abstract heap type.
func ref(_ heapType: [UInt8]) -> [UInt8] { [0x64] + heapType }

func functionType(_ parameters: [[UInt8]] = [], _ results: [[UInt8]] = []) -> [UInt8] {
    [0x60] + vector(parameters) + vector(results)
}
func structure(_ fields: [UInt8]...) -> [UInt8] { [0x5f] + vector(fields) }
func array(_ field: [UInt8]) -> [UInt8] { [0x5e] + field }
func mutable(_ type: [UInt8]) -> [UInt8] { type + [1] }
func immutable(_ type: [UInt8]) -> [UInt8] { type + [0] }
func sub(final: Bool = false, _ type: [UInt8]) -> [UInt8] { sub([], final, type) }
func sub(_ parent: UInt32, final: Bool = false, _ type: [UInt8]) -> [UInt8] {
    sub([parent], final, type)
}
func sub(_ parents: [UInt32], _ final: Bool, _ type: [UInt8]) -> [UInt8] {
    [final ? 0x4f : 0x50] + vector(parents.map { leb($0) }) + type
}
func rec(_ types: [UInt8]...) -> [UInt8] { [0x4e] + vector(types) }

// MARK: Instructions

let unreachable: [UInt8] = [0x00]
let nop: [UInt8] = [0x01]
let end: [UInt8] = [0x0b]
let elseBranch: [UInt8] = [0x05]
let drop: [UInt8] = [0x1a]
let select: [UInt8] = [0x1b]
let returnCode: [UInt8] = [0x0f]
let i32Add: [UInt8] = [0x6a]
let i64Add: [UInt8] = [0x7c]
let i32Eqz: [UInt8] = [0x45]
let empty: [UInt8] = [0x40]

func block(_ type: [UInt8], _ code: [UInt8]...) -> [UInt8] {
    [0x02] + type + code.flatMap { $0 } + end
}
func loop(_ type: [UInt8], _ code: [UInt8]...) -> [UInt8] {
    [0x03] + type + code.flatMap { $0 } + end
}
func ifBlock(_ type: [UInt8], _ code: [UInt8]...) -> [UInt8] {
    [0x04] + type + code.flatMap { $0 } + end
}
func br(_ label: UInt32) -> [UInt8] { [0x0c] + leb(label) }
func brIf(_ label: UInt32) -> [UInt8] { [0x0d] + leb(label) }
func brTable(_ labels: [UInt32], _ last: UInt32) -> [UInt8] {
    [0x0e] + vector(labels.map { leb($0) }) + leb(last)
}
func call(_ function: UInt32) -> [UInt8] { [0x10] + leb(function) }
func localGet(_ index: UInt32) -> [UInt8] { [0x20] + leb(index) }
func localSet(_ index: UInt32) -> [UInt8] { [0x21] + leb(index) }
func globalGet(_ index: UInt32) -> [UInt8] { [0x23] + leb(index) }
func globalSet(_ index: UInt32) -> [UInt8] { [0x24] + leb(index) }
func i32Const(_ value: Int64) -> [UInt8] { [0x41] + signed(value) }
func i64Const(_ value: Int64) -> [UInt8] { [0x42] + signed(value) }
let f32Const: [UInt8] = [0x43, 0, 0, 0, 0]
let f64Const: [UInt8] = [0x44, 0, 0, 0, 0, 0, 0, 0, 0]
let v128Const: [UInt8] = [0xfd, 12] + [UInt8](repeating: 0, count: 16)
func refNullCode(_ heapType: [UInt8]) -> [UInt8] { [0xd0] + heapType }
func refFunc(_ function: UInt32) -> [UInt8] { [0xd2] + leb(function) }
func gc(_ number: UInt8, _ immediates: UInt32...) -> [UInt8] {
    [0xfb, number] + immediates.flatMap { leb($0) }
}
func misc(_ number: UInt8, _ immediates: UInt32...) -> [UInt8] {
    [0xfc, number] + immediates.flatMap { leb($0) }
}
