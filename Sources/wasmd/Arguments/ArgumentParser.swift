import WasmText

/// Matches the words of a command line with the table of commands.
///
/// Options are `--name`, `--name VALUE`, `--name=VALUE`, `-n`, `-n VALUE` and `-nVALUE`; where the
/// value is optional, only `--name` and `--name=VALUE`. `--` ends them. They may stand before and after operands, except where the operands belong to the guest.
struct ArgumentParser {
    private var words: ArraySlice<String>
    private let command: Command
    private var parsed: ParsedArguments

    /// - Parameter arguments: the words behind the name of the program.
    static func parse(_ arguments: [String]) throws(UsageError) -> ParsedArguments {
        guard let first = arguments.first else { throw .commandMissing }
        let command = try command(first, followedBy: arguments.dropFirst())
        var parser = ArgumentParser(command, arguments.dropFirst())
        return try parser.parse()
    }

    private init(_ command: Command, _ words: ArraySlice<String>) {
        self.words = words
        self.command = command
        parsed = ParsedArguments(verb: command.verb)
    }

    /// The command that the first word names, directly or as the flags `--help` and `--version`.
    private static func command(
        _ word: String, followedBy rest: ArraySlice<String>
    ) throws(UsageError) -> Command {
        switch word {
        case "--help", "-h": return .help
        case "--version", "-V": return .version
        default: break
        }
        if let command = Command.named(word) { return command }
        if word.hasPrefix("-") {
            let suggestion = Suggestion.best(for: word, in: ["--help", "--version"])
            throw .unknownOption(word, command: nil, suggestion: suggestion)
        }
        if word.hasSuffix(".wasm") || word.hasSuffix(".wat") {
            throw .fileInsteadOfCommand(word, arguments: Array(rest))
        }
        let names = Command.all.map(\.name)
        throw .unknownCommand(word, suggestion: Suggestion.best(for: word, in: names))
    }

    private mutating func parse() throws(UsageError) -> ParsedArguments {
        var optionsAreOver = false
        while let word = words.popFirst() {
            if !optionsAreOver, word == "--" {
                optionsAreOver = true
            } else if !optionsAreOver, word.hasPrefix("--") {
                try takeOption(word)
            } else if !optionsAreOver, word.hasPrefix("-"), word != "-" {
                try takeLetters(word)
            } else {
                parsed.operands.append(word)
                if command.passesRestToGuest {
                    parsed.operands += words
                    words = []
                }
            }
        }
        // Somebody who asks for help need not have the rest right.
        if parsed.has(.help) { return parsed }
        try checkOperands()
        return parsed
    }

    private mutating func takeOption(_ word: String) throws(UsageError) {
        let parts = word.dropFirst(2).split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = command.option(named: name) else { throw unknown("--\(name)") }
        if option.value == nil {
            guard parts.count == 1 else { throw .unexpectedValue(option, command.verb) }
            parsed.options.append((name, ""))
        } else if parts.count == 2 {
            parsed.options.append((name, String(parts[1])))
        } else if option.isValueOptional {
            parsed.options.append((name, ""))
        } else {
            parsed.options.append((name, try takeValue(of: option)))
        }
    }

    /// The next word, unless it is clearly an option and so the value was forgotten.
    private mutating func takeValue(of option: Option) throws(UsageError) -> String {
        guard let word = words.first else { throw .missingValue(option, command.verb) }
        if word.hasPrefix("--"), command.option(named: String(word.dropFirst(2))) != nil {
            throw .missingValue(option, command.verb)
        }
        words.removeFirst()
        return word
    }

    /// Options of one letter, several in one word; what follows one with a value is the value.
    private mutating func takeLetters(_ word: String) throws(UsageError) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = command.options.first(where: { $0.letter == letter }) else {
                throw unknown(word)
            }
            if option.value == nil || (option.isValueOptional && letters.isEmpty) {
                parsed.options.append((option.name, ""))
            } else if letters.isEmpty {
                parsed.options.append((option.name, try takeValue(of: option)))
            } else {
                parsed.options.append((option.name, String(letters)))
                return
            }
        }
    }

    private func unknown(_ word: String) -> UsageError {
        let flags = command.options.map(\.flag)
        return .unknownOption(
            word, command: command.verb, suggestion: Suggestion.best(for: word, in: flags))
    }

    private func checkOperands() throws(UsageError) {
        var count = parsed.operands.count
        for operand in command.operands {
            switch operand.arity {
            case .one, .oneOrMore:
                guard count > 0 else { throw .missingOperand(operand.name, command.verb) }
            case .optional, .guest: break
            }
            switch operand.arity {
            case .one, .optional: count = max(0, count - 1)
            case .oneOrMore, .guest: count = 0
            }
        }
        guard count == 0 else {
            let extra = parsed.operands[parsed.operands.count - count]
            throw .unexpectedOperand(extra, command.verb)
        }
    }
}
