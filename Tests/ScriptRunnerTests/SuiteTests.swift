import Glibc
import Synchronization
import Testing
import WasmDecoder
import WasmScriptRunner

/// Our own scripts, and the official ones where they are.
@Suite struct SuiteTests {
    /// `spec-tests`
    private static let own: String =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/") + "/spec-tests"

    /// Where the official suite is, or is said not to be wanted: see `spec-tests/README.md`.
    private static let officialFolder: String? = {
        if let path = getenv("WASMD_SPEC_TESTSUITE") { return String(cString: path) }
        return ["\(own)/testsuite", "\(own)/../../shared/spec-testsuite"]
            .first { access("\($0)/i32.wast", R_OK) == 0 }
    }()

    private func run(_ files: [ScriptFile], _ options: ScriptOptions = .init()) -> [ScriptResult] {
        let results = Mutex<[ScriptResult]>([])
        runScripts(files, options, jobs: 2) { result in results.withLock { $0.append(result) } }
        return results.withLock { $0 }
    }

    /// The engine's modes: what is off in the first is on in the second.
    private static let modes: [ScriptOptions] = {
        var strict = ScriptOptions()
        strict.eagerTranslation = true
        strict.fuel = .max >> 1
        strict.timeLimit = .seconds(600)
        return [ScriptOptions(), strict]
    }()

    @Test(arguments: modes.indices) func ownScripts(mode: Int) throws {
        let files = try ScriptFile.find([Self.own]).filter { !$0.name.hasPrefix("testsuite/") }
        #expect(files.count >= 17)
        let results = run(files, Self.modes[mode])
        expectSuccess(results)
        print("own scripts: \(files.count) run, \(commandCount(results)) commands")
    }

    /// Skipped on a machine without the suite, so that a fresh clone passes; `spec-tests/check` fails.
    @Test(
        .enabled(
            if: officialFolder != nil && officialFolder != "none",
            "the official suite is not there: spec-tests/fetch gets it"))
    func officialScripts() throws {
        let folder = try #require(Self.officialFolder)
        let files = try ScriptFile.find([folder])
        let results = run(files)
        expectSuccess(results)
        print("official scripts: \(files.count) of \(folder), \(commandCount(results)) commands")
    }

    private func commandCount(_ results: [ScriptResult]) -> Int {
        results.map(\.report.commandCount).reduce(0, +)
    }

    /// Nothing fails but what is known to.
    private func expectSuccess(_ results: [ScriptResult]) {
        for result in results {
            let name = result.file.name
            let unexpected = result.report.failures.filter { failure in
                !Self.knownFailures.contains { known in
                    known.hasSuffix("/")
                        ? name.hasPrefix(known) : known == "\(name):\(failure.line)"
                }
            }
            for failure in unexpected.prefix(5) {
                Issue.record("\(result.file.path):\(failure.line): \(failure.reason)")
            }
        }
    }

    /// `FOLDER/` or `FILE:LINE`
    private static let knownFailures: [String] = {
        guard let bytes = try? ModuleBytes(path: own + "/known-failures") else { return [] }
        return String(decoding: bytes[bytes.range], as: UTF8.self).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.map(String.init)
    }()

    @Test func foldersAreSearched() throws {
        let files = try ScriptFile.find([Self.own + "/exceptions/"])
        #expect(
            files.map(\.name) == [
                "clauses.wast", "instances.wast", "references.wast", "simd/payloads.wast",
            ])
        #expect(files.last?.path == Self.own + "/exceptions/simd/payloads.wast")
        let file = Self.own + "/core/instances.wast"
        let given = try ScriptFile.find([file, Self.own + "/gc", "-"])
        #expect(given.first == ScriptFile(path: file, name: file))
        #expect(given.last == ScriptFile(path: "-", name: "-"))
        #expect(given.contains { $0.name == Self.own + "/gc/objects.wast" })
    }

    /// A wrong path must not look like a success.
    @Test func searchesThatFindNothingFail() {
        #expect(throws: ScriptSearchError.file(FileError(errno: ENOENT, path: "/nowhere.wast"))) {
            try ScriptFile.find([Self.own, "/nowhere.wast"])
        }
        let folder = Self.own + "/../docs"
        #expect(throws: ScriptSearchError.noScripts(folder: folder)) {
            try ScriptFile.find([Self.own, folder])
        }
    }

    @Test func missingFilesFail() {
        let results = run([ScriptFile(path: "/nowhere.wast", name: "nowhere")])
        #expect(
            results.map(\.report.failures) == [
                [ScriptFailure(line: 1, reason: "/nowhere.wast: No such file or directory")]
            ])
    }

    /// Results come in the order of the files, however long each takes.
    @Test func orderOfResults() throws {
        let files = try ScriptFile.find([Self.own + "/core"])
        #expect(run(files).map(\.file) == files)
    }
}
