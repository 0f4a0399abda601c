import WasmInterpreter

/// A module that exports entities of the types that another imports, as far as these are made of
/// numbers.
struct ProviderModule {
    /// The import that each export is for, by its index, and the export's name.
    private(set) var exports: [(index: Int, name: String)] = []
    private var types: [[UInt8]] = []
    private var functions: [[UInt8]] = []
    private var bodies: [[UInt8]] = []
    private var tables: [[UInt8]] = []
    private var memories: [[UInt8]] = []
    private var globals: [[UInt8]] = []
    private var exportItems: [[UInt8]] = []

    init(_ consumer: Module, _ random: inout RandomNumbers) {
        let view = TypeRegistryView(module: consumer)
        // Tables first: functions use them.
        let wanted = consumer.imports.enumerated().prefix(200)
        let tables = wanted.filter { $0.element.type.kind == .table }
        for (index, wanted) in tables + wanted.filter({ $0.element.type.kind != .table }) {
            switch wanted.type {
            case .function(let type):
                guard let type = view.function(type), Self.isNumeric(type) else { continue }
                addFunction(type, &random)
                export(index, kind: 0, functions.count - 1)
            case .table(let type):
                guard type.element == .funcref || type.element == .externref else { continue }
                let byte: UInt8 = type.element == .funcref ? 0x70 : 0x6f
                self.tables.append([byte] + Self.limits(type.limits, type.addressType))
                export(index, kind: 1, self.tables.count - 1)
            case .memory(let type):
                guard !type.isShared, type.pageSizeLog2 == 16 else { continue }
                memories.append(Self.limits(type.limits, type.addressType))
                export(index, kind: 2, memories.count - 1)
            case .global(let type):
                guard type.value.isNumber, let byte = Snippets.code(of: type.value) else {
                    continue
                }
                globals.append(
                    BinaryWriter.build { writer in
                        writer.byte(byte)
                        writer.byte(type.isMutable ? 1 : 0)
                        Snippets.constant(&writer, type.value, &random)
                        writer.opcode(.end)
                    })
                export(index, kind: 3, globals.count - 1)
            case .tag: continue
            }
        }
    }

    private static func isNumeric(_ type: FunctionType) -> Bool {
        (type.parameters + type.results).allSatisfy(\.isNumber)
    }

    private static func limits(_ limits: Limits, _ address: AddressType) -> [UInt8] {
        BinaryWriter.build { writer in
            writer.byte((limits.maximum == nil ? 0 : 1) | (address == .i64 ? 4 : 0))
            writer.unsigned(limits.minimum)
            if let maximum = limits.maximum { writer.unsigned(maximum) }
        }
    }

    private mutating func export(_ index: Int, kind: UInt8, _ entity: Int) {
        let name = "e\(index)"
        exports.append((index, name))
        exportItems.append(
            BinaryWriter.build { writer in
                writer.name(name)
                writer.byte(kind)
                writer.unsigned(entity)
            })
    }

    /// Passes parameters on as results where the types agree.
    private mutating func addFunction(_ type: FunctionType, _ random: inout RandomNumbers) {
        types.append(
            BinaryWriter.build { writer in
                writer.byte(0x60)
                writer.vector(type.parameters.map { [Snippets.code(of: $0) ?? 0x7f] })
                writer.vector(type.results.map { [Snippets.code(of: $0) ?? 0x7f] })
            })
        functions.append(BinaryWriter.build { $0.unsigned(types.count - 1) })
        var body = BinaryWriter()
        body.unsigned(0)
        if random.oneIn(16) { body.opcode(.unreachable) }
        if random.oneIn(4) { callBack(&body, type, &random) }
        for result in type.results {
            let same = type.parameters.indices.filter { type.parameters[$0] == result }
            if let local = random.element(of: same) {
                body.opcode(.localGet, local)
            } else {
                Snippets.constant(&body, result, &random)
            }
        }
        body.opcode(.end)
        bodies.append(BinaryWriter.build { $0.sized(body.bytes) })
    }

    /// Calls what is in the first table, if it is a function of the same type: the consumer's, often.
    private func callBack(
        _ body: inout BinaryWriter, _ type: FunctionType, _ random: inout RandomNumbers
    ) {
        guard let table = tables.first, table[0] == 0x70, table[1] & 4 == 0 else { return }
        for index in type.parameters.indices { body.opcode(.localGet, index) }
        body.i32(Int32(random.below(16)))
        body.opcode(.callIndirect, types.count - 1)
        body.byte(0)
        for _ in type.results { body.opcode(.drop) }
    }

    var bytes: [UInt8] {
        var module = BinaryWriter()
        module.bytes = BinaryWriter.header
        module.section(1, items: types)
        module.section(3, items: functions)
        module.section(4, items: tables)
        module.section(5, items: memories)
        module.section(6, items: globals)
        module.section(7, items: exportItems)
        module.section(10, items: bodies)
        return module.bytes
    }
}
