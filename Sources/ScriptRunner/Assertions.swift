import WasmInterpreter
import WasmText

/// The result of an action that did not throw.
enum Outcome {
    case returned([Value])
    case instantiated
}

extension ScriptSession {
    func assertReturn(_ action: ScriptAction, _ patterns: [ResultPattern]) throws {
        let results: [Value]
        do {
            results = try perform(action)
        } catch {
            throw CommandFailure(
                "\(action): expected \(list(patterns)), got \(reason(for: error))")
        }
        guard results.count == patterns.count, zip(patterns, results).allSatisfy({ $0.matches($1) })
        else {
            throw CommandFailure(
                "\(action): expected \(list(patterns)), got \(list(results))")
        }
    }

    /// `body` must trap, for the script's reason.
    func assertTrap(_ message: Name, _ body: () throws -> Outcome) throws {
        try assertFailure("trap \"\(message)\"", body) { error in
            guard let trap = error as? Trap else { return false }
            return trap.code.message(begins: message)
        }
    }

    func assertExhaustion(_ action: ScriptAction, _ message: Name) throws {
        try assertFailure("trap \"\(message)\"") {
            .returned(try perform(action))
        } accepts: { error in
            guard let trap = error as? Trap, trap.code == .stackExhausted else { return false }
            return trap.code.message(begins: message)
        }
    }

    func assertException(_ action: ScriptAction) throws {
        try assertFailure("an exception") {
            .returned(try perform(action))
        } accepts: {
            $0 is Exception
        }
    }

    func assertUnlinkable(_ instantiation: ScriptInstantiation, _ message: Name) throws {
        try assertFailure("link error \"\(message)\"") {
            _ = try instantiate(instantiation)
            return .instantiated
        } accepts: { error in
            guard let first = (error as? LinkError)?.failures.first else { return false }
            return first.message.utf8.starts(with: message.utf8)
        }
    }

    /// Decoding must accept the module and validation refuse it.
    func assertInvalid(_ module: ScriptModule, _ message: Name) throws {
        try assertFailure("invalid module: \"\(message)\"") {
            _ = try load(module)
            return .instantiated
        } accepts: { error in
            guard case .invalid(let error)? = error as? ModuleError else { return false }
            if case .limitExceeded = error.reason { return false }
            return !error.isMalformed
        }
    }

    /// The text must not parse or the bytes must not decode.
    func assertMalformed(_ module: ScriptModule, _ message: Name) throws {
        try assertFailure("malformed module: \"\(message)\"") {
            _ = try load(module)
            return .instantiated
        } accepts: { error in
            switch error {
            case let error as TextError: error.isMalformedText
            case ModuleError.malformed(let error): error.reason != .limitExceeded
            case ModuleError.invalid(let error): error.isMalformed
            default: false
            }
        }
    }

    /// Annotations for custom sections in the module must be wrong.
    func assertCustom(_ module: ScriptModule, _ message: Name, malformed: Bool) throws {
        try assertFailure("\(malformed ? "malformed" : "invalid") custom section: \"\(message)\"") {
            _ = try load(module)
            return .instantiated
        } accepts: { error in
            guard let error = error as? TextError, error.isAboutAnnotation else { return false }
            // The only error of well-formed annotations.
            return malformed != (error.reason == .malformedAnnotation(.invalidTarget))
        }
    }

    private func assertFailure(
        _ expected: String, _ body: () throws -> Outcome, accepts: (any Error) -> Bool
    ) throws {
        let outcome: Outcome
        do {
            outcome = try body()
        } catch  where accepts(error) {
            return
        } catch {
            throw CommandFailure("expected \(expected), got \(reason(for: error))")
        }
        switch outcome {
        case .returned(let values):
            throw CommandFailure("expected \(expected), got \(list(values))")
        case .instantiated: throw CommandFailure("expected \(expected), the module was accepted")
        }
    }
}

extension TrapCode {
    /// Whether the script expects this trap. Scripts have the beginning of a message; only one
    /// message continues with a number: `uninitialized element 2`.
    fileprivate func message(begins expected: Name) -> Bool {
        message.utf8.starts(with: expected.utf8)
            || self == .uninitializedElement
                && expected.utf8.starts(with: (message + " ").utf8)
    }
}

extension TextError {
    /// Whether the text is malformed, apart from annotations and limits of size.
    fileprivate var isMalformedText: Bool {
        switch reason {
        case .nestingTooDeep, .textTooLarge, .unsupportedProposal: false
        default: !isAboutAnnotation
        }
    }
}
