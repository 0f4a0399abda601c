import Testing

/// Inputs that once failed, tried through the program; see `Tests/Corpus/README.md`.
@Suite struct CorpusCommandTests {
    private static func path(_ name: String) -> String { "\(Repository.root)/Tests/Corpus/\(name)" }

    @Test(arguments: ["host-calls-in-a-loop.wat", "random-bytes.wat", "ready-subscriptions.wat"])
    func guestsWithoutEnd(_ name: String) throws {
        let result = try wasmd(
            "run", "--timeout", "100ms", "--max-memory", "5g", Self.path(name))
        #expect(result.status == 134)
        #expect(result.error.contains("(--timeout)"))
    }

    /// What one table, memory or thread may have is not what the program may have.
    @Test(arguments: ["constant-array.wat", "threads-with-objects.wat", "many-tables.wat"])
    func totals(_ name: String) throws {
        let result = try wasmd(
            "run", "--timeout", "10m", "--max-memory", "64m", Self.path(name))
        #expect(result.status != 0)
        #expect(result.error.contains("--max-memory"))
        #expect(!result.error.contains("--timeout"))
    }

    @Test func closedStreams() throws {
        let folder = try TemporaryFolder()
        let module = Self.path("closed-streams.wat")
        let line = "(exec <&- >&- 2>&-; exec '\(Wasmd.path)' run --dir . '\(module)')"
        let result = try run("/bin/sh", ["-c", line], folder: folder.path)
        #expect(result.status == 0)
        let size = try run("/usr/bin/stat", ["-c", "%s", "\(folder.path)/kept"])
        #expect(size.output == "0\n")
    }

    @Test func emptyVectors() throws {
        let result = try wasmd("run", Self.path("empty-vectors.wat"))
        #expect(result.error == "eight by")
        #expect(result.status == 8)
    }

    @Test func allFeatures() throws {
        let result = try wasmd("validate", "--features", "all", Self.path("legacy-exceptions.wat"))
        #expect(result.status == 0)
    }

    @Test func namesOfImports() throws {
        let folder = try TemporaryFolder()
        let module = "\(folder.path)/a.wasm"
        #expect(try wasmd("wat2wasm", "-o", module, Self.path("names-of-imports.wat")).status == 0)
        #expect(try wasmd("wasm2wat", module).output.contains("(param $code i32)"))
    }

    /// The module comes back from its text, with a name section that is malformed.
    @Test func malformedNames() throws {
        let folder = try TemporaryFolder()
        let (text, module) = ("\(folder.path)/a.wat", "\(folder.path)/a.wasm")
        #expect(try wasmd("wasm2wat", "-o", text, Self.path("malformed-names.wasm")).status == 0)
        #expect(try wasmd("wat2wasm", "-o", module, text).status == 0)
        #expect(try run("/usr/bin/cmp", [module, Self.path("malformed-names.wasm")]).status == 0)
    }

    @Test func droppedArrays() throws {
        let result = try wasmd(
            "run", "--invoke", "churn", Self.path("dropped-arrays.wat"), "200", "1000000")
        #expect(result.output == "200\n")
    }

    @Test func linesWithoutRows() throws {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/coverage"
        let result = try wasmd(
            "run", "--coverage", file, "--invoke", "f", Self.path("lines-without-rows.wasm"))
        #expect(result.status == 0)
        let text = try run("/bin/cat", [file]).output
        #expect(text.contains("FNF:3"))
        #expect(text.contains("FNDA:1,fn0\n"))
        #expect(text.contains("FNDA:0,fn2\n"))
    }

    /// The table names each file, and tests that exist.
    @Test func tableIsComplete() throws {
        let names = Repository.lines("Tests/Corpus/README.md").flatMap { line in
            line.split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }
                .map { String($0.element) }
        }
        for ending in [".wasm", ".wat"] {
            for file in Repository.files(in: "Tests/Corpus", ending: ending) {
                #expect(names.contains(file + ending))
            }
        }
        let tests = names.filter { $0.split(separator: ".").first?.hasSuffix("Tests") ?? false }
        #expect(tests.count > 20)
        for test in Set(tests) {
            let parts = test.split(separator: ".").map(String.init)
            let pattern = "struct \(parts[0]) \\{.*func \(parts[1])\\("
            let found = try run("/bin/grep", ["-rlzE", pattern, "\(Repository.root)/Tests"])
            #expect(!found.output.isEmpty, "\(test)")
        }
    }
}
