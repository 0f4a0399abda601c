import Testing

@testable import wasmd

@Suite struct CompletionsTests {
    @Test(arguments: Shell.allCases)
    func scriptsKnowEveryCommandAndOption(shell: Shell) {
        let script = shell.script
        for command in Command.all {
            #expect(script.contains(command.name))
            for option in command.options { #expect(script.contains(option.name)) }
        }
        #expect(script.contains("relaxed-simd"))
        #expect(script.hasSuffix("\n"))
    }

    /// What bash offers when the cursor stands behind the last word.
    private func complete(_ words: String...) throws -> [String] {
        let list = words.map(shellQuoted).joined(separator: " ")
        let program =
            BashCompletion.script + """
                COMP_WORDS=(wasmd \(list)); COMP_CWORD=\(words.count); _wasmd
                printf '%s\\n' "${COMPREPLY[@]}"

                """
        let result = try run("/bin/bash", ["-c", program])
        #expect(result.error == "")
        return result.output.split(separator: "\n").map(String.init)
    }

    @Test func bashCompletesCommands() throws {
        #expect(try complete("") == Command.all.map(\.name) + ["--help", "--version"])
        #expect(try complete("va") == ["validate"])
    }

    @Test func bashCompletesOptionsAndTheirValues() throws {
        #expect(
            try complete("run", "--s") == [
                "--stdin", "--stack-size", "--sandbox", "--stats", "--save-module",
            ])
        #expect(try complete("run", "--features", "wasm") == ["wasm1", "wasm2", "wasm3"])
        #expect(try complete("help", "ex") == ["explore"])
        #expect(try complete("completions", "") == ["bash", "zsh", "fish"])
        #expect(try complete("data", "") == ["verify", "compact", "backup", "restore"])
        #expect(try complete("data", "verify", "/et").contains("/etc"))
        #expect(try complete("othismo", "app", "re") == ["remove-module"])
        #expect(
            try complete("othismo", "app", "s") == ["send-message", "sym-link", "serve", "shell"])
        #expect(try complete("othismo", "app", "serve", "--an") == ["--answer-time"])
        #expect(try complete("serve", "--othismo-i") == ["--othismo-image"])
        #expect(try complete("othismo", "app", "import-module", "/et").contains("/etc"))
        #expect(try complete("watm", "re") == ["relay"])
        #expect(try complete("watm", "dial", "--half") == ["--half-close"])
    }

    @Test func bashCompletesWhatFollowsALetter() throws {
        #expect(try complete("wasm2wat", "-o", "/etc/passw").contains("/etc/passwd"))
        #expect(!(try complete("wasm2wat", "-f", "/etc/passw").contains("/etc/passwd")))
    }

    @Test func bashCompletesFilesByTheirEndings() throws {
        let folder = try TemporaryFolder()
        for name in ["a.wasm", "b.wat", "c.wast", "d.txt"] { try folder.write(name, []) }
        let start = folder.path + "/"
        #expect(try complete("run", start) == [start + "a.wasm", start + "b.wat"])
        #expect(try complete("wat2wasm", start) == [start + "b.wat"])
        #expect(try complete("wasm2wat", start) == [start + "a.wasm"])
        #expect(try complete("wast", start) == [start + "c.wast"])
    }

    @Test func behindTheModuleWordsBelongToTheGuest() throws {
        #expect(try complete("run", "a.wasm", "--st") == [])
        #expect(try complete("run", "a.wat", "--st") == [])
        #expect(try complete("run", "a.wasm", "/etc/passw").contains("/etc/passwd"))
        #expect(!(try complete("run", "/etc/passw").contains("/etc/passwd")))
    }
}
