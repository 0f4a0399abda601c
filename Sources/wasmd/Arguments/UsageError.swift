/// A command line that asks for something wasmd does not understand.
enum UsageError: Error, Equatable {
    case commandMissing
    case unknownCommand(String, suggestion: String?)
    /// There is a file in the place of the command, which was forgotten.
    case fileInsteadOfCommand(String, arguments: [String])
    case unknownOption(String, command: Command.Verb?, suggestion: String?)
    case missingValue(Option, Command.Verb)
    case unexpectedValue(Option, Command.Verb)
    /// Two options that contradict each other.
    case conflict(Option, Option, Command.Verb)
    case missingOperand(String, Command.Verb)
    case unexpectedOperand(String, Command.Verb)
    /// The value of an option, or an operand, that cannot be read.
    case invalidValue(String, of: String, expected: String, Command.Verb)
    case unknownFeature(String, suggestion: String?, Command.Verb)
    case unknownShell(String, suggestion: String?)
    /// The action of `wasmd data`.
    case unknownAction(String, suggestion: String?)
    /// The verb of `wasmd ctl`.
    case unknownVerb(String, suggestion: String?)
    /// The verb of `wasmd othismo IMAGE`.
    case unknownImageVerb(String, suggestion: String?)
    case unknownFunction(String, file: String, suggestion: String?)
    /// `--invoke` names nothing that the module exports.
    case unknownExport(String, file: String, functions: [String], suggestion: String?)
    /// `--invoke` names an export that is not a function.
    case notAFunction(String, file: String, kind: String)
    /// There is nothing to run, and no `--invoke`.
    case noEntryPoint(file: String, functions: [String], arguments: [String])
    /// `_start` or `_initialize` has parameters.
    case entryPointWithParameters(String, type: String)
    case wrongArgumentCount(function: String, type: String, expected: Int, given: Int)
    /// `form` describes how values of the type are written.
    case invalidArgument(
        String, position: Int, function: String, type: String, reason: String, form: String?)
}

extension Option: Equatable {
    static func == (a: Option, b: Option) -> Bool { a.name == b.name }
}

extension UsageError {
    /// What is wrong, in one line.
    var message: String {
        switch self {
        case .commandMissing:
            "a command is missing"
        case .unknownCommand(let word, let suggestion):
            "unknown command '\(word)'.\(didYouMean(suggestion))"
        case .fileInsteadOfCommand(let file, _):
            "unknown command '\(file)'. Did you mean 'run \(file)'?"
        case .unknownOption(let word, _, let suggestion):
            "unknown option '\(word)'.\(didYouMean(suggestion))"
        case .missingValue(let option, _):
            "option '\(option.flag)' needs a value: \(option.flag) \(option.value ?? "")"
        case .unexpectedValue(let option, _):
            "option '\(option.flag)' takes no value"
        case .conflict(let first, let second, _):
            "options '\(first.flag)' and '\(second.flag)' contradict each other"
        case .missingOperand(let name, _):
            "\(name) is missing"
        case .unexpectedOperand(let word, _):
            "unexpected argument '\(word)'"
        case .invalidValue(let text, let what, let expected, _):
            "invalid value '\(text)' for \(what): expected \(expected)"
        case .unknownFeature(let name, let suggestion, _):
            "unknown feature '\(name)'.\(didYouMean(suggestion))"
        case .unknownShell(let name, let suggestion):
            "unknown shell '\(name)'.\(didYouMean(suggestion))"
        case .unknownVerb(let name, let suggestion), .unknownImageVerb(let name, let suggestion):
            "unknown verb '\(printable(name))'.\(didYouMean(suggestion))"
        case .unknownAction(let name, let suggestion):
            "unknown action '\(printable(name))'.\(didYouMean(suggestion))"
        case .unknownFunction(let name, let file, let suggestion):
            "\(file): no function '\(printable(name))'.\(didYouMean(suggestion))"
        case .unknownExport(let name, let file, _, let suggestion):
            "\(file): no export '\(printable(name))'.\(didYouMean(suggestion))"
        case .notAFunction(let name, let file, let kind):
            "\(file): export '\(printable(name))' is a \(kind), not a function"
        case .noEntryPoint(let file, _, _):
            "\(file): no export '_start' to run, no '_initialize' and no start function"
        case .entryPointWithParameters(let name, let type):
            "\(name) has parameters, so that it cannot be run by itself; its type is \(type)"
        case .wrongArgumentCount(let function, let type, let expected, let given):
            "\(printable(function)) takes \(counted(expected, "argument")), "
                + "\(given) given; its type is \(type)"
        case .invalidArgument(let text, let position, let function, let type, let reason, _):
            "argument \(position) of \(printable(function)): '\(printable(text))' is not \(type)"
                + (reason.isEmpty ? "" : ": \(reason)")
        }
    }

