import Testing

@testable import wasmd

@Suite struct ArgumentParserTests {
    private func parse(_ words: String...) throws(UsageError) -> ParsedArguments {
        try ArgumentParser.parse(words)
    }

    @Test func optionsBeforeTheFileAndWordsOfTheGuestBehindIt() throws {
        let parsed = try parse(
            "run", "--dir", ".", "--dir=data::/data:ro", "--stats", "a.wasm", "--dir", "-x", "--")
        #expect(parsed.verb == .run)
        #expect(parsed.values(of: .dir) == [".", "data::/data:ro"])
        #expect(parsed.has(.stats))
        #expect(parsed.operands == ["a.wasm", "--dir", "-x", "--"])
    }

    @Test func helpOfTheGuestIsNotOurs() throws {
        #expect(!(try parse("run", "a.wasm", "--help").has(.help)))
        #expect(try parse("run", "--help", "a.wasm").has(.help))
    }

    @Test func optionsMayStandBehindFiles() throws {
        let parsed = try parse("validate", "a.wasm", "--json", "b.wasm", "-v")
        #expect(parsed.operands == ["a.wasm", "b.wasm"])
        #expect(parsed.has(.json) && parsed.has(.verbose))
    }

    @Test func twoDashesEndOptions() throws {
        #expect(try parse("validate", "--", "--json").operands == ["--json"])
        #expect(try parse("run", "--", "--stats").operands == ["--stats"])
    }

    @Test func aDashIsAFile() throws {
        #expect(try parse("inspect", "-").operands == ["-"])
    }

    @Test func theLastValueCounts() throws {
        #expect(try parse("run", "--fuel", "1", "--fuel=2", "a").value(of: .fuel) == "2")
    }

    @Test func lettersMayHaveValues() throws {
        #expect(try parse("wasm2wat", "-o", "b", "a").value(of: .output) == "b")
        #expect(try parse("wasm2wat", "-ob", "a").value(of: .output) == "b")
        let parsed = try parse("wasm2wat", "a", "-fo", "-")
        #expect(parsed.has(.fold) && parsed.value(of: .output) == "-")
        #expect(throws: UsageError.missingValue(.output, .wasm2wat)) {
            try parse("wasm2wat", "a", "-fo")
        }
    }

    @Test func valuesMayBeEmptyOrBeginWithADash() throws {
        #expect(try parse("run", "--env=", "a").values(of: .env) == [""])
        #expect(try parse("run", "--features", "-simd", "a").value(of: .features) == "-simd")
        #expect(try parse("run", "--env=A=b=c", "a").value(of: .env) == "A=b=c")
    }

    @Test(arguments: ["--help", "-h", "help"])
    func helpByAnyName(word: String) throws {
        #expect(try parse(word).verb == .help)
    }

    @Test(arguments: ["--version", "-V", "version"])
    func versionByAnyName(word: String) throws {
        #expect(try parse(word).verb == .version)
    }

    @Test func helpNeedsNothingElse() throws {
        for command in Command.all {
            #expect(try parse(command.name, "--help").has(.help))
            #expect(try parse(command.name, "-h").has(.help))
        }
    }
}

@Suite struct UsageErrorTests {
    static let cases: [([String], UsageError)] = [
        ([], .commandMissing),
        (["rnu"], .unknownCommand("rnu", suggestion: "run")),
        (["xyzzy"], .unknownCommand("xyzzy", suggestion: nil)),
        (["a.wasm", "1"], .fileInsteadOfCommand("a.wasm", arguments: ["1"])),
        (["--versoin"], .unknownOption("--versoin", command: nil, suggestion: "--version")),
        (["run", "--feul", "1"], .unknownOption("--feul", command: .run, suggestion: "--fuel")),
        (["run", "--time=1s"], .unknownOption("--time", command: .run, suggestion: "--timeout")),
        (["run", "-x", "a"], .unknownOption("-x", command: .run, suggestion: nil)),
        (["run", "--fuel"], .missingValue(.fuel, .run)),
        (["run", "--fuel", "--stats", "a"], .missingValue(.fuel, .run)),
        (["run", "--stats=1", "a"], .unexpectedValue(.stats, .run)),
        (["run"], .missingOperand("FILE", .run)),
        (["validate", "--json"], .missingOperand("FILE", .validate)),
        (["inspect", "a", "b"], .unexpectedOperand("b", .inspect)),
        (["explore", "a", "b", "c"], .unexpectedOperand("c", .explore)),
        (["version", "a"], .unexpectedOperand("a", .version)),
    ]

