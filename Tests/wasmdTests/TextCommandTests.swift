import Testing

@testable import wasmd

/// `wat2wasm` and `wasm2wat`.
@Suite struct TextCommandTests {
    private let folder: TemporaryFolder

    private static let text = """
        (module $math
          (func $add (export "add") (param $a i32) (param $b i32) (result i32)
            (i32.add (local.get $a) (local.get $b))))
        """

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("math.wat", Array(Self.text.utf8))
    }

    @Test func thereAndBack() throws {
        let made = try wasmd("wat2wasm", "math.wat", folder: folder.path)
        #expect(made.status == 0 && made.output == "" && made.error == "", "\(made.error)")
        let run = try wasmd("run", "--invoke", "add", "math.wasm", "2", "3", folder: folder.path)
        #expect(run.output == "5\n")

        let flat = try wasmd("wasm2wat", "math.wasm", folder: folder.path)
        #expect(
            flat.output == """
                (module $math
                  (type (;0;) (func (param i32 i32) (result i32)))
                  (export "add" (func $add))
                  (func $add (;0;) (type 0) (param $a i32) (param $b i32) (result i32)
                    local.get $a
                    local.get $b
                    i32.add)
                )

                """)
        let folded = try wasmd("wasm2wat", "-f", "math.wasm", folder: folder.path)
        #expect(folded.output.contains("\n    (i32.add (local.get $a) (local.get $b)))\n"))
        let offsets = try wasmd("wasm2wat", "--offsets", "math.wasm", folder: folder.path)
        #expect(offsets.output.contains(";) i32.add)"))

        for text in [flat, folded, offsets] {
            let again = try wasmd("wat2wasm", "-", input: text.outputBytes)
            let original = try wasmd("wat2wasm", "-o", "-", "math.wat", folder: folder.path)
            #expect(again.outputBytes == original.outputBytes)
            #expect(again.outputBytes.starts(with: [0, 0x61, 0x73, 0x6d]))
        }
    }

    @Test func namesAreLeftOutOrMadeUp() throws {
        let module = try wasmd("wat2wasm", "-", input: Array(Self.text.utf8)).outputBytes
        let bare = try wasmd("wat2wasm", "--no-names", "-", input: Array(Self.text.utf8))
        #expect(module.starts(with: bare.outputBytes) && module.count > bare.outputBytes.count)
        #expect(!(try wasmd("wasm2wat", "-", input: bare.outputBytes).output.contains("$")))
        #expect(!(try wasmd("wasm2wat", "--no-names", "-", input: module).output.contains("$")))
        let made = try wasmd("wasm2wat", "--generate-names", "-", input: bare.outputBytes).output
        #expect(made.contains("(func $func0 (;0;) (type $type0) (param $local0 i32)"))
        let both = try wasmd("wasm2wat", "--no-names", "--generate-names", "-", input: module)
        #expect(both.status == 2)
        #expect(both.error.contains("'--no-names' and '--generate-names' contradict each other"))
    }

    @Test func files() throws {
        let written = try wasmd("wat2wasm", "-oother", "math.wat", folder: folder.path)
        #expect(written.status == 0 && written.output == "")
        let text = try wasmd("wasm2wat", "other", "--output=other.wat", folder: folder.path)
        #expect(text.status == 0 && text.output == "")
        #expect(try wasmd("validate", "-v", "other.wat", folder: folder.path).status == 0)

        let nowhere = try wasmd("wat2wasm", "-o", "none/x", "math.wat", folder: folder.path)
        #expect(nowhere.status == 1)
        #expect(nowhere.error == "wasmd: none/x: No such file or directory\n")
        let missing = try wasmd("wasm2wat", "none", folder: folder.path)
        #expect(missing.error == "wasmd: none: No such file or directory\n")
        let valueless = try wasmd("wat2wasm", "math.wat", "-o", folder: folder.path)
        #expect(valueless.status == 2)
        #expect(valueless.error.hasPrefix("wasmd: option '--output' needs a value"))
    }

    @Test func namesOfFiles() {
        let name = { OutputFile(insteadOf: $0, ending: ".wasm") }
        #expect(name("a.wat") == .path("a.wasm"))
        #expect(name("/b.c/d/a.b.wat") == .path("a.b.wasm"))
        #expect(name("a") == .path("a.wasm"))
        #expect(name(".wat") == .path(".wat.wasm"))
        #expect(name("a.wasm") == .path("a.wasm.wasm"))
        #expect(name("-") == .standardOutput)
    }

    @Test func textThatIsRefused() throws {
        let wrong = try wasmd("wat2wasm", "-", input: Array("(func\n  (i32.ad))".utf8))
        #expect(wrong.status == 1 && wrong.output == "")
        #expect(
            wrong.error == """
                wasmd: -:2:4: unknown operator: i32.ad
                  (i32.ad))
                   ^^^^^^

                """)
        let binary = try wasmd("wat2wasm", "-", input: [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
        #expect(binary.status == 1 && binary.output == "")
        #expect(binary.error.contains("wasmd wasm2wat -\n"))
        // Nothing is a module too.
        #expect(try wasmd("wat2wasm", "-").outputBytes == [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
    }

    @Test func modulesThatAreNotValid() throws {
        let text = Array("(func $f (result i32) i64.const 1)".utf8)
        let refused = try wasmd("wat2wasm", "-", input: text)
        #expect(refused.status == 1 && refused.output == "")
        #expect(refused.error.contains("$f") && refused.error.contains("--no-check"))
        let module = try wasmd("wat2wasm", "--no-check", "-", input: text)
        #expect(module.status == 0)
        let again = try wasmd("wasm2wat", "-", input: module.outputBytes)
        #expect(again.status == 0)
        #expect(again.output.contains("i64.const 1)"))
    }

    @Test func modulesThatCannotBeDecoded() throws {
        let header: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
        let code: [UInt8] = [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 5, 1, 3, 0, 0x27, 0x0b]
        let result = try wasmd("wasm2wat", "-", input: header + code)
        #expect(result.status == 1 && result.output == "")
        #expect(result.error == "wasmd: -: 0x17: illegal opcode 27\n")
        #expect(try wasmd("wasm2wat", "-", input: header + [1]).status == 1)
    }

    /// What clang made comes back but for the width of its integers: the text is the same.
    @Test(arguments: Repository.files(in: "Tests/Guests", ending: ".wasm"))
    func guestsComeBack(_ name: String) throws {
        let binary = try #require(Repository.bytes("Tests/Guests/\(name).wasm"))
        for options in [["-"], ["--fold", "-"]] {
            let text = try run(Wasmd.path, ["wasm2wat"] + options, input: binary)
            #expect(text.status == 0, "\(text.error)")
            let module = try wasmd("wat2wasm", "-", input: text.outputBytes)
            #expect(module.status == 0, "\(module.error)")
            let again = try run(Wasmd.path, ["wasm2wat"] + options, input: module.outputBytes)
            #expect(again.outputBytes == text.outputBytes)
        }
    }
}
