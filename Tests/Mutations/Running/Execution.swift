import WasmInterpreter

/// Runs modules as they are and tells what they do, so that it can be compared with what others
/// do: one line a call, then the memory and the globals.
struct Execution {
    private let instance: Instance
    private let clock: BudgetClock?
    /// What each call gets; nil leaves the store's fuel alone.
    private var fuelPerCall: UInt64?

    static func run(_ paths: [String]) -> Bool {
        let engine = Engine(Mode.lazy.configuration)
        var isGood = true
        var before: Instance?
        for path in paths {
            do {
                let module = try Module(path: path, engine: engine)
                let instance = try instance(of: module, before: before)
                let clock = try BudgetClock(instance.store)
                let lines = Execution(instance: instance, clock: clock, fuelPerCall: nil).lines()
                Files.print((["module \(path)"] + lines).joined(separator: "\n"))
                before = instance
            } catch {
                Files.print("\(path): \(error)")
                isGood = false
            }
        }
        return isGood
    }

    private static func instance(
        of module: Module, before: Instance?, limits: StoreLimits = StoreLimits()
    ) throws -> Instance {
        let linker = Linker()
        let store: Store
        if let before, !module.imports.isEmpty {
            store = before.store
            linker.define(instance: before, as: "a")
        } else {
            store = Store(engine: module.engine, limits: limits)
        }
        store.fuel = 20_000_000
        return try linker.instantiate(module, in: store)
    }

    /// Every function is called as often, with numbers that the place of the call determines.
    static let rounds = 3

    private func lines() -> [String] {
        var lines: [String] = []
        for (name, external) in instance.exports {
            guard case .function(let function) = external else { continue }
            for round in 0..<Self.rounds {
                var random = RandomNumbers(seed: UInt64(round))
                let arguments = function.type.parameters.map { Self.argument($0, &random) }
                let words = arguments.map(Self.text).joined(separator: " ")
                if let fuelPerCall { instance.store.fuel = fuelPerCall }
                // In one round the machine asks for more budget somewhere in the call.
                if round == 1 { clock?.leave(function.type.parameters.count + 7 * name.utf8.count) }
                lines.append("\(name)(\(words)) = \(Self.result(of: function, arguments))")
                if fuelPerCall != nil { lines.append("fuel \(instance.store.fuel ?? 0)") }
            }
        }
        for (name, external) in instance.exports {
            switch external {
            case .memory(let memory): lines.append("\(name): \(Self.summary(memory))")
            case .global(let global): lines.append("\(name): \(Self.text(global.value))")
            default: break
            }
        }
        return lines
    }

    private static func result(of function: Function, _ arguments: [Value]) -> String {
        do {
            return try function.call(arguments).map(text).joined(separator: " ")
        } catch let trap as Trap {
            return "trap: \(trap)"
        } catch let exception as Exception {
            let values = (try? exception.values(in: function.store)) ?? []
            return "exception: \(values.map(text).joined(separator: " "))"
        } catch {
            return "error: \(error)"
        }
    }

    static func argument(_ type: ValueType, _ random: inout RandomNumbers) -> Value {
        let word = random.element(of: InterestingValues.words) ?? 0
        return switch type {
        case .i32: .i32(Int32(truncatingIfNeeded: word))
        case .i64: .i64(Int64(bitPattern: word))
        case .f32: .f32(Float(Int32(truncatingIfNeeded: word)) / 8)
        case .f64: .f64(Double(Int32(truncatingIfNeeded: word)) / 8)
        default: Stubs.zero(type) ?? .i32(0)
        }
    }

    /// Bits of numbers, one word for all NaNs, whether references are null.
    static func text(_ value: Value) -> String {
        switch value {
        case .i32(let number): "i32:\(UInt32(bitPattern: number))"
        case .i64(let number): "i64:\(UInt64(bitPattern: number))"
        case .f32(let number): number.isNaN ? "f32:nan" : "f32:\(number.bitPattern)"
        case .f64(let number): number.isNaN ? "f64:nan" : "f64:\(number.bitPattern)"
        case .v128(let low, let high): "v128:\(low):\(high)"
        case .function(let function): function == nil ? "null" : "function"
        case .extern(let reference): reference == nil ? "null" : "extern"
        case .exception(let exception): exception == nil ? "null" : "exception"
        case .any(let reference): reference == nil ? "null" : "any"
        }
    }

