import WasmDecoder

/// Parameters and results of a function or block.
struct Shape: Hashable {
    var parameters: [ValueType]
    var results: [ValueType]
}

/// Makes valid modules whose functions end, compute something that depends on everything, and
/// behave alike on every engine: what the specification leaves open (the bits of NaN) never
/// reaches memory or integers.
///
/// Function `f<n>` is exported for every function; it may call all others. Global 0 holds how many
/// calls and passes through loops are left; the exported functions set it.
struct ProgramGenerator {
    var random: RandomNumbers
    var types: [Shape] = []
    /// Types of the functions, by function index.
    var functions: [Int] = []
    /// All mutable; the first is the i32 that limits calls and loops.
    var globals: [ValueType] = [.i32]
    /// The function in each element of table 0; the elements behind are null.
    var elements: [Int] = []
    var hasSecondMemory = false
    var hasTailCalls = false
    var hasReferences = false
    var hasWideArithmetic = false
    var hasBulkOperations = false

    static let tableSize = 16
    /// Calls and passes that one call of an exported function may take.
    static let budget: Int32 = 60
    static let passiveDataSize = 64

    /// The bytes of a random program.
    static func module(_ random: inout RandomNumbers) -> [UInt8] {
        var generator = ProgramGenerator(random: random)
        generator.plan()
        let bytes = generator.bytes()
        random = generator.random
        return bytes
    }

    private init(random: RandomNumbers) { self.random = random }

    // MARK: Plan

    static func numberType(_ random: inout RandomNumbers) -> ValueType {
        [ValueType.i32, .i64, .f32, .f64][random.weighted([46, 24, 12, 18])]
    }

    private mutating func plan() {
        hasSecondMemory = random.oneIn(4)
        hasTailCalls = random.oneIn(3)
        hasReferences = random.oneIn(3)
        hasWideArithmetic = random.oneIn(12)
        hasBulkOperations = random.oneIn(2)
        types = [Shape(parameters: [], results: [])]
        for _ in 0..<random.between(3...7) {
            let shape = Shape(parameters: list(5), results: list(random.oneIn(4) ? 6 : 3))
            types.append(shape)
            // Block types that leave operands where they are.
            if random.oneIn(2) {
                types.append(Shape(parameters: shape.parameters, results: shape.parameters))
            }
            if random.oneIn(3) {
                types.append(
                    Shape(parameters: shape.parameters, results: shape.parameters + list(2)))
            }
        }
        let count = random.between(3...9)
        functions = (0..<count).map { _ in random.below(types.count) }
        for _ in 0..<random.between(2...5) { globals.append(Self.numberType(&random)) }
        elements = (0..<random.between(4...12)).map { _ in random.below(count) }
    }

    private mutating func list(_ longest: Int) -> [ValueType] {
        (0..<random.below(longest + 1)).map { _ in Self.numberType(&random) }
    }

    // MARK: Bytes

    private mutating func bytes() -> [UInt8] {
        var bodies: [[UInt8]] = []
        for index in functions.indices {
            var generator = BodyGenerator(self, function: index)
            bodies.append(generator.body())
            random = generator.random
        }
        for index in functions.indices { bodies.append(wrapper(of: index)) }
        var module = BinaryWriter()
        module.bytes = BinaryWriter.header
        module.section(1, items: types.map(Self.encoded))
        module.section(
            3,
            items: (functions + functions).map { type in BinaryWriter.build { $0.unsigned(type) } })
        module.section(4, items: [[0x70, 0x00, UInt8(Self.tableSize)]])
        // Three pages of at most four; the second memory has 64-bit addresses.
        module.section(5, items: [[0x01, 3, 4]] + (hasSecondMemory ? [[0x05, 1, 2]] : []))
        module.section(6, items: globalItems())
        module.section(7, items: exportItems())
        module.section(9, items: [elementItem()])
        if hasBulkOperations { module.section(12, content: [2]) }
        module.section(10, items: bodies.map { body in BinaryWriter.build { $0.sized(body) } })
        module.section(11, items: dataItems())
        return module.bytes
    }

    static func encoded(_ type: ValueType) -> UInt8 { Snippets.code(of: type) ?? 0x70 }

    private static func encoded(_ shape: Shape) -> [UInt8] {
        BinaryWriter.build { writer in
            writer.byte(0x60)
            writer.vector(shape.parameters.map { [encoded($0)] })
            writer.vector(shape.results.map { [encoded($0)] })
        }
    }

    private mutating func globalItems() -> [[UInt8]] {
        var items: [[UInt8]] = []
        for type in globals {
            var writer = BinaryWriter()
            writer.byte(Self.encoded(type))
            writer.byte(1)
            Snippets.constant(&writer, type, &random)
            writer.opcode(.end)
            items.append(writer.bytes)
        }
        return items
    }

    private func exportItems() -> [[UInt8]] {
        func item(_ name: String, _ kind: UInt8, _ index: Int) -> [UInt8] {
            BinaryWriter.build { writer in
                writer.name(name)
                writer.byte(kind)
                writer.unsigned(index)
            }
        }
        return functions.indices.map { item("f\($0)", 0, functions.count + $0) }
            + [item("memory", 2, 0)]
            + globals.indices.dropFirst().map { item("g\($0)", 3, $0) }
    }

    private func elementItem() -> [UInt8] {
        BinaryWriter.build { writer in
            writer.byte(0)
            writer.i32(0)
            writer.opcode(.end)
            writer.vector(elements.map { element in BinaryWriter.build { $0.unsigned(element) } })
        }
    }

    private mutating func dataItems() -> [[UInt8]] {
        var active = BinaryWriter()
        active.byte(0)
        active.i32(0x100)
        active.opcode(.end)
        active.sized((0..<256).map { _ in random.byte() })
        guard hasBulkOperations else { return [active.bytes] }
        var passive = BinaryWriter()
        passive.byte(1)
        passive.sized((0..<Self.passiveDataSize).map { _ in random.byte() })
        return [active.bytes, passive.bytes]
    }

    /// Sets the budget and calls the function.
    private mutating func wrapper(of function: Int) -> [UInt8] {
        let shape = types[functions[function]]
        let isTailCall = hasTailCalls && random.oneIn(2)
        return BinaryWriter.build { writer in
            writer.unsigned(0)
            writer.i32(Self.budget)
            writer.opcode(.globalSet, 0)
            for index in shape.parameters.indices { writer.opcode(.localGet, index) }
            writer.opcode(isTailCall ? .returnCall : .call, function)
            writer.opcode(.end)
        }
    }
}
