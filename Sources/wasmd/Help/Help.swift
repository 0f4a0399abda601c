/// The texts of `wasmd help`, made from the table of commands.
enum Help {
    /// Columns of a terminal that the texts fit into.
    static let width = 80
    /// Where explanations begin.
    private static let column = 28

    /// What `wasmd help` prints.
    static var overview: String {
        var lines = [
            "wasmd \(Version.number): runs, checks and explains WebAssembly modules", "",
            "Usage: wasmd COMMAND [OPTIONS] [ARGUMENTS]", "",
            "Commands:",
        ]
        let width = (Command.all.map(\.name.count).max() ?? 0) + 2
        for command in Command.all {
            lines.append("  " + command.name.padded(to: width) + command.summary)
        }
        lines += [
            "",
            "Try 'wasmd help COMMAND' for the options of a command, for example:", "",
            "  wasmd run --dir . program.wasm notes.txt",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// What `wasmd help COMMAND` and `wasmd COMMAND --help` print.
    static func text(for command: Command) -> String {
        if command.verb == .help { return overview }
        var blocks = ["Usage: \(command.usage)", command.summary + "."]
        if !command.options.isEmpty {
            let lines = ["Options:"] + command.options.flatMap(entry)
            blocks.append(lines.joined(separator: "\n"))
        }
        for note in command.notes {
            blocks.append(note.wrapped(to: width).joined(separator: "\n"))
        }
        if !command.examples.isEmpty {
            let lines = command.examples.flatMap { ["  \($0.line)", "      \($0.meaning)"] }
            blocks.append((["Examples:"] + lines).joined(separator: "\n"))
        }
        return blocks.joined(separator: "\n\n") + "\n"
    }

    /// An option and its explanation, side by side if there is room.
    private static func entry(_ option: Option) -> [String] {
        let name = "  " + (option.letter.map { "-\($0), " } ?? "") + option.synopsis
        let explanation = option.help.wrapped(to: width - column)
        let indent = String(repeating: " ", count: column)
        let rest = explanation.map { indent + $0 }
        guard name.count + 2 <= column, let first = explanation.first else { return [name] + rest }
        return [name.padded(to: column) + first] + rest.dropFirst()
    }
}
