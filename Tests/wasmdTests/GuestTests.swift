import Testing

@testable import wasmd

/// Programs with transcripts: what they print and how they end is written beside them.
@Suite struct GuestTests {
    private static let folder = "Tests/Guests"
    private static let guests = Repository.files(in: folder, ending: ".wasm")

    @Test(arguments: guests)
    func printsWhatIsExpected(guest: String) throws {
        let base = "\(Self.folder)/\(guest)"
        let room = try TemporaryFolder()
        var words = ["run", "--dir", "\(room.path)::."]
        for variable in Repository.lines("\(base).environment") { words += ["--env", variable] }
        words.append("\(Repository.root)/\(base).wasm")
        words += Repository.lines("\(base).arguments")

        let result = try run(
            Wasmd.path, words, input: Repository.bytes("\(base).input") ?? [])
        if let expected = Repository.text("\(base).expected") {
            #expect(result.output == expected)
        }
        let status = Repository.lines("\(base).status").first
        if status != "trap" {
            #expect(result.error == Repository.text("\(base).errors") ?? "")
        }
        switch status {
        case "trap"?:
            #expect(result.status == ExitCode.trap)
            #expect(result.error.hasPrefix("wasmd: trap: "))
        case let status?: #expect(String(result.status) == status)
        case nil: #expect(result.status == ExitCode.success, "\(result.error)")
        }
    }

    @Test func thereAreGuests() { #expect(Self.guests.count >= 10) }
}

/// The examples of the README, with the command lines of the README.
@Suite struct ExampleTests {
    private func example(_ name: String, _ words: String..., input: String = "") throws
        -> ProcessResult
    {
        try run(
            Wasmd.path, ["run", "--dir", ".", "Examples/\(name).wasm"] + words,
            input: Array(input.utf8), folder: Repository.root)
    }

    @Test func hello() throws {
        let result = try example("hello/hello")
        #expect(result.output.hasPrefix("Hello"))
        #expect(result.status == 0)
    }

    @Test func wordcountReadsAFile() throws {
        let result = try example("wordcount/wordcount", "LICENSE")
        let reference = try run(
            "/bin/sh", ["-c", "cat LICENSE | wc | tr -s ' '"], folder: Repository.root)
        let counts = result.output.split(separator: " ").dropLast().joined(separator: " ")
        let expected = reference.output.split { $0 == " " || $0 == "\n" }.joined(separator: " ")
        #expect(counts == expected)
        #expect(result.output.hasSuffix(" LICENSE\n"))
        #expect(result.status == 0)
    }

    @Test func wordcountReadsStandardInput() throws {
        let result = try example("wordcount/wordcount", input: "one two\nthree\n")
        #expect(result.output.split { $0 == " " || $0 == "\n" } == ["2", "3", "14"])
    }

    @Test func wordcountCannotLeaveItsFolder() throws {
        let result = try run(
            Wasmd.path, ["run", "Examples/wordcount/wordcount.wasm", "LICENSE"],
            folder: Repository.root)
        #expect(result.status == 1)
        #expect(result.error.contains("LICENSE"))
    }

    @Test func allExamplesAreValid() throws {
        for name in ["hello/hello", "wordcount/wordcount", "sudoku/sudoku", "primes-swift/primes"] {
            let file = "\(Repository.root)/Examples/\(name).wasm"
            let result = try wasmd("validate", "--features", "wasm2", file)
            #expect(result.status == 0, "\(result.error)")
        }
    }
}
