import Testing

@testable import wasmd

/// `wasmd wast`: what it prints, and its exit code.
@Suite struct WastTests {
    private let folder: TemporaryFolder
    private let good: String
    private let bad: String

    init() throws {
        folder = try TemporaryFolder()
        good = try folder.write(
            "good.wast",
            Array(
                """
                (module (func (export "f") (result i32) (i32.const 1)))
                (assert_return (invoke "f") (i32.const 1))
                """.utf8))
        bad = try folder.write(
            "bad.wast",
            Array(
                ("(module (func (export \"f\") (result i32) (i32.const 1)))\n"
                    + String(
                        repeating: "(assert_return (invoke \"f\") (i32.const 2))\n", count: 12))
                    .utf8))
    }

    /// Without the time at the end.
    private func lines(_ output: String) -> [String] {
        output.split(separator: "\n").map { line in
            guard line.hasSuffix(" s"), let comma = line.lastIndex(of: ",") else {
                return String(line)
            }
            return String(line[..<comma])
        }
    }

    @Test func success() throws {
        let result = try wasmd("wast", good)
        #expect(result.status == 0)
        #expect(
            lines(result.output) == [
                "\(good): 2 commands: ok", "1 file, 2 commands (1 assertion), all passed",
            ])
        #expect(result.error == "")
    }

    @Test func failures() throws {
        let result = try wasmd("wast", "--jobs", "2", folder.path)
        #expect(result.status == 1)
        let output = lines(result.output)
        #expect(output.count == 14)
        #expect(output.first == "\(bad):2: \"f\" (): expected i32 2, got i32 1")
        #expect(
            output.suffix(4) == [
                "\(bad): 2 more, with --all-failures", "\(bad): 13 commands: 12 failed",
                "\(good): 2 commands: ok",
                "2 files, 15 commands (13 assertions), 3 passed, 12 failed",
            ])
        #expect(lines(try wasmd("wast", "--all-failures", bad).output).count == 14)
    }

    @Test func forms() throws {
        let counts = try wasmd("wast", "--counts", folder.path)
        #expect(counts.output == "bad.wast\t13\t12\ngood.wast\t2\t1\n")
        #expect(counts.status == 1)
        #expect(counts.error.hasPrefix("2 files, 15 commands"))
        #expect(
            try wasmd("wast", "--table", folder.path).output == """
                | folder | files | commands | passed | failed |
                | --- | ---: | ---: | ---: | ---: |
                | . | 2 | 15 | 3 | 12 |
                | all | 2 | 15 | 3 | 12 |

                """)
        let json = try wasmd("wast", "--json", good, bad).output
        #expect(json.contains("\"file\": \"\(good)\""))
        #expect(json.contains("\"commands\": 15"))
        #expect(
            json.contains("{\"line\": 2, \"reason\": \"\\\"f\\\" (): expected i32 2, got i32 1\"}"))
    }

    @Test func wrongUsage() throws {
        #expect(try wasmd("wast").status == 2)
        #expect(try wasmd("wast", "--jobs", "0", good).status == 2)
        #expect(try wasmd("wast", folder.path + "/none.wast").status == 1)
    }
}
