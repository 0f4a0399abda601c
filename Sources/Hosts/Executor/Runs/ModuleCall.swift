import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdOperation

/// What a client gives to a function.
enum CallArguments: Sendable {
    case list([Document])
    case named([Document.Member])
}

/// Why a function was not called with its arguments.
enum ArgumentFault: Error, Sendable, Equatable {
    case count(expected: Int, found: Int)
    case type(ParameterType, name: String)
    case missing(name: String)
    case unknown(name: String)
    /// The function takes or gives what JSON cannot say.
    case signature(String)
}

extension ArgumentFault: CustomStringConvertible {
    var description: String {
        switch self {
        case .count(let expected, let found):
            "the function takes \(expected) arguments; \(found) are given"
        case .type(let type, let name): "argument '\(name)' is no \(type.name)"
        case .missing(let name): "argument '\(name)' is missing"
        case .unknown(let name): "the function has no parameter '\(name)'"
        case .signature(let type):
            "the function is \(type): its types cannot be given as JSON"
        }
    }
}

/// The function that a run calls does not exist.
struct FunctionMissing: Error, Sendable {
    let name: String
}

/// A call of a function of a stored module.
struct ModuleCall: Sendable {
    /// Nil for that of the record.
    var function: String?
    var arguments = CallArguments.list([])
    /// The rules of *wess*: numbers wrap, and the result says whether the instance was started.
    var isWess = false
    /// For records of runs: who asked.
    var caller = ""
    var observation: RunObservation?
    /// Whose run it is.
    var requester = Requester()
}

/// How a call ended.
struct CallResult {
    let function: String
    /// What it returned, if it did.
    let results: [Document]
    let run: RunResult
    /// How declaration and function differ.
    let note: String?
    /// Whether the instance was made and started: false if the run ended before. Only known for
    /// calls by the rules of *wess*.
    var hasStarted = true
}

extension Executor {
    /// Functions that stored modules may import besides those of WASI: `env.randomi32`, which
    /// modules of *wess* know.
    static let imports = GuestImports { linker in
        linker.defineShared("env", "randomi32") { (_: borrowing Caller) -> Int32 in
            Int32.random(in: Int32.min...Int32.max)
        }
    }

    /// Calls a function in a fresh instance, or in the kept one if the record says so.
    ///
    /// - Throws: `ExecutorError`, `ArgumentFault`, `FunctionMissing`, `LinkError`. What happens in
    ///   the guest is no error: see `CallResult.run`.
    func call(
        _ record: ModuleRecord, _ call: ModuleCall, on loop: EventLoop
    ) async throws -> CallResult {
        let kept = record.keeps ? kept.state(of: record.id) : nil
        let module = try await module(record, kept, on: loop)
        let name = try Self.function(call.function, record, in: module.module)
        let function = Name(name)
        var world = WASI(arguments: [name])
        world.standardInput = .null
        world.standardOutput = .null
        let tenant = call.requester.tenant
        guard let export = module.module.export(function),
            let type = module.module.functionType(of: module.module.type(of: export))
        else {
            // An import that is missing is the first reason.
            _ = try await guest(of: module, for: tenant, in: world, on: loop)
            throw FunctionMissing(name: name)
        }
        guard
            let shape = CallShape(type, parameters: record.parameters, results: record.results)
        else { throw ArgumentFault.signature("\(type)") }
        let arguments = try shape.arguments(call.arguments, wraps: call.isWess)
        if kept != nil, !Self.storedImports(of: module.module).isEmpty {
            throw ExecutorError.invalid(
                "a module that imports stored modules cannot be kept: set 'keep' to false")
        }
        let guest = try await guest(of: module, for: tenant, in: world, on: loop)
        var request = RunRequest(guest, of: module, in: world)
        request.function = function
        let texts = PlacedTexts(shape, arguments)
        let progress = CallProgress()
        if texts.isNeeded || call.isWess || kept != nil {
            request.body = { calls in
                try await progress.measure {
                    try kept?.restore(calls.instance)
                    let values =
                        texts.isNeeded
                        ? try await texts.call(function, calls)
                        : try await calls.call(function, arguments.compactMap(\.number))
                    try kept?.save(calls.instance)
                    return values
                }
            }
        } else {
            request.arguments = arguments.compactMap(\.number)
        }
        // Its places: one call after the other.
        if let kept { request.module = kept.scope }
        request.caller = call.caller
        request.observation = call.observation
        request.limits = options.limits
        let result = try await run(&request, for: call.requester, on: loop)
        if call.isWess { wessMetrics?.ran(name, nanoseconds: progress.nanoseconds) }
        let results = texts.results ?? result.values.map(NumberReading.document)
        return CallResult(
            function: name, results: results, run: result, note: shape.disagreement,
            hasStarted: progress.hasBegun || !call.isWess)
    }
}

