import WasmInterpreter
import WasmdDocuments
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

extension WessSurface {
    /// Bytes of a body with arguments.
    private static let argumentLimit = 1 << 20

    func run(
        _ request: ServerRequest, _ text: [UInt8], _ requester: Requester
    ) async throws -> Answer {
        guard let id = try? ModuleID(text) else { return Self.unknown }
        let stored = try await executor.entry(id, for: requester.tenant, on: request.loop)
        let arguments: [Document]
        do {
            let read = try await JSONBody.read(
                request, limit: Self.argumentLimit, packsBytes: false
            ) { document in document.arrayValue?.filter { $0 != .null } }
            guard let read else {
                return Answer(.badRequest, "Invalid Json: invalid type: expected a sequence")
            }
            arguments = read
        } catch let error as JSONError {
            return Answer(.badRequest, .string("Invalid Json: \(error)"))
        }
        return try await run(stored, arguments, request, requester)
    }

    private func run(
        _ stored: StoredModule, _ arguments: [Document], _ request: ServerRequest,
        _ requester: Requester
    ) async throws -> Answer {
        let record = stored.record
        do {
            try WessDraft.check(arguments, record)
        } catch {
            return Self.answer(error)
        }
        do {
            let result = try await executor.call(
                stored,
                ModuleCall(
                    arguments: .list(arguments), isWess: true, caller: "wess",
                    requester: requester),
                on: request.loop)
            request.mark(result.run.record?.id.words ?? (0, 0))
            if let refusal = result.run.refusal { throw ExecutorError.busy("\(refusal)") }
            guard result.run.outcome.kind == .succeeded else {
                return Self.failed(Self.text(result))
            }
            return Answer(.ok, .array(Self.pair(result.results, record.results)))
        } catch ArgumentFault.count(let expected, let found) {
            // The declared types are as many as the arguments, and the real ones are not.
            return Self.failed(
                "Function Execution Error: \(found) parameters did not match the signature, which "
                    + "has \(expected)")
        } catch let fault as ArgumentFault {
            return Self.answer(fault)
        } catch let missing as FunctionMissing {
            return Self.failed(
                "Instantiate Function Error `\(missing.name)`: Missing export \(missing.name)")
        } catch let error as LinkError {
            return Self.failed("InitializingError: \(error)")
        } catch ExecutorError.importMissing(let text) {
            return Self.failed("InitializingError: \(text)")
        } catch ExecutorError.invalid(let text) {
            let name = record.function ?? ""
            return Self.failed("Instantiate Function Error `\(name)`: \(text)")
        } catch ExecutorError.damaged(let text) {
            return Self.failed("Compiling Error: \(text)")
        }
    }

    /// Results are paired with the declared types: fewer declared ones cut the rest off, and what is
    /// declared as null, or as a type that JSON cannot say, is null. Without a declaration, which
    /// only modules of other surfaces can lack, all are there.
    private static func pair(_ results: [Document], _ declared: [ParameterType?]?) -> [Document] {
        guard let declared else { return results }
        return zip(results, declared).map { value, type in
            switch type {
            case .v128, .externref, .funcref, nil: .null
            default: value
            }
        }
    }

    private static func answer(_ fault: ArgumentFault) -> Answer {
        switch fault {
        case .count(let expected, let found):
            Answer(
                .badRequest, .string("Length Args Error: expect: \(expected), found: \(found)"))
        case .type(let type, _):
            Answer(.badRequest, .string("Invalid Type: \(WessDraft.name(type))"))
        default: failed("Function Execution Error: \(fault)")
        }
    }

    private static func failed(_ text: String) -> Answer {
        Answer(.internalServerError, .string("Error: \(text)"))
    }

    private static func text(_ result: CallResult) -> String {
        switch result.run.outcome {
        // A limit is named alike wherever it is reached.
        case .limit(let limit, _): "Function Execution Error: \(limit.name) reached"
        case let outcome where result.hasStarted: "Function Execution Error: \(outcome)"
        case let outcome: "InitializingError: \(outcome)"
        }
    }
}
