import WasmSystem
import WasmText
import WasmdDocuments

/// What `wasmd ctl` is asked for.
struct ControlOptions {
    enum Verb: String, CaseIterable {
        case status, list, put, show, get, delete, run, runs, logs, stop, profile, reload, drain
        case shutdown, backup, compact, verify

        static let words = allCases.map(\.rawValue)

        /// The operands: names, and whether each must be there.
        var operands: [(name: String, isRequired: Bool)] {
            switch self {
            case .status, .list, .logs, .reload, .drain, .shutdown, .compact, .verify: []
            case .put: [("FILE", true), ("ID", false)]
            case .show, .get, .delete: [("ID", true)]
            case .run: [("ID", true)]
            case .runs: [("RUN", false)]
            case .stop: [("RUN", true)]
            case .profile: [("NAME", false)]
            case .backup: [("FOLDER", true)]
            }
        }
    }

    let verb: Verb
    let words: [Word]
    let server: ControlServer
    let tokenFile: Word?
    let printsJSON: Bool
    let follows: Bool
    let undoes: Bool
    let isOnServer: Bool
    let seconds: Int
    let recent: Int?
    let output: Word?
    let function: String?
    let run: String?
    let module: String?
    let form: String?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        guard let first = arguments.words.first else { throw .missingOperand("VERB", .ctl) }
        guard let verb = Verb(rawValue: first.text) else {
            throw .unknownVerb(
                first.text, suggestion: Suggestion.best(for: first.text, in: Verb.words))
        }
        self.verb = verb
        words = Array(arguments.words.dropFirst())
        for (index, operand) in verb.operands.enumerated()
        where operand.isRequired && words.count <= index {
            throw .missingOperand(operand.name, .ctl)
        }
        if verb != .run, words.count > verb.operands.count {
            throw .unexpectedOperand(words[verb.operands.count].text, .ctl)
        }
        server = try ControlServer(arguments)
        tokenFile = arguments.word(of: .tokenFile)
        printsJSON = arguments.has(.json)
        follows = arguments.has(.follow)
        undoes = arguments.has(.undo)
        isOnServer = arguments.has(.onServer)
        func number(_ option: Option, _ range: ClosedRange<Int>) throws(UsageError) -> Int? {
            try arguments.read(
                option, expected: "a number from \(range.lowerBound) to \(range.upperBound)"
            ) { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
        }
        seconds = try number(.seconds, 1...300) ?? 5
        recent = try number(.recent, 0...10_000)
        output = arguments.word(of: .output)
        function = arguments.value(of: .callFunction)
        run = arguments.value(of: .runID)
        module = arguments.value(of: .ofModule)
        form = try arguments.read(.profileForm, expected: "firefox or flamegraph") { text in
            switch text {
            case "firefox": "profile.json"
            case "flamegraph": "flamegraph.svg"
            default: nil
            }
        }
    }
}

/// Where the server is.
enum ControlServer: Equatable {
    case socket([UInt8])
    /// Scheme, host and port, without a path.
    case url(String)

    static let expected = "http://HOST:PORT, unix:PATH, or a data folder"
    static let `default` = ControlServer.socket(Array("wasmd-data/wasmd.sock".utf8))

    /// What `--server` names.
    init(_ arguments: ParsedArguments) throws(UsageError) {
        guard let word = arguments.word(of: .server) else {
            self = .default
            return
        }
        guard let server = ControlServer(word) else {
            throw .invalidValue(
                word.text, of: Option.server.flag, expected: Self.expected, arguments.verb)
        }
        self = server
    }

    init?(_ word: Word) {
        let text = word.text
        if word.hasPrefix("http://") {
            guard !text.dropFirst(7).isEmpty else { return nil }
            self = .url(text.hasSuffix("/") ? String(text.dropLast()) : text)
        } else if word.hasPrefix("unix:") {
            guard word.bytes.count > 5 else { return nil }
            self = .socket(Array(word.bytes.dropFirst(5)))
        } else if text.contains("://") || word.isEmpty {
            return nil
        } else {
            // A folder of data, or the socket itself.
            let kind = try? Kernel.status(word.cString, followsLink: true).kind
            self = .socket(
                kind == .directory ? DaemonOperations.socketPath(in: word.bytes) : word.bytes)
        }
    }

    /// As people read it.
    var text: String {
        switch self {
        case .socket(let path): printable(Word(bytes: path).text)
        case .url(let url): printable(url)
        }
    }
}
