import Testing

@testable import wasmd

@Suite struct HelpTests {
    @Test func everythingFitsAndIsExplained() {
        for command in Command.all {
            let text = Help.text(for: command)
            for line in text.split(separator: "\n") {
                #expect(line.count <= Help.width, "\(command.name): \(line)")
                #expect(line.last != " ", "\(command.name): \(line)")
            }
            guard command.verb != .help else { continue }
            #expect(text.contains(command.usage))
            for option in command.options { #expect(text.contains(option.flag)) }
            for operand in command.operands where operand.arity != .guest {
                #expect(command.usage.contains(operand.name))
            }
        }
    }

    @Test func optionsAreWrittenOnce() {
        for command in Command.all {
            #expect(Set(command.options.map(\.name)).count == command.options.count)
            #expect(command.options.contains { $0.isUniversal })
        }
        #expect(Command.all.map(\.verb) == Command.Verb.allCases)
    }

    @Test func lettersStandForOneOption() {
        for command in Command.all {
            let letters = command.options.compactMap(\.letter)
            #expect(Set(letters).count == letters.count, "\(command.name)")
        }
    }

    @Test func overview() {
        #expect(
            Help.overview == """
                wasmd \(Version.number): runs, checks and explains WebAssembly modules

                Usage: wasmd COMMAND [OPTIONS] [ARGUMENTS]

                Commands:
                  run          Run a WebAssembly program
                  serve        Serve WebAssembly programs over HTTP
                  watm         Carry connections through transports (WATM modules)
                  services     Run the modules of a solution as services
                  ctl          See and change a server that runs
                  top          Watch a server that runs
                  token        Make a token for those who use a server
                  data         Check, compact, back up and restore a data folder
                  othismo      Keep objects that exchange messages in an image
                  validate     Check that modules are valid
                  inspect      Show what a module consists of
                  explore      Show wasm beside the register code it becomes
                  wat2wasm     Make a module of its text
                  wasm2wat     Print a module as text
                  wast         Run scripts of the specification's test suite
                  completions  Print a completion script for a shell
                  version      Print the version of wasmd
                  help         Explain wasmd or one of its commands

                Try 'wasmd help COMMAND' for the options of a command, for example:

                  wasmd run --dir . program.wasm notes.txt

                """)
    }

    @Test func helpOfValidate() {
        #expect(
            Help.text(for: .validate) == """
                Usage: wasmd validate [OPTIONS] FILE...

                Check that modules are valid.

                Options:
                  --features LIST           What modules may use: names with + or -, after a
                                            base if there is one, for example wasm2,+tail-calls.
                                            Bases are default, all, wasm1, wasm2 and wasm3
                  --json                    Print JSON
                  -v, --verbose             Print a line for valid modules too
                  -h, --help                Explain this command

                Prints nothing about valid modules. For each module that is refused it prints
                the file, the place and the reason, and ends with 1.

                FILE is a binary or a text (.wat); - stands for standard input.

                Examples:
                  wasmd validate build/*.wasm
                      check many files at once
                  wasmd validate --features wasm2 lib.wasm
                      is it WebAssembly 2.0?

                """)
    }
}