/// How far the run of a call came. Used by the task of the run only.
private final class CallProgress {
    private(set) var hasBegun = false
    private(set) var nanoseconds: UInt64 = 0

    func measure(_ body: () async throws -> [Value]) async throws -> [Value] {
        hasBegun = true
        let start = SystemClock.monotonic.now
        defer { nanoseconds = SystemClock.monotonic.now &- start }
        return try await body()
    }
}

extension RunCalls {
    /// Calls an export.
    fileprivate func call(_ name: Name, _ arguments: [Value]) async throws -> [Value] {
        guard let function = instance.function(name) else {
            throw FunctionMissing(name: name.description)
        }
        return try await call(function, arguments)
    }
}

extension Executor {
    /// Runs a guest with the executor's limits, as a part of what its account may use.
    ///
    /// - Throws: `AccessRefusal` if a quota of the tenant is used up.
    func run(
        _ request: inout RunRequest, for requester: Requester, on loop: EventLoop
    ) async throws -> RunResult {
        request.account = requester.account.runs
        request.trace = requester.trace?.forRun
        guard let tenant = requester.tenant else {
            return await runs.run(request, on: try guestLoop(loop))
        }
        let quota = try tenant.admitRun()
        let isQuota = quota.map { $0 < request.limits.fuel ?? .max } ?? false
        if let quota, isQuota { request.limits.fuel = quota }
        let result = await runs.run(request, on: try guestLoop(loop))
        if let record = result.record { tenant.charge(fuel: record.fuel) }
        // The limit that ended the run was the quota.
        if isQuota, case .limit(.fuel, _) = result.outcome { _ = try tenant.admitRun() }
        return result
    }
}

extension CallShape {
    /// An argument: a number, or bytes that are placed in the guest's memory.
    enum Argument {
        case number(Value)
        case bytes([UInt8])

        var number: Value? { if case .number(let value) = self { value } else { nil } }
    }

    /// The arguments, in the order of the inputs.
    func arguments(_ given: CallArguments, wraps: Bool) throws(ArgumentFault) -> [Argument] {
        let documents: [Document]
        switch given {
        case .list(let list): documents = list
        case .named(let members): documents = try ordered(members)
        }
        guard documents.count == inputs.count else {
            throw .count(expected: inputs.count, found: documents.count)
        }
        var arguments: [Argument] = []
        for (document, input) in zip(documents, inputs) {
            guard let argument = Self.argument(document, input.type, wraps: wraps) else {
                throw .type(input.type, name: input.name)
            }
            arguments.append(argument)
        }
        return arguments
    }

    private static func argument(
        _ document: Document, _ type: ParameterType, wraps: Bool
    ) -> Argument? {
        switch type {
        case .string: document.stringValue.map { .bytes(Array($0.utf8)) }
        case .bytes: ByteText.bytes(document).map { .bytes($0) }
        default: NumberReading.value(document, type, wraps: wraps).map { .number($0) }
        }
    }

    private func ordered(_ members: [Document.Member]) throws(ArgumentFault) -> [Document] {
        var ordered: [Document] = []
        for input in inputs {
            guard let member = members.last(where: { $0.name == input.name }) else {
                throw .missing(name: input.name)
            }
            ordered.append(member.value)
        }
        if let unknown = members.first(where: { member in
            !inputs.contains { $0.name == member.name }
        }) {
            throw .unknown(name: unknown.name)
        }
        return ordered
    }
}