    @Test(arguments: cases)
    func parserRefuses(words: [String], expected: UsageError) {
        #expect(throws: expected) { try ArgumentParser.parse(words) }
    }

    @Test func everyErrorIsOneMessageAndANextStep() {
        for (words, error) in Self.cases where error != .commandMissing {
            let text = error.text
            #expect(text.hasPrefix("wasmd: "), "\(words)")
            #expect(text.hasSuffix("\n"), "\(words)")
            #expect(error.nextStep != nil, "\(words)")
        }
    }

    @Test func texts() {
        let cases: [(UsageError, String)] = [
            (
                .unknownCommand("rnu", suggestion: "run"),
                """
                wasmd: unknown command 'rnu'. Did you mean 'run'?
                Try 'wasmd help' for the list of commands.

                """
            ),
            (
                .fileInsteadOfCommand("a.wasm", arguments: ["1", "two words", "it's"]),
                """
                wasmd: unknown command 'a.wasm'. Did you mean 'run a.wasm'?
                Run it with: wasmd run a.wasm 1 'two words' 'it'\\''s'

                """
            ),
            (
                .missingValue(.timeout, .run),
                """
                wasmd: option '--timeout' needs a value: --timeout DURATION
                Try 'wasmd help run' for its options.

                """
            ),
            (
                .missingOperand("FILE", .validate),
                """
                wasmd: FILE is missing
                Usage: wasmd validate [OPTIONS] FILE...

                """
            ),
            (
                .noEntryPoint(file: "lib.wasm", functions: ["add", "mul"], arguments: []),
                """
                wasmd: lib.wasm: no export '_start' to run, no '_initialize' and no start function
                Functions it exports:
                  --invoke add
                  --invoke mul

                """
            ),
            (
                .unknownExport(
                    "ad", file: "lib.wasm", functions: ["add"], suggestion: "add"),
                """
                wasmd: lib.wasm: no export 'ad'. Did you mean 'add'?
                Functions it exports:
                  --invoke add

                """
            ),
            (
                .wrongArgumentCount(
                    function: "add", type: "(i32, i32) -> (i32)", expected: 2, given: 1),
                "wasmd: add takes 2 arguments, 1 given; its type is (i32, i32) -> (i32)\n"
            ),
            (
                .invalidArgument(
                    "x1", position: 2, function: "add", type: "i32", reason: "", form: "As 7."),
                "wasmd: argument 2 of add: 'x1' is not i32\nAs 7.\n"
            ),
        ]
        for (error, text) in cases { #expect(error.text == text) }
    }

    @Test func longListsOfExportsAreCut() {
        let names = (0..<100).map { "function\($0)" }
        let text = UsageError.noEntryPoint(file: "a", functions: names, arguments: []).text
        #expect(text.hasSuffix("  ... and 88 more\n"))
    }

    @Test func namesOfAModuleCannotCommandTheTerminal() {
        let error = UsageError.noEntryPoint(file: "a", functions: ["\u{1b}[2J"], arguments: [])
        #expect(!error.text.unicodeScalars.contains("\u{1b}"))
    }

    @Test func optionalValues() throws {
        let bare = try ArgumentParser.parse(["run", "--trace", "a.wasm", "b"])
        #expect(bare.value(of: .trace) == "" && bare.operands == ["a.wasm", "b"])
        let given = try ArgumentParser.parse(["run", "--trace=out", "a.wasm"])
        #expect(given.value(of: .trace) == "out")
        #expect(Option.trace.synopsis == "--trace[=FILE]")
    }
}
