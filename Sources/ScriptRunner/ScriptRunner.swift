import WasmInterpreter
import WasmText
import WasmValidator

/// Runs a script (`.wast`) in an engine and a store of its own.
///
/// A command that cannot be read or is not understood fails, and the next one is run.
public func runScript(_ text: [UInt8], _ options: ScriptOptions = .init()) -> ScriptReport {
    do throws(TextError) {
        let reader = try ScriptReader(text)
        let session = ScriptSession(options, makeEngine(options), source: text)
        return session.run(reader)
    } catch {
        var report = ScriptReport()
        let line = error.position(in: text).line
        report.commandCount = 1
        report.failures = [ScriptFailure(line: line, reason: error.explanation(in: text))]
        return report
    }
}

private func makeEngine(_ options: ScriptOptions) -> Engine {
    var configuration = Engine.Configuration()
    configuration.features = options.features
    configuration.eagerTranslation = options.eagerTranslation
    configuration.collectsAtEveryAllocation = options.collectsAtEveryAllocation
    configuration.canonicalizesNaNs = options.canonicalizesNaNs
    return Engine(configuration)
}

/// Runs the commands of a script, or of a thread in a script: has the store and the entities that
/// the script can name.
final class ScriptSession {
    let options: ScriptOptions
    let store: Store
    /// The whole script, also in a thread.
    let source: [UInt8]
    private var positions: PositionCounter
    var report = ScriptReport()
    /// The number of threads around this one.
    let depth: Int

    private var definitions: [[UInt8]: Module] = [:]
    private var latestDefinition: Module?
    private var instances: [[UInt8]: Exports] = [:]
    private var latestInstance: Exports?
    private var registry: [Name: Exports]
    var threads: [ThreadInProgress] = []

    var engine: Engine { store.engine }

    init(_ options: ScriptOptions, _ engine: Engine, source: [UInt8], depth: Int = 0) {
        self.options = options
        self.source = source
        positions = PositionCounter(source)
        self.depth = depth
        store = Store(engine: engine)
        registry = ["spectest": .externals(spectestExports(in: store, print: options.print))]
    }

    /// Runs all commands and waits for all threads.
    func run(_ commands: ScriptReader) -> ScriptReport {
        var reader = commands
        while true {
            do throws(TextError) {
                guard let command = try reader.nextCommand() else { break }
                run(command)
            } catch {
                let line = positions.position(of: error.place).line
                report.commandCount += 1
                let reason = error.explanation(in: source)
                report.failures.append(ScriptFailure(line: line, reason: reason))
            }
        }
        while let thread = threads.popLast() { report.add(thread.join()) }
        report.failures.sort { $0.line < $1.line }
        return report
    }

    private func run(_ command: ScriptCommand) {
        report.commandCount += 1
        if command.kind.isAssertion { report.assertionCount += 1 }
        store.fuel = options.fuel
        store.deadline = options.timeLimit.map { .now + $0 }
        do {
            try perform(command.kind)
        } catch {
            report.failures.append(ScriptFailure(line: command.line, reason: reason(for: error)))
        }
    }

    private func perform(_ command: ScriptCommand.Kind) throws {
        switch command {
        case .module(let module): try define(module)
        case .instance(let instance):
            bind(try instantiate(try definition(instance.module)), to: instance.name)
        case .register(let name, let instance): registry[name] = try self.instance(instance)
        case .action(let action): _ = try perform(action)
        case .assertReturn(let action, let patterns): try assertReturn(action, patterns)
        case .assertTrap(let action, let message):
            try assertTrap(message) { .returned(try perform(action)) }
        case .assertUninstantiable(let instantiation, let message):
            try assertTrap(message) {
                _ = try instantiate(instantiation)
                return .instantiated
            }
        case .assertExhaustion(let action, let message): try assertExhaustion(action, message)
        case .assertException(let action): try assertException(action)
        case .assertInvalid(let module, let message): try assertInvalid(module, message)
        case .assertMalformed(let module, let message): try assertMalformed(module, message)
        case .assertUnlinkable(let instantiation, let message):
            try assertUnlinkable(instantiation, message)
        case .assertInvalidCustom(let module, let message):
            try assertCustom(module, message, malformed: false)
        case .assertMalformedCustom(let module, let message):
            try assertCustom(module, message, malformed: true)
        case .thread(let thread): try start(thread)
        case .wait(let thread): try wait(for: thread)
        }
    }
}

// MARK: - Modules and instances

extension ScriptSession {
    /// Names exports that were made outside of the script.
    func bind(_ exports: Exports, to name: [UInt8]) { instances[name] = exports }

    /// Parses, decodes and validates.
    ///
    /// - Throws: `TextError`, `ModuleError`.
    func load(_ module: ScriptModule) throws -> Module {
        try Module(try module.encode(), engine: engine)
    }

