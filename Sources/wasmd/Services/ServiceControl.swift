import WasmSystem
import WasmdDocuments
import WasmdGuests
import WasmdHTTP

/// `wasmd services list|logs|restart`: the services of a server that runs.
struct ServiceControl {
    enum Verb: String, CaseIterable {
        case list, logs, restart

        static let words = allCases.map(\.rawValue)
    }

    private let verb: Verb
    private let name: Word?
    private let server: ControlServer
    private let tokenFile: Word?
    private let printsJSON: Bool
    /// Whether `logs` goes on with each new line.
    private let follows: Bool

    /// Nil without a verb.
    init?(_ arguments: ParsedArguments) throws(UsageError) {
        guard let first = arguments.words.first else { return nil }
        guard let verb = Verb(rawValue: first.text) else {
            throw .invalidValue(
                first.text, of: "VERB", expected: Verb.words.joined(separator: ", "), .services)
        }
        self.verb = verb
        name = arguments.words.dropFirst().first
        if verb != .list, name == nil { throw .missingOperand("NAME", .services) }
        if verb == .list, let name { throw .unexpectedOperand(name.text, .services) }
        if let word = arguments.word(of: .server) {
            guard let server = ControlServer(word) else {
                throw .invalidValue(
                    word.text, of: Option.server.flag, expected: ControlServer.expected, .services)
            }
            self.server = server
        } else {
            server = .default
        }
        tokenFile = arguments.word(of: .tokenFile)
        printsJSON = arguments.has(.json)
        follows = arguments.has(.follow)
        if follows, verb != .logs { throw .unexpectedOperand(Option.follow.flag, .services) }
    }

    /// Does it, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        do throws(Refusal) {
            let client = try ControlClient(server, tokenFile: tokenFile)
            let segment = String(decoding: PercentCoding.encode(name?.bytes ?? []), as: UTF8.self)
            switch verb {
            case .list: print(try client.json(.get, "/admin/services"), console, Self.list)
            case .logs:
                var last: Int64 = 0
                repeat {
                    let path = "/admin/services/\(segment)/log?after=\(last)"
                    let answer = try client.json(.get, path)
                    let end = answer["last"]?.integerValue ?? 0
                    // The numbers begin anew with the server.
                    if end < last {
                        last = 0
                        continue
                    }
                    // A following reader gets a document only if it has lines.
                    if !follows || last == 0 || end > last { print(answer, console, Self.lines) }
                    last = end
                    guard follows else { break }
                    console.output.flush()
                    if let failure = console.output.failure {
                        throw Refusal(file: "standard output", reason: failure.description)
                    }
                    SystemClock.sleep(until: SystemClock.monotonic.now + Self.pause)
                } while true
            case .restart:
                let answer = try client.json(.post, "/admin/services/\(segment)/restart")
                print(answer, console) { ["restarting \(Self.text($0, "name"))"] }
            }
            return ExitCode.success
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
    }

    /// Nanoseconds between two questions of a following reader.
    private static let pause: UInt64 = 300_000_000

    private static func lines(_ answer: Document) -> [String] {
        (answer["lines"]?.arrayValue ?? []).map { line in
            "\(text(line, "time")) \(text(line, "text"))"
        }
    }

    private func print(
        _ document: Document, _ console: Console, _ report: (Document) -> [String]
    ) {
        if printsJSON {
            console.output.writeLine(document.text)
        } else {
            for line in report(document) { console.output.writeLine(line) }
        }
    }

    private static func text(_ document: Document, _ key: String) -> String {
        HarmlessText.text((document[key]?.stringValue ?? "").utf8)
    }

    /// A line for each: name, state, starts and failures, and how it ended last.
    private static func list(_ document: Document) -> [String] {
        (document["services"]?.arrayValue ?? []).map { service in
            let numbers = ["starts", "failures"].map { key in
                "\(service[key]?.integerValue ?? 0) \(key)"
            }
            // A trap has a line for each function that was running.
            let outcome = service["outcome"]?.stringValue ?? ""
            let first = HarmlessText.text(outcome.utf8.prefix { $0 != 0x0a })
            return ([text(service, "name"), text(service, "state")] + numbers + [first])
                .filter { !$0.isEmpty }.joined(separator: "  ")
        }
    }
}
