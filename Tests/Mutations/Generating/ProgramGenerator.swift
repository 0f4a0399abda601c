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
/// Every function that a module defines is exported by a number, `f<n>`, and may call all others.
/// A global holds how many calls and passes through loops are left; exported functions set it.
struct ProgramGenerator {
    var random: RandomNumbers
    var types: [Shape] = []
    /// Types of the functions, by function index; imported ones come first.
    var functions: [Int] = []
    var importedFunctionCount = 0
    /// The exported name that each imported function has in the other module.
    private var importedNames: [String] = []
    /// All mutable; imported ones come first.
    var globals: [ValueType] = []
    var importedGlobalCount = 0
    /// The i32 that limits calls and loops.
    var budgetGlobal: Int { importedGlobalCount }
    /// The functions in table 0 from `elementBase` on.
    var elements: [Int] = []
    var elementBase = 0
    /// Memory 0, table 0 and some globals and functions are another module's.
    var isImporting = false
    var hasSecondMemory = false
    var hasSecondTable = false
    var hasTailCalls = false
    var hasReferences = false
    var hasWideArithmetic = false
    var hasBulkOperations = false
    var hasVectors = false
    var hasObjects = false
    var hasAtomics = false
    var isShared = false
    /// Types of the exceptions, by tag.
    var tags: [Int] = []
    /// Instructions whose results the specification leaves to the engine may be used.
    let usesRelaxed: Bool

    static let tableSize = 16
    /// Calls and passes that one call of an exported function may take.
    static let budget: Int32 = 60
    static let passiveDataSize = 64

    /// The bytes of a random program: one module, or two of which the second imports from the
    /// first, as from a module named `a`.
    ///
    /// - Parameter usesRelaxed: whether results may differ between engines.
    static func modules(
        _ random: inout RandomNumbers, usesRelaxed: Bool = true
    ) -> [[UInt8]] {
        var first = ProgramGenerator(random: random, usesRelaxed: usesRelaxed)
        first.plan()
        var result = [first.bytes()]
        random = first.random
        if random.oneIn(3) {
            var second = ProgramGenerator(random: random, usesRelaxed: usesRelaxed)
            second.plan(importing: first)
            result.append(second.bytes())
            random = second.random
        }
        return result
    }

    private init(random: RandomNumbers, usesRelaxed: Bool) {
        self.random = random
        self.usesRelaxed = usesRelaxed
    }

    /// The globals that anybody may set.
    var plainGlobals: [Int] { globals.indices.filter { $0 != budgetGlobal } }

    // MARK: Plan

    static func numberType(_ random: inout RandomNumbers) -> ValueType {
        [ValueType.i32, .i64, .f32, .f64][random.weighted([46, 24, 12, 18])]
    }

    /// A type that locals, parameters, results and globals may have.
    mutating func anyType() -> ValueType {
        if hasVectors, random.oneIn(4) { return .v128 }
        if hasObjects, random.oneIn(5) { return .anyref }
        if !tags.isEmpty, random.oneIn(12) { return .exnref }
        return Self.numberType(&random)
    }

    private mutating func plan(importing other: ProgramGenerator? = nil) {
        hasSecondMemory = random.oneIn(4)
        hasSecondTable = random.oneIn(4)
        hasTailCalls = random.oneIn(3)
        hasReferences = random.oneIn(3)
        hasWideArithmetic = random.oneIn(12)
        hasBulkOperations = random.oneIn(2)
        hasVectors = random.oneIn(3)
        hasObjects = random.oneIn(3)
        hasAtomics = random.oneIn(4)
        isShared = other?.isShared ?? (hasAtomics && random.oneIn(2))
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
        if random.oneIn(3) { for _ in 0..<random.between(1...3) { addTag() } }
        if let other { take(from: other) }
        let count = random.between(3...9)
        functions += (0..<count).map { _ in random.below(types.count) }
        globals.append(.i32)
        for _ in 0..<random.between(2...5) { globals.append(anyType()) }
        let elementCount = isImporting ? 4 : random.between(4...12)
        elements = (0..<elementCount).map { _ in random.below(functions.count) }
    }

    /// A tag, and the types of blocks that catch it.
    private mutating func addTag() {
        let parameters = list(3)
        tags.append(types.count)
        types.append(Shape(parameters: parameters, results: []))
        types.append(Shape(parameters: [], results: parameters))
        types.append(Shape(parameters: [], results: parameters + [.exnref]))
    }

    private mutating func take(from other: ProgramGenerator) {
        isImporting = true
        elementBase = 12
        for (index, type) in other.functions.enumerated() where random.oneIn(2) {
            importedNames.append("f\(index)")
            functions.append(types.count)
            types.append(other.types[type])
        }
        importedFunctionCount = functions.count
        globals = other.globals
        globals.removeFirst()
        importedGlobalCount = globals.count
    }

    private mutating func list(_ longest: Int) -> [ValueType] {
        (0..<random.below(longest + 1)).map { _ in anyType() }
    }

    // MARK: Bytes