    /// If this fails, the latest instance is still the one before.
    private func define(_ script: ScriptModule) throws {
        let module: Module
        do {
            module = try load(script)
        } catch let error as TextError {
            if case .quote(let text) = script.form {
                let (line, column) = error.position(in: text)
                let explanation = error.explanation(in: text)
                throw CommandFailure("quoted text, \(line):\(column): \(explanation)")
            }
            let (line, column) = positions.position(of: error.place)
            throw CommandFailure("\(line):\(column): \(error.explanation(in: source))")
        } catch ModuleError.invalid(let error) {
            guard let place = place(of: error, in: script) else { throw ModuleError.invalid(error) }
            let (line, column) = positions.position(of: place)
            throw CommandFailure("\(line):\(column): invalid module: \(error.message)")
        }
        latestDefinition = module
        if let name = script.name { definitions[name] = module }
        if !script.isDefinition { bind(try instantiate(module), to: script.name) }
    }

    /// The instruction that is not valid, if the module is text in the script.
    private func place(of error: ValidationError, in script: ScriptModule) -> TextPlace? {
        guard let function = error.function, case .text = script.form,
            let bytes = try? script.encode(),
            let body = (try? decode(ModuleBytes(bytes), features: options.features))?
                .body(of: function)
        else { return nil }
        return script.placeOfInstruction(function: function, offset: error.offset - body.start)
    }

    private func bind(_ instance: Instance, to name: [UInt8]?) {
        latestInstance = .instance(instance)
        if let name { instances[name] = latestInstance }
    }

    /// Makes an instance, without binding a name to it.
    func instantiate(_ instantiation: ScriptInstantiation) throws -> Instance {
        switch instantiation {
        case .module(let module): try instantiate(try load(module))
        case .instance(let instance): try instantiate(try definition(instance.module))
        }
    }

    private func instantiate(_ module: Module) throws -> Instance {
        // Imports see only current registrations, nothing of older ones under the same name.
        let linker = Linker()
        for wanted in module.imports {
            if let external = registry[wanted.module]?.export(wanted.name) {
                linker.define(wanted.module, wanted.name, external)
            }
        }
        return try linker.instantiate(module, in: store)
    }

    private func definition(_ name: [UInt8]?) throws(CommandFailure) -> Module {
        guard let module = name.map({ definitions[$0] }) ?? latestDefinition else {
            throw CommandFailure(name.map { "no module \(identifier($0))" } ?? "no module yet")
        }
        return module
    }

    /// The exports of a named instance; without a name, of the latest.
    func instance(_ name: [UInt8]?) throws(CommandFailure) -> Exports {
        guard let instance = name.map({ instances[$0] }) ?? latestInstance else {
            throw CommandFailure(name.map { "no instance \(identifier($0))" } ?? "no instance yet")
        }
        return instance
    }

    /// Calls a function or reads a global.
    ///
    /// - Throws: `CommandFailure` if there is no such export; errors of the call.
    func perform(_ action: ScriptAction) throws -> [Value] {
        let export = try instance(action.instance).export(action.name)
        switch (action.kind, export) {
        case (.invoke(let arguments), .function(let function)?):
            return try function.call(try arguments.map { try Value($0) })
        case (.get, .global(let global)?):
            return [global.value]
        case (_, let other?):
            throw CommandFailure("export \"\(action.name)\" is a \(other.kind)")
        case (_, nil):
            throw CommandFailure("no export \"\(action.name)\"")
        }
    }
}

/// The exports that scripts reach by the name of an instance.
enum Exports {
    case instance(Instance)
    case externals([Name: External])

    func export(_ name: Name) -> External? {
        switch self {
        case .instance(let instance): instance.export(name)
        case .externals(let externals): externals[name]
        }
    }
}

extension ScriptCommand.Kind {
    fileprivate var isAssertion: Bool {
        switch self {
        case .module, .instance, .register, .action, .thread, .wait: false
        case .assertReturn, .assertTrap, .assertUninstantiable, .assertExhaustion,
            .assertException, .assertInvalid, .assertMalformed, .assertUnlinkable,
            .assertInvalidCustom, .assertMalformedCustom:
            true
        }
    }
}

/// Finds lines and columns, both from 1, of ascending positions in one pass.
private struct PositionCounter {
    private let text: [UInt8]
    private var offset = 0
    private var line = 1
    private var lineStart = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func position(of place: TextPlace) -> (line: Int, column: Int) {
        while offset < min(place.range.lowerBound, text.count) {
            let isBreak =
                text[offset] == 0x0a
                || (text[offset] == 0x0d && (offset + 1 == text.count || text[offset + 1] != 0x0a))
            offset += 1
            if isBreak {
                line += 1
                lineStart = offset
            }
        }
        return (line, offset - lineStart + 1)
    }
}
