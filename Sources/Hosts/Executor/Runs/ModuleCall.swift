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
        _ stored: StoredModule, _ call: ModuleCall, on loop: EventLoop
    ) async throws -> CallResult {
        let (stored, kept, module) = try await loaded(stored, on: loop)
        let plan = try await plan(
            of: stored, call.function, in: module, for: call.requester.tenant, on: loop)
        return try await self.call(module, plan, kept, call, on: loop)
    }

    /// The state between calls; nil if each gets a fresh instance.
    func keptState(of record: ModuleRecord) -> KeptState? {
        record.keeps ? kept.state(of: record.id) : nil
    }

    /// How a function of a module is called.
    ///
    /// - Parameter function: nil for that of the record.
    /// - Throws: as `CallPlan.init`; before `FunctionMissing` what `guest` throws: an import that is
    ///   missing is the first reason.
    func plan(
        of stored: StoredModule, _ function: String?, in module: CachedModule,
        for tenant: Tenant?, on loop: EventLoop
    ) async throws -> CallPlan {
        do {
            return try stored.plan(function, in: module.module)
        } catch let missing as FunctionMissing {
            _ = try await guest(of: module, for: tenant, in: WASI(), on: loop)
            throw missing
        }
    }

    /// The same with all that was looked up; the name in `call` does not count.
    func call(
        _ module: CachedModule, _ plan: CallPlan, _ kept: KeptState?, _ call: ModuleCall,
        on loop: EventLoop
    ) async throws -> CallResult {
        var progress: CallProgress?
        var numbers: [Value] = []
        var texts: PlacedTexts?
        if plan.shape.isInMemory {
            texts = PlacedTexts(
                plan.shape, try plan.shape.arguments(call.arguments, wraps: call.isWess))
        } else {
            numbers = try plan.shape.numbers(call.arguments, wraps: call.isWess)
        }
        if kept != nil, plan.isLinked {
            throw ExecutorError.invalid(
                "a module that imports stored modules cannot be kept: set 'keep' to false")
        }
        let guest =
            plan.isLinked
            ? try await linkedGuest(of: module, for: call.requester.tenant, on: loop)
            : try await prepared(module, plan, on: loop)
        var request = RunRequest(guest, of: module, in: plan.world)
        request.function = plan.function
        if texts != nil || call.isWess || kept != nil {
            let (texts, numbers, own) = (texts, numbers, CallProgress())
            progress = own
            request.body = { calls in
                try await own.measure {
                    try kept?.restore(calls.instance)
                    let values =
                        if let texts {
                            try await texts.call(plan.function, calls)
                        } else {
                            try await calls.call(plan.function, numbers)
                        }
                    try kept?.save(calls.instance)
                    return values
                }
            }
        } else {
            request.arguments = numbers
        }
        // Its places: one call after the other.
        if let kept { request.module = kept.scope }
        request.caller = call.caller
        request.observation = call.observation
        request.limits = options.limits
        let result = try await run(request, for: call.requester, on: loop)
        if call.isWess, let progress {
            wessMetrics?.ran(plan.name, nanoseconds: progress.nanoseconds)
        }
        return CallResult(
            function: plan.name,
            results: texts?.results ?? result.values.map(NumberReading.document), run: result,
            note: plan.shape.disagreement, hasStarted: progress?.hasBegun ?? true || !call.isWess)
    }
}

extension Executor {
    /// The guest of a module that imports no stored ones.
    private func prepared(
        _ module: CachedModule, _ plan: CallPlan, on loop: EventLoop
    ) async throws -> PreparedGuest {
        if let known = module.known(imports: Self.imports, in: plan.world) { return known }
        return try await module.prepared(
            imports: Self.imports, in: plan.world.world, on: loop)
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
        _ request: consuming RunRequest, for requester: Requester, on loop: EventLoop
    ) async throws -> RunResult {
        request.account = requester.account.runs
        request.trace = requester.runTrace
        guard let tenant = requester.tenant else {
            return await runs.run(consume request, on: try guestLoop(loop))
        }
        let quota = try tenant.admitRun()
        let isQuota = quota.map { $0 < request.limits.fuel ?? .max } ?? false
        if let quota, isQuota { request.limits.fuel = quota }
        let result = await runs.run(consume request, on: try guestLoop(loop))
        if let record = result.record { tenant.charge(fuel: record.fuel) }
        // The limit that ended the run was the quota, which may have grown a little since.
        if isQuota, case .limit(.fuel, _) = result.outcome { throw tenant.fuelIsUsedUp }
        return result
    }
}

extension CallShape {
    /// An argument: a number, or bytes that are placed in the guest's memory.
    enum Argument {
        case number(Value)
        case bytes([UInt8])
    }

    /// The arguments of a function that takes numbers only, in the order of the inputs.
    func numbers(_ given: CallArguments, wraps: Bool) throws(ArgumentFault) -> [Value] {
        let documents = try documents(given)
        var numbers: [Value] = []
        numbers.reserveCapacity(documents.count)
        for index in inputTypes.indices {
            let type = inputTypes[index]
            guard let number = NumberReading.value(documents[index], type, wraps: wraps)
            else { throw .type(type, name: inputs[index].name) }
            numbers.append(number)
        }
        return numbers
    }

    /// As many as there are inputs, in their order.
    private func documents(_ given: CallArguments) throws(ArgumentFault) -> [Document] {
        let documents: [Document]
        switch given {
        case .list(let list): documents = list
        case .named(let members): documents = try ordered(members)
        }
        guard documents.count == inputs.count else {
            throw .count(expected: inputs.count, found: documents.count)
        }
        return documents
    }

    /// The arguments, in the order of the inputs.
    func arguments(_ given: CallArguments, wraps: Bool) throws(ArgumentFault) -> [Argument] {
        let documents = try documents(given)
        var arguments: [Argument] = []
        for (document, input) in zip(documents, inputs) {
            guard let argument = Self.argument(document, input.type, wraps: wraps) else {
                throw .type(input.type, name: input.name)
            }
            arguments.append(argument)
        }
        return arguments
    }

    /// The arguments as short documents that are not checked again at length: all are as the
    /// function takes them, bytes are bytes, and nothing else is in them.
    func checked(_ given: CallArguments) throws(ArgumentFault) -> CallArguments {
        let documents = try documents(given)
        var checked: [Document] = []
        for (document, input) in zip(documents, inputs) {
            switch Self.argument(document, input.type, wraps: false) {
            case nil: throw .type(input.type, name: input.name)
            case .bytes(let bytes)? where input.type == .bytes: checked.append(.bytes(bytes))
            default: checked.append(document)
            }
        }
        return .list(checked)
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