    /// The next step; nil if the message contains it.
    var nextStep: String? {
        switch self {
        case .commandMissing: nil
        case .unknownCommand, .unknownOption(_, nil, _):
            "Try 'wasmd help' for the list of commands."
        case .fileInsteadOfCommand(let file, let arguments):
            "Run it with: wasmd run " + ([file] + arguments).map(shellQuoted).joined(separator: " ")
        case .unknownOption(_, let verb?, _), .missingValue(_, let verb),
            .unexpectedValue(_, let verb), .conflict(_, _, let verb),
            .invalidValue(_, _, _, let verb):
            "Try 'wasmd help \(verb.rawValue)' for its options."
        case .missingOperand(_, let verb), .unexpectedOperand(_, let verb):
            "Usage: " + Command.of(verb).usage
        case .unknownFeature:
            (["Features:"]
                + FeatureList.words.joined(separator: ", ").wrapped(to: Help.width - 2)
                .map { "  \($0)" }).joined(separator: "\n")
        case .unknownShell:
            "Shells: " + Shell.allCases.map(\.rawValue).joined(separator: ", ")
        case .unknownVerb:
            "Verbs: " + ControlOptions.Verb.words.joined(separator: ", ")
        case .unknownImageVerb:
            "Verbs: " + OthismoOptions.Verb.words.joined(separator: ", ")
        case .unknownAction:
            "Actions: " + DataCommand.Action.words.joined(separator: ", ")
        case .unknownFunction(_, let file, _):
            "Try 'wasmd inspect \(shellQuoted(file))' for its exports."
        case .noEntryPoint(let file, let functions, let arguments):
            Self.misplacedOption(in: arguments, file) ?? Self.exportList(functions)
        case .unknownExport(_, _, let functions, _):
            Self.exportList(functions)
        case .entryPointWithParameters(let name, _):
            "Give the arguments with --invoke \(shellQuoted(name))."
        case .notAFunction(_, let file, _):
            "Try 'wasmd inspect \(shellQuoted(file))' for its exports."
        case .wrongArgumentCount: nil
        case .invalidArgument(_, _, _, _, _, let form): form
        }
    }

    /// Message and next step as they are printed.
    var text: String {
        if self == .commandMissing { return Help.overview }
        let lines = ["wasmd: \(message)"] + (nextStep.map { [$0] } ?? [])
        return lines.joined(separator: "\n") + "\n"
    }

    /// The hint that an option of wasmd is among the program's arguments: nil if none is.
    ///
    /// - Parameter arguments: what follows FILE.
    static func misplacedOption(in arguments: [String], _ file: String) -> String? {
        let flags: Set = [
            Option.dir.flag, Option.env.flag, Option.invoke.flag, Option.preload.flag,
            Option.fuel.flag, Option.maxMemory.flag, Option.tcplisten.flag, Option.trace.flag,
        ]
        for word in arguments {
            let flag = String(word.prefix { $0 != "=" })
            guard flags.contains(flag) else { continue }
            return "'\(flag)' after \(printable(file)) went to the program; options of wasmd stand "
                + "before it: wasmd run \(flag) ... \(shellQuoted(file))"
        }
        return nil
    }

    private func didYouMean(_ suggestion: String?) -> String {
        suggestion.map { " Did you mean '\(printable($0))'?" } ?? ""
    }

    /// The functions that `--invoke` could name; only the first ones if there are many.
    private static func exportList(_ functions: [String]) -> String {
        guard !functions.isEmpty else { return "The module exports no functions." }
        let limit = 12
        var lines = functions.prefix(limit).map { "  --invoke \(printable($0))" }
        if functions.count > limit { lines.append("  ... and \(functions.count - limit) more") }
        return "Functions it exports:\n" + lines.joined(separator: "\n")
    }
}
