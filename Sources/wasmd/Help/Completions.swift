/// A shell that wasmd can write a completion script for.
enum Shell: String, CaseIterable, Sendable {
    case bash, zsh, fish

    /// The script, made from the table of commands.
    var script: String {
        switch self {
        case .bash: BashCompletion.script
        case .zsh: ZshCompletion.script
        case .fish: FishCompletion.script
        }
    }
}

/// The `complete` function of bash, working without the package bash-completion.
enum BashCompletion {
    static var script: String {
        var lines = [
            "# Completions of wasmd for bash: source <(wasmd completions bash)",
            "_wasmd() {",
            "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"",
            "    COMPREPLY=()",
            "    if [ \"$COMP_CWORD\" -eq 1 ]; then",
            "        " + reply(words: Command.all.map(\.name) + ["--help", "--version"]),
            "        return",
            "    fi",
            "    case \"${COMP_WORDS[1]}\" in",
        ]
        for command in Command.all { lines += self.lines(for: command) }
        lines += ["    esac", "}", "complete -o filenames -F _wasmd wasmd"]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(for command: Command) -> [String] {
        var lines = ["    \(command.name))"]
        let withValue = command.options.filter(\.takesNextWord)
        if !withValue.isEmpty {
            lines.append("        case \"$before\" in")
            for option in withValue {
                lines.append(
                    "        \(pattern(option))) \(reply(option.completion)); return ;;")
            }
            lines.append("        esac")
        }
        if command.passesRestToGuest, let rest = command.operands.last?.completion {
            // After a module, words are arguments of the guest.
            lines += [
                "        case \"${COMP_WORDS[*]:2:COMP_CWORD-2} \" in",
                "        *.wasm\\ *|*.wat\\ *) \(reply(rest)); return ;;",
                "        esac",
            ]
        }
        lines += [
            "        case \"$word\" in",
            "        -*) \(reply(words: command.options.map(\.flag))) ;;",
            "        *) \(operands(of: command)) ;;",
            "        esac",
            "        ;;",
        ]
        return lines
    }

    /// Completes operands. Where the first is one of a few words, those after it are completed by
    /// the second one's rule; where the second is, those after it by the third one's.
    private static func operands(of command: Command) -> String {
        let first = command.operands.first?.completion ?? .nothing
        if command.operands.count > 2, case .word = command.operands[1].completion {
            return "case \"$COMP_CWORD\" in 2) \(reply(first)) ;; "
                + "3) \(reply(command.operands[1].completion)) ;; "
                + "*) \(reply(command.operands[2].completion)) ;; esac"
        }
        guard case .word = first, command.operands.count > 1 else { return reply(first) }
        return "if [ \"$COMP_CWORD\" -gt 2 ]; then \(reply(command.operands[1].completion)); "
            + "else \(reply(first)); fi"
    }

    /// `--output|-o`
    private static func pattern(_ option: Option) -> String {
        option.flag + (option.letter.map { "|-\($0)" } ?? "")
    }

    private static func reply(_ completion: Completion) -> String {
        switch completion {
        case .nothing: ":"
        case .folder: lines(of: "compgen -d -- \"$word\"")
        case .file: lines(of: "compgen -f -- \"$word\"")
        case .files(let endings):
            lines(
                of: endings.map { "compgen -f -X '!*.\($0)' -- \"$word\"; " }.joined()
                    + "compgen -d -- \"$word\"")
        case .word(let list): reply(words: list.words)
        }
    }

    private static func reply(words: [String]) -> String {
        lines(of: "compgen -W \"\(words.joined(separator: " "))\" -- \"$word\"")
    }

    /// Line by line, so that names may hold spaces.
    private static func lines(of program: String) -> String {
        "mapfile -t COMPREPLY < <(\(program))"
    }
}

/// A `#compdef` script for zsh.
enum ZshCompletion {
    static var script: String {
        var lines = ["#compdef wasmd", "# Completions of wasmd for zsh", "", "_wasmd() {"]
        lines += ["    local -a commands", "    commands=("]
        lines += Command.all.map { "        \(quoted("\($0.name):\($0.summary)"))" }
        lines += [
            "    )",
            "    if (( CURRENT == 2 )); then",
            "        _describe command commands",
            "        return",
            "    fi",
            "    local verb=\"${words[2]}\"",
            "    shift words",
            "    (( CURRENT-- ))",
            "    case \"$verb\" in",
        ]
        for command in Command.all { lines += self.lines(for: command) }
        lines += [
            "    esac", "}", "",
            "if [ \"$funcstack[1]\" = _wasmd ]; then _wasmd; else compdef _wasmd wasmd; fi",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(for command: Command) -> [String] {
        var arguments = command.options.map(argument)
        for (index, operand) in command.operands.enumerated() {
            let action = action(operand.completion)
            switch operand.arity {
            case .one: arguments.append(quoted("\(index + 1):\(operand.name):\(action)"))
            case .optional: arguments.append(quoted("\(index + 1)::\(operand.name):\(action)"))
            case .oneOrMore, .any, .guest: arguments.append(quoted("*:\(operand.name):\(action)"))
            }
        }
        let body = arguments.map { "            \($0)" }.joined(separator: " \\\n")
        return ["    \(command.name))", "        _arguments \\", body, "        ;;"]
    }

    private static func argument(_ option: Option) -> String {
        let help = option.help.replacing("[", with: "\\[").replacing("]", with: "\\]")
        let repeats = option.repeats ? "*" : ""
        guard let value = option.value else { return quoted("\(repeats)\(option.flag)[\(help)]") }
        let message = value.replacing(":", with: "\\:")
        // With `=-` the value needs the `=`, with two colons there may be none.
        let (equals, colons) = option.isValueOptional ? ("=-", "::") : ("=", ":")
        return quoted(
            "\(repeats)\(option.flag)\(equals)[\(help)]\(colons)\(message):"
                + action(option.completion))
    }

    private static func action(_ completion: Completion) -> String {
        switch completion {
        case .nothing: " "
        case .file: "_files"
        case .folder: "_files -/"
        case .files(let endings): "_files -g \"*.(\(endings.joined(separator: "|")))\""
        case .word(let list): "(\(list.words.joined(separator: " ")))"
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }
}

/// `complete` lines for fish.
enum FishCompletion {
    static var script: String {
        var lines = ["# Completions of wasmd for fish: wasmd completions fish | source"]
        lines.append("complete -c wasmd -f")
        for command in Command.all {
            lines.append(
                "complete -c wasmd -n __fish_use_subcommand -a \(command.name)"
                    + " -d \(quoted(command.summary))")
        }
        for command in Command.all {
            let when = "complete -c wasmd -n '__fish_seen_subcommand_from \(command.name)'"
            for option in command.options {
                let letter = option.letter.map { " -s \($0)" } ?? ""
                let value = !option.takesNextWord ? "" : " -r" + arguments(option.completion)
                lines.append(
                    "\(when)\(letter) -l \(option.name)\(value) -d \(quoted(option.help))")
            }
            for operand in command.operands where operand.completion != .nothing {
                lines.append("\(when)\(arguments(operand.completion))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func arguments(_ completion: Completion) -> String {
        switch completion {
        case .nothing: ""
        case .file: " -F"
        case .folder: " -a '(__fish_complete_directories)'"
        case .files(let endings):
            " -a '("
                + endings.map { "__fish_complete_suffix .\($0)" }.joined(separator: "; ") + ")'"
        case .word(let list): " -a \(quoted(list.words.joined(separator: " ")))"
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
}
