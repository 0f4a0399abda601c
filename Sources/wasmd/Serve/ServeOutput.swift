import WasmSystem
import WasmdDocuments
import WasmdGuests
import WasmdOperation

extension ServeMessages {
    /// Standard error, which holds no loop up.
    static let output = LogOutput(Kernel.standardError)

    /// Writes messages as JSON. All of them: `log.level` is that of requests.
    private static let log = Log(output, level: .debug)

    /// Text for people, unless the configuration asks for JSON; a reload may change it.
    static var form: Log.Form {
        get { log.form }
        set { log.form = newValue }
    }

    /// What a message is about: a prefix of the text, or a field of its own in JSON.
    enum Subject {
        /// A line that a run wrote.
        case run(RunID)
        /// A line that a service wrote.
        case output(service: String)
        case service(String)
        case transport(String)

        fileprivate var prefix: String {
            switch self {
            case .run(let id): "[\(id)] "
            case .output(let name): "[\(name)] "
            case .service(let name): "\(name): "
            case .transport(let name): "transport \(name): "
            }
        }

        fileprivate var fields: KeyValuePairs<String, Document> {
            switch self {
            case .run(let id): ["run": .string(id.description)]
            case .output(let name), .service(let name): ["service": .string(name)]
            case .transport(let name): ["transport": .string(name)]
            }
        }
    }

    /// Writes a message to standard error: several threads may do so.
    @Sendable
    static func write(
        _ message: String, _ level: Log.Level = .information, about subject: Subject? = nil
    ) {
        if form == .json { return log.write(level, message, subject?.fields ?? [:]) }
        let warning = level == .warning ? "warning: " : ""
        output.write(Array("wasmd: \(warning)\(subject?.prefix ?? "")\(message)\n".utf8))
    }
}
