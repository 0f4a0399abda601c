import WasmText
import WasmdDocuments

/// The words and options of `wasmd othismo`.
struct OthismoOptions {
    enum Verb: String, CaseIterable {
        case importModule = "import-module"
        case removeModule = "remove-module"
        case instantiateInstance = "instantiate-instance"
        case deleteInstance = "delete-instance"
        case sendMessage = "send-message"
        case listObjects = "list-objects"
        case makePath = "make-path"
        case symbolicLink = "sym-link"
        case mount
        case run

        static let words = allCases.map(\.rawValue)

        /// Names of the words that follow, and whether more may.
        var operands: (names: [String], takesMore: Bool) {
            switch self {
            case .importModule: (["FILE"], false)
            case .removeModule: (["MODULE"], false)
            case .instantiateInstance: (["MODULE", "INSTANCE"], false)
            case .deleteInstance: (["INSTANCE"], false)
            case .sendMessage: (["INSTANCE"], true)
            case .listObjects: ([], true)
            case .makePath: (["PATH"], false)
            case .symbolicLink, .mount: (["TARGET", "PATH"], false)
            case .run: ([], false)
            }
        }
    }

    enum Action {
        /// The original says so, and ends with 0.
        case nothing(message: String)
        case newImage(Word)
        case perform(Verb, image: Word, [Word])
    }

    let action: Action
    /// The name that a module is imported under; nil for that of its file.
    let name: Word?
    /// Nanoseconds that `send-message` and `run` wait for messages in flight.
    let timeout: Int64

    private static let newImage = "new-image"
    private static let defaultTimeout: Int64 = 30_000_000_000

    init(_ arguments: ParsedArguments) throws(UsageError) {
        name = arguments.word(of: .objectName)
        timeout =
            try arguments.read(
                .messageTimeout,
                expected: "a time above zero with its unit, for example 500ms or 2s"
            ) { text in Quantity.nanoseconds(text) } ?? Self.defaultTimeout
        var words = arguments.words[...]
        guard let first = words.popFirst() else {
            action = .nothing(message: "No sub command specified")
            return
        }
        if first.text == Self.newImage {
            guard let name = words.popFirst() else { throw .missingOperand("NAME", .othismo) }
            if let extra = words.first { throw .unexpectedOperand(extra.text, .othismo) }
            action = .newImage(name)
            return
        }
        guard let word = words.popFirst() else {
            action = .nothing(message: "No sub command specified")
            return
        }
        if word.text == Self.newImage {
            action = .nothing(message: "Specify the image name _after_ the new-image command")
            return
        }
        guard let verb = Verb(rawValue: word.text) else {
            throw .unknownImageVerb(
                word.text, suggestion: Suggestion.best(for: word.text, in: Verb.words))
        }
        let (names, takesMore) = verb.operands
        if words.count < names.count { throw .missingOperand(names[words.count], .othismo) }
        if !takesMore || (verb == .listObjects && words.count > 1),
            let extra = words.dropFirst(max(names.count, takesMore ? 1 : 0)).first
        {
            throw .unexpectedOperand(extra.text, .othismo)
        }
        action = .perform(verb, image: first, Array(words))
    }
}
