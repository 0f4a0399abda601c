import WasmInterpreter

/// Decodes, validates, translates, links and runs a module under tight limits. What a module can
/// do is end in an error, a trap or a result; everything else ends this process or takes too long,
/// which the parent process notices.
struct CaseRunner {
    static let fuel: UInt64 = 20_000
    static let memoryBytes: UInt64 = 16 << 20
    static let tableElements: UInt64 = 100_000
    /// Exported functions that are called, and calls of each.
    private static let functionLimit = 24
    private static let callsPerFunction = 3

    private var random: RandomNumbers
    private(set) var tally = Tally()
    private var hasTrapped = false
    private var isOutOfFuel = false

    private init(random: RandomNumbers) { self.random = random }

    /// Runs one case and counts what happened.
    static func run(_ bytes: [UInt8], random: RandomNumbers) -> Tally {
        var runner = CaseRunner(random: random)
        let outcome = runner.run(bytes)
        runner.tally.cases = 1
        runner.tally.outcomes[outcome.rawValue] = 1
        runner.tally.trapped = runner.hasTrapped ? 1 : 0
        runner.tally.outOfFuel = runner.isOutOfFuel ? 1 : 0
        return runner.tally
    }

    private mutating func run(_ bytes: [UInt8]) -> Outcome {
        var configuration = Engine.Configuration()
        configuration.features = BinaryCases.features(&random)
        configuration.validationThreads = random.oneIn(64) ? 2 : 1
        configuration.eagerTranslation = !random.oneIn(4)
        let module: Module
        do throws(ModuleError) {
            module = try Module(bytes, engine: Engine(configuration))
        } catch {
            return Self.refusal(error)
        }
        look(at: module)
        let outcome = link(module)
        if !configuration.eagerTranslation {
            // What was not called is translated too.
            configuration.eagerTranslation = true
            _ = try? Module(bytes, engine: Engine(configuration))
        }
        return outcome
    }

    /// What kind of error it was; its description is made, too.
    static func refusal(_ error: ModuleError) -> Outcome {
        switch error {
        case .file(let error):
            _ = "\(error)"
            return .refusedByDecoding
        case .malformed(let error):
            _ = "\(error)"
            return .refusedByDecoding
        case .invalid(let error):
            _ = "\(error)"
            return .refusedByValidation
        case .cancelled: return .refusedByValidation
        }
    }

    /// Reads what tools show of a module.
    private mutating func look(at module: Module) {
        guard random.oneIn(8) else { return }
        _ = module.names?.functions.all
        _ = module.parsed.branchHints()
        _ = module.parsed.producers()
        let count = module.parsed.functions.count
        if count > 0 { _ = module.registerCode(of: FunctionIndex(clamping: random.below(count))) }
    }

    // MARK: Linking

    private mutating func link(_ module: Module) -> Outcome {
        var limits = StoreLimits(
            memoryBytes: Self.memoryBytes, tableElements: Self.tableElements, instances: 8,
            memories: 4, tables: 16, nestedCalls: 20)
        limits.stackBytes = random.element(of: [4096, 65_536, 1 << 18]) ?? 65_536
        let store = Store(engine: module.engine, limits: limits)
        store.fuel = Self.fuel
        store.deadline = .now + .seconds(2)
        var stubs = Stubs(module: module, store: store, random: random)
        let linker = stubs.linker()
        random = stubs.random
        let instance: Instance
        do {
            instance = try linker.instantiate(module, in: store)
        } catch {
            return begin(error)
        }
        callExports(of: instance)
        if random.oneIn(6) { linkAgain(instance) }
        return .ran
    }

    /// Whether a failed instantiation was one of linking.
    private mutating func begin(_ error: any Error) -> Outcome {
        switch error {
        case is LinkError, is ResourceError:
            _ = "\(error)"
            return .refusedByLinking
        default:
            note(error)
            return .ran
        }
    }

    /// A second instance whose imports are exports of the first, where they fit.
    private mutating func linkAgain(_ first: Instance) {
        let linker = Linker()
        var stubs = Stubs(module: first.module, store: first.store, random: random)
        let others = stubs.linker()
        random = stubs.random
        for wanted in first.module.imports {
            let fitting = first.exports.filter { $0.1.kind == wanted.type.kind }
            if let (_, external) = random.element(of: fitting) {
                linker.define(wanted.module, wanted.name, external)
            }
        }
        for candidate in [linker, others] {
            first.store.fuel = Self.fuel
            do {
                callExports(of: try candidate.instantiate(first.module, in: first.store))
                return
            } catch {
                _ = "\(error)"
            }
        }
    }

    // MARK: Calls

    private mutating func callExports(of instance: Instance) {
        let store = instance.store
        var called = 0
        for (_, external) in instance.exports {
            guard case .function(let function) = external else {
                look(at: external)
                continue
            }
            called += 1
            guard called <= Self.functionLimit else { return }
            for round in 0..<Self.callsPerFunction {
                guard let arguments = arguments(function.type, store, isZero: round == 0) else {
                    break
                }
                store.fuel = Self.fuel
                tally.calls += 1
                do {
                    _ = try function.call(arguments)
                    tally.returns += 1
                } catch {
                    note(error)
                    if (error as? Trap)?.code == .interrupted { return }
                }
                if arguments.isEmpty, round == 1 { break }
            }
        }
    }

    private mutating func note(_ error: any Error) {
        guard let trap = error as? Trap else { return }
        hasTrapped = true
        if trap.code == .outOfFuel { isOutOfFuel = true }
        if random.oneIn(8) { _ = "\(trap) \(trap.backtrace)" }
    }

    private func look(at external: External) {
        switch external {
        case .global(let global): _ = "\(global.value)"
        case .table(let table): _ = try? table.get(at: table.size &- 1)
        case .memory(let memory): _ = memory.grow(by: 1)
        case .function, .tag: break
        }
    }

    /// Arguments for a function; nil if there are none of a type.
    private mutating func arguments(
        _ type: FunctionType, _ store: Store, isZero: Bool
    ) -> [Value]? {
        var result: [Value] = []
        for parameter in type.parameters {
            guard let value = isZero ? Stubs.zero(parameter) : value(parameter) else { return nil }
            result.append(value)
        }
        return result
    }

    private mutating func value(_ type: ValueType) -> Value? {
        let word = random.element(of: InterestingValues.words) ?? 0
        return switch type {
        case .i32: .i32(Int32(truncatingIfNeeded: word))
        case .i64: .i64(Int64(bitPattern: word))
        case .f32:
            .f32(Float(bitPattern: random.element(of: InterestingValues.float32Bits) ?? 0))
        case .f64:
            .f64(Double(bitPattern: random.element(of: InterestingValues.float64Bits) ?? 0))
        case .externref: .extern(ExternReference(handle: word & 0xffff))
        default: Stubs.zero(type)
        }
    }
}
