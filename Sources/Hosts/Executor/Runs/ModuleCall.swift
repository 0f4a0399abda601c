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
    /// The rules of *wess* for numbers.
    var wraps = false
    /// For records of runs: who asked.
    var caller = ""
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
}

extension Executor {
    /// Functions that stored modules may import besides those of WASI: `env.randomi32`, which
    /// modules of *wess* know.
    static let imports = GuestImports { linker in
        linker.defineShared("env", "randomi32") { (_: borrowing Caller) -> Int32 in
            Int32.random(in: Int32.min...Int32.max)
        }
    }

    /// Calls a function in a fresh instance.
    ///
    /// - Throws: `ExecutorError`, `ArgumentFault`, `FunctionMissing`, `LinkError`. What happens in
    ///   the guest is no error: see `CallResult.run`.
    func call(
        _ record: ModuleRecord, _ call: ModuleCall, on loop: EventLoop
    ) async throws -> CallResult {
        let module = try await module(record, on: loop)
        let name = try Self.function(call.function, record, in: module.module)
        let function = Name(name)
        guard let export = module.module.export(function),
            let type = module.module.functionType(of: module.module.type(of: export))
        else { throw FunctionMissing(name: name) }
        guard
            let shape = CallShape(type, parameters: record.parameters, results: record.results)
        else { throw ArgumentFault.signature("\(type)") }
        let arguments = try shape.arguments(call.arguments, wraps: call.wraps)
        var world = WASI(arguments: [name])
        world.standardInput = .null
        world.standardOutput = .null
        let guest = try await guest(
            of: module, for: call.requester.tenant, in: world, on: loop)
        var request = RunRequest(guest, of: module, in: world)
        request.function = function
        let texts = PlacedTexts(shape, arguments)
        if texts.isNeeded {
            request.body = { try await texts.call(function, $0) }
        } else {
            request.arguments = arguments.compactMap(\.number)
        }
        request.caller = call.caller
        request.limits = options.limits
        let result = try await run(&request, for: call.requester, on: loop)
        let results = texts.results ?? result.values.map(NumberReading.document)
        return CallResult(
            function: name, results: results, run: result, note: shape.disagreement)
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
