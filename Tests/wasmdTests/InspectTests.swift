import Testing
import WasmText

@testable import wasmd

/// `validate`, `inspect` and `explore` on small modules.
@Suite struct InspectTests {
    private let folder: TemporaryFolder
    private let file: String
    private let invalid: String

    init() throws {
        folder = try TemporaryFolder()
        file = try folder.write(
            "module.wasm",
            try Self.binary(
                """
                (module
                  (import "env" "log" (func (param i32)))
                  (func $sum (export "add") (param i32 i32) (result i32)
                    (i32.extend8_s (i32.add (local.get 0) (local.get 1))))
                  (memory (export "memory") 2)
                  (@custom "producers" "\\01\\08language\\01\\02C\\1b\\0211")
                  (@custom "target_features" "\\01+\\08sign-ext")
                  (@custom "broken" ""))
                """))
        invalid = try folder.write(
            "invalid.wasm", try Self.binary("(func (export \"f\") (result i32))"))
    }

    private static func binary(_ text: String) throws -> [UInt8] {
        try parseModule(Array(text.utf8))
    }

    @Test func validate() throws {
        let good = try wasmd("validate", file)
        #expect(good.status == 0)
        #expect(good.output == "" && good.error == "")
        #expect(try wasmd("validate", "-v", file).output == "\(file): ok\n")

        let mixed = try wasmd("validate", invalid, file, folder.path + "/none", "-v")
        #expect(mixed.status == 1)
        #expect(mixed.output == "\(file): ok\n")
        let lines = mixed.error.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("wasmd: \(invalid): 0x") == true)
        #expect(lines.last == "wasmd: \(folder.path)/none: No such file or directory")
    }

    @Test func validateFromStandardInput() throws {
        let bytes: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
        #expect(try wasmd("validate", "-", input: bytes).status == 0)
        #expect(try wasmd("validate", "-", input: bytes + [99]).status == 1)
    }

    @Test func validateAsJSON() throws {
        let result = try wasmd("validate", "--json", file, invalid)
        #expect(result.status == 1)
        #expect(result.error == "")
        #expect(result.output.contains("\"valid\": true"))
        #expect(result.output.contains("\"features\": [\"sign-extension\"]"))
        #expect(result.output.contains("\"reason\": \"type mismatch"))
    }

    @Test func inspectForPeople() throws {
        let result = try wasmd("inspect", file)
        #expect(result.status == 0, "\(result.error)")
        for text in [
            "needs  sign-extension", "\nImports\n  env.log  function  (i32) -> ()\n",
            "add     function 1  (i32, i32) -> (i32)", "memory  memory 0    i32, at least 2 pages",
            "language  C\\u{1b} 11", "Target features\n  +sign-ext", "custom \"broken\"",
            "type ", "code ",
        ] {
            #expect(result.output.contains(text), "\(text)\n\(result.output)")
        }
    }

    @Test func inspectForPrograms() throws {
        let result = try wasmd("inspect", "--json", file)
        #expect(result.status == 0)
        let parsed = try run(
            "/usr/bin/env",
            [
                "python3", "-c",
                """
                import json, sys
                m = json.load(sys.stdin)
                print(m["valid"], m["features"], m["imports"][0]["parameters"])
                print([e["name"] for e in m["exports"]], m["memories"][0]["minimum"])
                print(m["producers"][0]["tools"][0]["version"], m["functions"]["defined"])
                """,
            ], input: result.outputBytes)
        let expected = """
            True ['sign-extension'] ['i32']
            ['add', 'memory'] 2
            11 1

            """
        // Not every machine has Python.
        if parsed.status != 127 { #expect(parsed.output == expected) }
    }

    @Test func inspectShowsWhatIsInvalid() throws {
        let result = try wasmd("inspect", invalid)
        #expect(result.status == 1)
        #expect(result.output.contains("Exports"))
        #expect(result.error.hasPrefix("wasmd: \(invalid): 0x"))
    }

    @Test func explore() throws {
        for name in ["1", "add", "sum"] {
            let result = try wasmd("explore", file, name)
            #expect(result.status == 0, "\(result.error)")
            #expect(result.output.hasPrefix("func[1] sum (i32, i32) -> (i32)\n"))
            #expect(result.output.contains("local.get 1"))
            #expect(result.output.contains("i32.add"))
        }
        let wrong = try wasmd("explore", file, "summ")
        #expect(wrong.status == 2)
        #expect(wrong.error.contains("Did you mean 'sum'?"))
    }

    @Test func aReaderThatGoesAwayIsNoError() throws {
        let script = "\"$0\" inspect \"$1\" | head -1; exit ${PIPESTATUS[0]}"
        let result = try run("/bin/bash", ["-c", script, Wasmd.path, file])
        #expect(result.status == 0)
        #expect(result.error == "")
    }
}
