/// Makes small modules for tests: functions with exports, imports, a memory, custom sections.
struct ModuleBuilder {
    /// Value types as the binary format writes them.
    static let i32: UInt8 = 0x7f
    static let i64: UInt8 = 0x7e
    static let f32: UInt8 = 0x7d
    static let f64: UInt8 = 0x7c

    private var types: [[UInt8]] = []
    private var imports: [[UInt8]] = []
    private var functions: [[UInt8]] = []
    private var exports: [[UInt8]] = []
    private var bodies: [[UInt8]] = []
    private var memories: [[UInt8]] = []
    private var tags: [[UInt8]] = []
    private var custom: [UInt8] = []
    private var names: [(index: UInt8, name: String)] = []

    /// Adds a function whose code lacks the final `end`; answers its index.
    @discardableResult
    mutating func function(
        _ parameters: [UInt8] = [], _ results: [UInt8] = [], export: String? = nil,
        name: String? = nil, code: [UInt8]
    ) -> UInt8 {
        let index = UInt8(imports.count + functions.count)
        functions.append([type(parameters, results)])
        bodies.append(Self.sized([0] + code + [0x0b]))
        if let export { exports.append(Self.name(export) + [0, index]) }
        if let name { names.append((index, name)) }
        return index
    }

    mutating func importFunction(_ module: String, _ name: String, _ parameters: [UInt8] = []) {
        imports.append(Self.name(module) + Self.name(name) + [0, type(parameters, [])])
    }

    mutating func memory(pages: UInt8, export: String? = nil) {
        memories.append([0, pages])
        if let export { exports.append(Self.name(export) + [2, 0]) }
    }

    /// A tag whose exceptions carry these values.
    mutating func tag(_ parameters: [UInt8], export: String) {
        exports.append(Self.name(export) + [4, UInt8(tags.count)])
        tags.append([0, type(parameters, [])])
    }

    mutating func customSection(_ name: String, _ content: [UInt8]) {
        custom += [0] + Self.sized(Self.name(name) + content)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
        let sections: [(UInt8, [[UInt8]])] = [
            (1, types), (2, imports), (3, functions), (5, memories), (13, tags),
            (7, exports), (10, bodies),
        ]
        for (id, entries) in sections where !entries.isEmpty {
            bytes += [id] + Self.sized(Self.number(entries.count) + entries.flatMap { $0 })
        }
        if !names.isEmpty {
            let map = names.flatMap { [$0.index] + Self.name($0.name) }
            let functions = [1] + Self.sized(Self.number(names.count) + map)
            bytes += [0] + Self.sized(Self.name("name") + functions)
        }
        return bytes + custom
    }

    private mutating func type(_ parameters: [UInt8], _ results: [UInt8]) -> UInt8 {
        let type =
            [0x60] + Self.number(parameters.count) + parameters + Self.number(results.count)
            + results
        if let index = types.firstIndex(of: type) { return UInt8(index) }
        types.append(type)
        return UInt8(types.count - 1)
    }

    static func name(_ text: String) -> [UInt8] { sized(Array(text.utf8)) }

    private static func sized(_ bytes: [UInt8]) -> [UInt8] { number(bytes.count) + bytes }

    private static func number(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f) | 0x80] + number(value >> 7)
    }
}