    /// The size and a checksum (FNV-1a) of the bytes.
    private static func summary(_ memory: Memory) -> String {
        var sum = Checksum()
        let byteCount = memory.byteCount
        try? memory.withBytes(at: 0, count: byteCount) { bytes in
            for index in bytes.indices { sum.add(bytes[index]) }
        }
        return "\(memory.byteCount) bytes, sum \(sum.value)"
    }
}

// MARK: Modes

extension Execution {
    /// Ways to run a program that must give the same results.
    enum Mode: CaseIterable {
        /// With fuel; functions are translated when they are first called.
        case lazy
        /// With fuel; all is translated at the start.
        case eager
        /// With fuel, and a collection at every allocation.
        case stressed
        /// Without fuel.
        case unlimited
        /// With fuel of which the machine has used up most of a slice when a call begins.
        case interrupted
        /// With fuel; every call is observed, every block counted.
        case observed
        /// With fuel; every NaN that an operation may choose is the canonical one.
        case canonical

        fileprivate var configuration: Engine.Configuration {
            var configuration = Engine.Configuration()
            configuration.features = .all
            configuration.eagerTranslation = self == .eager || self == .unlimited
            configuration.collectsAtEveryAllocation = self == .stressed
            configuration.observesCalls = self == .observed
            configuration.countsBlocks = self == .observed
            configuration.canonicalizesNaNs = self == .canonical
            return configuration
        }
    }

    private static let limits = StoreLimits(
        memoryBytes: CaseRunner.memoryBytes, tableElements: CaseRunner.tableElements, instances: 8,
        memories: 4, tables: 16, nestedCalls: 20, heapBytes: 64 << 20)

    /// What a program does in a mode; a module imports from the one before it.
    ///
    /// - Parameter fuelPerCall: what every call gets, and is asked for what is left; nil for programs
    ///   that end by themselves.
    static func lines(_ modules: [[UInt8]], _ mode: Mode, fuelPerCall: UInt64?) -> [String] {
        var before: Instance?
        var lines: [String] = []
        let engine = Engine(mode.configuration)
        for bytes in modules {
            do {
                let module = try Module(bytes, engine: engine)
                let instance = try instance(of: module, before: before, limits: limits)
                let clock = mode == .interrupted ? try BudgetClock(instance.store) : nil
                if mode == .unlimited { instance.store.fuel = nil }
                let watch = mode == .observed ? CallWatch() : nil
                instance.store.observer = watch
                lines += Execution(instance: instance, clock: clock, fuelPerCall: fuelPerCall)
                    .lines()
                if let watch, watch.leavesMoreThanItEnters { lines.append("left, not entered") }
                before = instance
            } catch {
                lines.append("\(error)")
            }
        }
        return lines
    }
}

/// Counts calls that are entered and left.
private final class CallWatch: StoreObserver {
    private var entered = 0
    private var left = 0

    func didEnter(_ function: ObservedFunction) { entered += 1 }
    func willLeave(_ function: ObservedFunction) { left += 1 }

    var leavesMoreThanItEnters: Bool { left > entered }
}

/// Uses up most of what the machine runs on before it asks the store for more, so that it asks soon
/// and in the midst of something.
private struct BudgetClock {
    private let loop: Function
    /// Units that the machine gets at once.
    private static let slice = 100_000

    init(_ store: Store) throws {
        let body = BinaryWriter.build { writer in
            writer.unsigned(0)
            writer.opcode(.loop)
            writer.byte(0x40)
            writer.opcode(.localGet, 0)
            writer.i32(1)
            writer.opcode(.i32Sub)
            writer.opcode(.localTee, 0)
            writer.opcode(.brIf, 0)
            writer.opcode(.end)
            writer.opcode(.end)
        }
        var module = BinaryWriter()
        module.bytes = BinaryWriter.header
        module.section(1, items: [[0x60, 1, 0x7f, 0]])
        module.section(3, items: [[0]])
        module.section(7, items: [[1, 0x66, 0, 0]])
        module.section(10, items: [BinaryWriter.build { $0.sized(body) }])
        let instance = try Instance(try Module(module.bytes, engine: store.engine), in: store)
        guard let function = instance.function("f") else {
            throw CallError.argumentCount(expected: 0, given: 0)
        }
        loop = function
    }

    /// Leaves about as many units.
    func leave(_ units: Int) {
        let store = loop.store
        store.fuel = 20_000_000
        _ = try? loop.call([.i32(Int32(truncatingIfNeeded: Self.slice - units % 90))])
    }
}
