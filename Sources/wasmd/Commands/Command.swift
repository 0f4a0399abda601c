import WasmInterpreter

/// A verb of the command line with its operands, options and help.
///
/// The commands in `CommandTable.swift` are the only list of verbs, options and operands: the
/// parser, the help, the completions and the suggestions use it.
struct Command: Sendable {
    enum Verb: String, CaseIterable, Sendable {
        case run, serve, watm, services, ctl, top, token, data, othismo
        case validate, inspect, explore, wat2wasm, wasm2wat, wast
        case completions
        case version, help
    }

    let verb: Verb
    /// What it does, in one line.
    let summary: String
    let operands: [CommandOperand]
    let options: [Option]
    /// Paragraphs that follow the options in the help.
    var notes: [String] = []
    /// Lines that a reader can type, with what they do.
    var examples: [(line: String, meaning: String)] = []

    var name: String { verb.rawValue }

    /// Whether the last operand takes all that follows it, options included.
    var passesRestToGuest: Bool {
        if case .guest? = operands.last?.arity { true } else { false }
    }

    /// `wasmd run [OPTIONS] FILE [ARGS...]`
    var usage: String {
        var words = ["wasmd", name]
        if options.contains(where: { !$0.isUniversal }) { words.append("[OPTIONS]") }
        words += operands.map(\.usage)
        return words.joined(separator: " ")
    }

    func option(named name: String) -> Option? { options.first { $0.name == name } }
}

/// A word of the command line that is not an option.
struct CommandOperand: Sendable {
    enum Arity: Sendable {
        case one
        case optional
        case oneOrMore
        case any
        /// The rest of the command line: words that belong to the guest.
        case guest
    }

    let name: String
    let arity: Arity
    let completion: Completion

    init(_ name: String, _ arity: Arity = .one, _ completion: Completion = .nothing) {
        self.name = name
        self.arity = arity
        self.completion = completion
    }

    var usage: String {
        switch arity {
        case .one: name
        case .optional: "[\(name)]"
        case .oneOrMore: "\(name)..."
        case .any: "[\(name)...]"
        case .guest: "[\(name)...]"
        }
    }
}

/// `--name`, `--name VALUE`, `-n` or `-n VALUE`.
struct Option: Sendable {
    /// Without the dashes.
    let name: String
    let letter: Character?
    /// The placeholder of the value in the help; nil for an option without a value.
    let value: String?
    let completion: Completion
    /// Whether all values count if it is given several times; otherwise the last one does.
    let repeats: Bool
    /// Whether the option may be given without its value. The value needs `=` then.
    let isValueOptional: Bool
    let help: String

    init(
        _ name: String, letter: Character? = nil, value: String? = nil,
        _ completion: Completion = .nothing, repeats: Bool = false,
        isValueOptional: Bool = false, help: String
    ) {
        self.name = name
        self.letter = letter
        self.value = value
        self.completion = completion
        self.repeats = repeats
        self.isValueOptional = isValueOptional
        self.help = help
    }

    /// `--fuel`, as messages name it.
    var flag: String { "--\(name)" }

    /// Whether the word after the option is its value.
    var takesNextWord: Bool { value != nil && !isValueOptional }

    /// What the help shows: `--fuel N`, `--trace[=FILE]`.
    var synopsis: String {
        guard let value else { return flag }
        return isValueOptional ? "\(flag)[=\(value)]" : "\(flag) \(value)"
    }

    /// Every command has it, so usage lines do not show it.
    var isUniversal: Bool { name == Option.help.name }
}

/// What may be completed in a place, for the completions of shells.
enum Completion: Sendable, Equatable {
    case nothing
    case file
    case folder
    /// Files with one of these endings, and folders on the way to them.
    case files([String])
    case word(WordList)

    static let module = files(["wasm", "wat"])
    static let binary = files(["wasm"])
    static let text = files(["wat"])
    static let script = files(["wast"])

    enum WordList: Sendable, Equatable {
        case verbs, shells, features, unknownImports, sandbox, dataActions, scopes
        case controlVerbs, profileForms, imageVerbs, transportVerbs, serviceVerbs
    }
}

extension Completion.WordList {
    /// The words, in the order in which they are offered.
    var words: [String] {
        switch self {
        case .verbs: Command.all.map(\.name)
        case .shells: Shell.allCases.map(\.rawValue)
        case .features: FeatureList.words
        case .unknownImports: UnknownImports.words
        case .sandbox: Sandbox.words
        case .dataActions: DataCommand.Action.words
        case .controlVerbs: ControlOptions.Verb.words
        case .imageVerbs: OthismoOptions.Verb.words
        case .transportVerbs: TransportSettings.Verb.words
        case .serviceVerbs: ServiceControl.Verb.words
        case .profileForms: ["firefox", "flamegraph"]
        case .scopes: TokenCommand.scopeNames
        }
    }
}