    /// The functions that the module defines.
    private var defined: Range<Int> { importedFunctionCount..<functions.count }

    private mutating func bytes() -> [UInt8] {
        var bodies: [[UInt8]] = []
        for index in defined {
            var generator = BodyGenerator(self, function: index)
            bodies.append(generator.body())
            random = generator.random
        }
        for index in defined { bodies.append(wrapper(of: index)) }
        let own = Array(functions[importedFunctionCount...])
        // Three pages of at most four; the second memory and the second table have 64-bit
        // addresses.
        let memories: [[UInt8]] =
            (isImporting ? [] : [[isShared ? 0x03 : 0x01, 3, 4]])
            + (hasSecondMemory ? [[0x05, 1, 2]] : [])
        let tables: [[UInt8]] =
            (isImporting ? [] : [[0x70, 0x00, UInt8(Self.tableSize)]])
            + (hasSecondTable ? [[0x70, 0x05, 8, 12]] : [])
        var module = BinaryWriter()
        module.bytes = BinaryWriter.header
        module.section(
            1, items: types.map(Self.encoded) + (hasObjects ? ObjectShape.items(types.count) : []))
        module.section(2, items: importItems())
        module.section(
            3, items: (own + own).map { type in BinaryWriter.build { $0.unsigned(type) } })
        module.section(4, items: tables)
        module.section(5, items: memories)
        module.section(
            13, items: tags.map { type in [0] + BinaryWriter.build { $0.unsigned(type) } })
        module.section(6, items: globalItems())
        module.section(7, items: exportItems())
        module.section(9, items: elementItems())
        if hasBulkOperations { module.section(12, content: [2]) }
        module.section(10, items: bodies.map { body in BinaryWriter.build { $0.sized(body) } })
        module.section(11, items: dataItems())
        return module.bytes
    }

    /// The byte of a type; for a reference it is that of its heap type too.
    static func encoded(_ type: ValueType) -> UInt8 {
        switch type {
        case .anyref: 0x6e
        case .eqref: 0x6d
        case .exnref: 0x69
        default: Snippets.code(of: type) ?? 0x70
        }
    }

    private static func encoded(_ shape: Shape) -> [UInt8] {
        BinaryWriter.build { writer in
            writer.byte(0x60)
            writer.vector(shape.parameters.map { [encoded($0)] })
            writer.vector(shape.results.map { [encoded($0)] })
        }
    }

    private func importItems() -> [[UInt8]] {
        guard isImporting else { return [] }
        func item(_ name: String, _ description: [UInt8]) -> [UInt8] {
            BinaryWriter.build { writer in
                writer.name("a")
                writer.name(name)
                writer.bytes.append(contentsOf: description)
            }
        }
        let functionItems = importedNames.enumerated().map { (index, name) in
            item(name, [0] + BinaryWriter.build { $0.unsigned(functions[index]) })
        }
        let globalItems = globals.prefix(importedGlobalCount).enumerated().map { (index, type) in
            item("g\(index + 1)", [3, Self.encoded(type), 1])
        }
        return functionItems + globalItems
            + [
                item("memory", [2, isShared ? 0x03 : 0x01, 3, 4]),
                item("table", [1, 0x70, 0x00, 16]),
            ]
    }

    private mutating func globalItems() -> [[UInt8]] {
        var items: [[UInt8]] = []
        for type in globals.dropFirst(importedGlobalCount) {
            var writer = BinaryWriter()
            writer.byte(Self.encoded(type))
            writer.byte(1)
            if type.isReference {
                writer.opcode(.refNull)
                writer.byte(Self.encoded(type))
            } else {
                Snippets.constant(&writer, type, &random)
            }
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
        return defined.indices.map { item("f\($0 - defined.startIndex)", 0, defined.count + $0) }
            + [item("memory", 2, 0), item("table", 1, 0)]
            + plainGlobals.enumerated().map { item("g\($0.offset + 1)", 3, $0.element) }
    }

    private func elementItems() -> [[UInt8]] {
        let functions = elements.map { element in BinaryWriter.build { $0.unsigned(element) } }
        let near = BinaryWriter.build { writer in
            writer.byte(0)
            writer.i32(Int32(truncatingIfNeeded: elementBase))
            writer.opcode(.end)
            writer.vector(functions)
        }
        guard hasSecondTable else { return [near] }
        let far = BinaryWriter.build { writer in
            writer.byte(2)
            writer.unsigned(1)
            writer.i64(0)
            writer.opcode(.end)
            writer.byte(0)
            writer.vector(Array(functions.prefix(4)))
        }
        return [near, far]
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
            writer.opcode(.globalSet, budgetGlobal)
            for index in shape.parameters.indices { writer.opcode(.localGet, index) }
            writer.opcode(isTailCall ? .returnCall : .call, function)
            writer.opcode(.end)
        }
    }
}

extension ValueType {
    static let anyref = ValueType.ref(.any, nullable: true)
    static let eqref = ValueType.ref(.eq, nullable: true)
    static let exnref = ValueType.ref(.exn, nullable: true)
}
