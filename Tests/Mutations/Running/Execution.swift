import WasmInterpreter

/// Runs modules as they are and prints what they do, so that it can be compared with what others
/// do: one line a call, then the memory and the globals.
struct Execution {
    private let instance: Instance
    private let path: String
    private let clock: BudgetClock

    static func run(_ paths: [String]) -> Bool {
        let engine = Engine(
            {
                var configuration = Engine.Configuration()
                configuration.features = .all
                return configuration
            }())
        var isGood = true
        var before: Instance?
        for path in paths {
            do {
                let module = try Module(path: path, engine: engine)
                let linker = Linker()
                let store: Store
                if let before, !module.imports.isEmpty {
                    store = before.store
                    linker.define(instance: before, as: "a")
                } else {
                    store = Store(engine: engine)
                }
                store.fuel = 20_000_000
                let instance = try linker.instantiate(module, in: store)
                let clock = try BudgetClock(store)
                Execution(instance: instance, path: path, clock: clock).print()
                before = instance
            } catch {
                Files.print("\(path): \(error)")
                isGood = false
            }
        }
        return isGood
    }

    /// Every function is called as often, with numbers that the place of the call determines.
    static let rounds = 3

    private func print() {
        var lines = ["module \(path)"]
        for (name, external) in instance.exports {
            guard case .function(let function) = external else { continue }
            for round in 0..<Self.rounds {
                var random = RandomNumbers(seed: UInt64(round))
                let arguments = function.type.parameters.map { Self.argument($0, &random) }
                let words = arguments.map(Self.text).joined(separator: " ")
                // In one round the machine asks for more budget somewhere in the call.
                if round == 1 { clock.leave(function.type.parameters.count + 7 * name.utf8.count) }
                lines.append("\(name)(\(words)) = \(Self.result(of: function, arguments))")
            }
        }
        for (name, external) in instance.exports {
            switch external {
            case .memory(let memory): lines.append("\(name): \(Self.summary(memory))")
            case .global(let global): lines.append("\(name): \(Self.text(global.value))")
            default: break
            }
        }
        Files.print(lines.joined(separator: "\n"))
    }

    private static func result(of function: Function, _ arguments: [Value]) -> String {
        do {
            return try function.call(arguments).map(text).joined(separator: " ")
        } catch let trap as Trap {
            return "trap: \(trap)"
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
        var sum: UInt64 = 0xcbf2_9ce4_8422_2325
        let bytes = (try? memory.bytes.bytes(at: UInt64(0), count: UInt64(memory.byteCount)))
        for byte in bytes ?? UnsafeMutableRawBufferPointer(start: nil, count: 0) {
            sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return "\(memory.byteCount) bytes, sum \(sum)"
    }
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
