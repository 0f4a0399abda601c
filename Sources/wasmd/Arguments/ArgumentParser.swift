import WasmText

/// Matches the words of a command line with the table of commands.
///
/// Options are `--name`, `--name VALUE`, `--name=VALUE`, `-n`, `-n VALUE` and `-nVALUE`; where the
/// value is optional, only `--name` and `--name=VALUE`. `--` ends them. They may be before and
/// after operands, except where the operands belong to the guest.
struct ArgumentParser {
    private var words: ArraySlice<Word>
    private let command: Command
    private var parsed: ParsedArguments

    /// - Parameter arguments: the words after the name of the program.
    static func parse(_ arguments: [String]) throws(UsageError) -> ParsedArguments {
        try parse(arguments.map { Word($0) })
    }

    static func parse(_ arguments: [Word]) throws(UsageError) -> ParsedArguments {
        guard let first = arguments.first else { throw .commandMissing }
        let command = try command(first, followedBy: arguments.dropFirst())
        var parser = ArgumentParser(command, arguments.dropFirst())
        return try parser.parse()
    }

    private init(_ command: Command, _ words: ArraySlice<Word>) {
        self.words = words
        self.command = command
        parsed = ParsedArguments(verb: command.verb)
    }

    /// The command that the first word names, directly or as the flags `--help` and `--version`.
    private static func command(
        _ first: Word, followedBy rest: ArraySlice<Word>
    ) throws(UsageError) -> Command {
        let word = first.text
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
            throw .fileInsteadOfCommand(word, arguments: rest.map(\.text))
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
                parsed.words.append(word)
                if command.passesRestToGuest {
                    parsed.words += words
                    words = []
                }
            }
        }
        // With `--help` the rest of the command line is not checked.
        if parsed.has(.help) { return parsed }
        try checkOperands()
        return parsed
    }

    private mutating func takeOption(_ word: Word) throws(UsageError) {
        let word = Word(bytes: word.bytes.dropFirst(2))
        let parts = word.split(at: "=")
        let name = (parts?.before ?? word).text
        guard let option = command.option(named: name) else { throw unknown("--\(name)") }
        if option.value == nil {
            guard parts == nil else { throw .unexpectedValue(option, command.verb) }
            parsed.options.append((name, ""))
        } else if let value = parts?.after {
            parsed.options.append((name, value))
        } else if option.isValueOptional {
            parsed.options.append((name, ""))
        } else {
            parsed.options.append((name, try takeValue(of: option)))
        }
    }

    /// The next word, unless it is clearly an option and so the value was forgotten.
    private mutating func takeValue(of option: Option) throws(UsageError) -> Word {
        guard let word = words.first else { throw .missingValue(option, command.verb) }
        if word.hasPrefix("--"), command.option(named: String(word.text.dropFirst(2))) != nil {
            throw .missingValue(option, command.verb)
        }
        words.removeFirst()
        return word
    }

    /// Options of one letter, several in one word; what follows one with a value is the value.
    private mutating func takeLetters(_ word: Word) throws(UsageError) {
        var letters = word.bytes.dropFirst()
        while let byte = letters.popFirst() {
            let letter = Character(Unicode.Scalar(byte))
            guard let option = command.options.first(where: { $0.letter == letter }) else {
                throw unknown(word.text)
            }
            if option.value == nil || (option.isValueOptional && letters.isEmpty) {
                parsed.options.append((option.name, ""))
            } else if letters.isEmpty {
                parsed.options.append((option.name, try takeValue(of: option)))
            } else {
                parsed.options.append((option.name, Word(bytes: letters)))
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
        var count = parsed.words.count
        for operand in command.operands {
            switch operand.arity {
            case .one, .oneOrMore:
                guard count > 0 else { throw .missingOperand(operand.name, command.verb) }
            case .optional, .any, .guest: break
            }
            switch operand.arity {
            case .one, .optional: count = max(0, count - 1)
            case .oneOrMore, .any, .guest: count = 0
            }
        }
        guard count == 0 else {
            let extra = parsed.words[parsed.words.count - count]
            throw .unexpectedOperand(extra.text, command.verb)
        }
    }
}
