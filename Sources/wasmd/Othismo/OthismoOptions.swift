import WasmText
import WasmWASI
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
        case serve
        case shell

        static let words = allCases.map(\.rawValue)

        /// Whether code of the image runs in this process, unless a server has the image.
        var runsInstances: Bool {
            switch self {
            case .instantiateInstance, .sendMessage, .run, .shell, .serve: true
            default: false
            }
        }

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
            case .run, .serve, .shell: ([], false)
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

    /// How `serve` serves.
    let serving: ImageServingOptions

    private static let newImage = "new-image"
    private static let defaultTimeout: Int64 = 30_000_000_000

    init(_ arguments: ParsedArguments) throws(UsageError) {
        name = arguments.word(of: .objectName)
        serving = try ImageServingOptions(arguments)
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
        if verb != .serve {
            let sandbox = [Option.sandbox.flag, Option.noSandbox.flag]
            for option in ImageServingOptions.options where arguments.has(option) {
                if verb.runsInstances, sandbox.contains(option.flag) { continue }
                throw .unexpectedOperand(option.flag, .othismo)
            }
        }
        action = .perform(verb, image: first, Array(words))
    }
}

/// The options of `wasmd othismo IMAGE serve`.
struct ImageServingOptions {
    let addresses: [SocketAddress]
    let bodyLimit: Int?
    /// How long a handler has; nil for the default.
    let answerTime: Duration?
    let loopCount: Int?
    /// Nil for `--no-sandbox`.
    let sandbox: Sandbox?
    /// Whether `--sandbox` was given.
    let asksForSandbox: Bool

    /// Options that only `serve` has.
    static let options: [Option] = [
        .listen, .maxBody, .answerTime, .loops, .sandbox, .noSandbox,
    ]

    init(_ arguments: ParsedArguments) throws(UsageError) {
        let listeners = try arguments.readAll(
            .listen, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH"
        ) { (word: Word) in SocketAddress(word.bytes) }
        addresses = listeners.isEmpty ? [.ipv4([127, 0, 0, 1], port: 8080)] : listeners
        bodyLimit = try arguments.read(.maxBody, expected: "a size, for example 8MiB") { text in
            Quantity.bytes(text).map { Int(clamping: $0) }
        }
        answerTime = try arguments.read(
            .answerTime, expected: "a time above zero with its unit, for example 500ms or 2s"
        ) { text in
            Quantity.nanoseconds(text).flatMap { $0 > 0 ? Duration.nanoseconds($0) : nil }
        }
        loopCount = try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
            Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
        }
        sandbox = try arguments.servingSandbox(.othismo)
        asksForSandbox = arguments.has(.sandbox)
    }
}
