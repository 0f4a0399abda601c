import WasmSystem
import WasmdDocuments
import WasmdOthismo

/// `wasmd othismo IMAGE shell`: reads lines, sends the messages that they say, and prints answers.
///
///     /c counter.add.by=2        a message, as `send-message` takes it
///     list-objects /c            a verb with its operands
///     help, exit
struct ImageShell {
    private let session: any ImageSession
    private let timeout: Int64
    private let console: Console

    init(_ session: any ImageSession, _ timeout: Int64, _ console: Console) {
        self.session = session
        self.timeout = timeout
        self.console = console
    }

    static let ownWords = ["exit", "help"]
    /// Verbs of the command line that make no sense here.
    private static let others: Set<OthismoOptions.Verb> = [.serve, .shell]

    /// Reads until the end of the input or `exit`. Returns the exit code: 1 if a line failed that
    /// did not come from a terminal.
    func run() throws(OthismoFailure) -> Int32 {
        let isTerminal =
            Kernel.isTerminal(Kernel.standardInput) && Kernel.isTerminal(Kernel.standardOutput)
        var status = ExitCode.success
        var lines = LineInput(isTerminal: isTerminal) { words, start in
            completions(words, start)
        }
        if isTerminal {
            console.output.writeLine("Type help for help; Tab completes, Ctrl-D ends.")
            console.output.flush()
        }
        while let line = lines.next(prompt: "> ") {
            do throws(OthismoFailure) {
                let words = try ShellWords.split(line)
                guard let first = words.first else { continue }
                if first == "exit" || first == "quit" { break }
                try perform(first, Array(words.dropFirst()))
            } catch {
                console.output.flush()
                console.error.writeLine("Error: \(error.text)")
                status = ExitCode.refused
            }
            console.flush()
        }
        return isTerminal ? ExitCode.success : status
    }

    private func perform(_ first: Word, _ words: [Word]) throws(OthismoFailure) {
        let verbs = ImageVerbs(session, timeout: timeout)
        if first == "help" { return help() }
        guard let verb = OthismoOptions.Verb(rawValue: first.text), !Self.others.contains(verb)
        else {
            guard first.hasPrefix("/") else {
                throw .text(
                    "\(printable(first.text)): this is no verb; paths of objects begin with a slash "
                        + "here, and help has the verbs")
            }
            return try send(verbs, [first] + words)
        }
        let (names, takesMore) = verb.operands
        guard words.count >= names.count, takesMore || words.count == names.count else {
            throw .text("\(verb.rawValue) \(names.joined(separator: " "))")
        }
        switch verb {
        case .importModule: try verbs.importModule(words[0], name: nil)
        case .removeModule, .deleteInstance: try session.remove(words[0].bytes)
        case .instantiateInstance: try verbs.instantiate(words[0], words[1])
        case .makePath: try verbs.makePath(words[0])
        case .symbolicLink: try verbs.link(words[0], words[1])
        case .mount: try verbs.mount(words[0], words[1])
        case .sendMessage, .run: try send(verbs, words)
        case .listObjects:
            for entry in try session.entries(prefix: words.first?.bytes ?? []) {
                var line = printable(Word(bytes: entry.path).text) + "  " + entry.kind.rawValue
                if let target = entry.target { line += "  " + printable(target) }
                console.output.writeLine(line)
            }
        case .serve, .shell: break
        }
    }

    private func send(_ verbs: ImageVerbs, _ words: [Word]) throws(OthismoFailure) {
        let waiting = try verbs.send(words) { line in
            console.output.writeLine(line)
            console.output.flush()
        }
        guard let waiting else { return }
        throw .text("\(counted(waiting, "message")) still in flight; they wait in the image")
    }

    private func help() {
        console.output.writeLine("/PATH [TYPE.KEY=VALUE...]   sends a message, prints its answer")
        for verb in OthismoOptions.Verb.allCases where !Self.others.contains(verb) {
            let (names, takesMore) = verb.operands
            let rest = verb == .listObjects ? "[PREFIX]" : "[TYPE.KEY=VALUE...]"
            let more = takesMore ? [rest] : []
            console.output.writeLine(([verb.rawValue] + names + more).joined(separator: " "))
        }
        console.output.writeLine("exit")
    }

    // MARK: Completion

    /// What the last word of a line may become.
    func completions(_ words: [Word], _ start: Word) -> [Word] {
        var all: [Word] = []
        if words.isEmpty {
            all += (OthismoOptions.Verb.words + Self.ownWords).map { Word($0) }
                .filter { word in !Self.others.contains { Word($0.rawValue) == word } }
        }
        if let first = words.first, first == "import-module" {
            all += NativeKind.allCases.map { Word($0.rawValue) } + files(start)
        } else if start.hasPrefix("@"), !start.hasPrefix("@@") {
            all += files(Word(bytes: start.bytes.dropFirst())).map {
                Word(bytes: Array("@".utf8) + $0.bytes)
            }
        } else if start.bytes.isEmpty || start.hasPrefix("/") || !words.isEmpty {
            let entries = (try? session.entries(prefix: start.bytes)) ?? []
            all += entries.prefix(1000).map { Word(bytes: $0.path) }
        }
        return all.filter { $0.bytes.starts(with: start.bytes) }
    }

    private func files(_ start: Word) -> [Word] {
        let slash = start.bytes.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { Array(start.bytes[...$0]) } ?? []
        let names =
            (try? Kernel.names(
                inFolder: CString(path: folder.isEmpty ? Array(".".utf8) : folder))) ?? []
        return names.map { Word(bytes: folder + $0) }
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}
