import Glibc
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

    /// What cannot be written whole does not take the place of a file that is there.
    @Test func filesAreReplacedAsAWhole() throws {
        let old = [UInt8](repeating: 7, count: 100)
        let path = try folder.write("old.wasm", old)
        chmod(path, 0o751)
        #expect(try wasmd("wat2wasm", "-o", path, "-", input: Array("(func (".utf8)).status == 1)
        #expect(try run("/bin/cat", [path]).outputBytes == old)
        let limited = try run(
            "/bin/sh",
            [
                "-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" wat2wasm -o \"$1\" -", Wasmd.path,
                path,
            ],
            input: Array("(func)".utf8))
        #expect(limited.status == 1)
        #expect(try run("/bin/cat", [path]).outputBytes == old)
        #expect(try run("/bin/ls", [folder.path]).output == "math.wat\nold.wasm\n")

        #expect(try wasmd("wat2wasm", "-o", path, "-", input: Array("(func)".utf8)).status == 0)
        let new = try run("/usr/bin/stat", ["-c", "%a %s", path])
        #expect(new.output.hasPrefix("751 ") && new.output != "751 100\n")
        #expect(try run("/bin/ls", [folder.path]).output == "math.wat\nold.wasm\n")
    }

    @Test func resultsThatCannotBeWritten() throws {
        let file = try wasmd("wat2wasm", "-o", "/dev/full", "math.wat", folder: folder.path)
        #expect(file.status == 1)
        #expect(file.error == "wasmd: /dev/full: No space left on device\n")
        for command in ["wasm2wat \"$1\"", "inspect \"$1\"", "wat2wasm -o - \"$1\"", "help"] {
            let path = folder.path + "/math.wat"
            let full = try run(
                "/bin/sh", ["-c", "\"$0\" \(command) >/dev/full", Wasmd.path, path])
            #expect(full.status == 1, "\(command)")
            #expect(full.error == "wasmd: standard output: No space left on device\n")
            // A reader that goes away has all it wants.
            let gone = try run(
                "/bin/sh", ["-c", "(\"$0\" \(command); echo $? >&2) | :", Wasmd.path, path])
            #expect(gone.error == "0\n", "\(command)")
        }
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
                wasmd: -:2:4: unknown operator: i32.ad. Did you mean 'i32.add'?
                  (i32.ad))
                   ^^^^^^

                """)
        let binary = try wasmd("wat2wasm", "-", input: [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
        #expect(binary.status == 1 && binary.output == "")
        #expect(binary.error.contains("wasmd wasm2wat -\n"))
        // A text without fields is a module; an empty file is a mistake.
        let blank = try wasmd("wat2wasm", "-", input: Array(" \n".utf8))
        #expect(blank.outputBytes == [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
        #expect(try wasmd("wat2wasm", "-").error == "wasmd: -: the file is empty\n")
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

    /// What clang and its linker made comes back byte for byte, debug information and all.
    @Test(arguments: Repository.files(in: "Tests/Guests", ending: ".wasm"))
    func guestsComeBack(_ name: String) throws {
        let binary = try #require(Repository.bytes("Tests/Guests/\(name).wasm"))
        for options in [["-"], ["--fold", "-"]] {
            let text = try run(Wasmd.path, ["wasm2wat"] + options, input: binary)
            #expect(text.status == 0, "\(text.error)")
            let module = try wasmd("wat2wasm", "-", input: text.outputBytes)
            #expect(module.status == 0, "\(module.error)")
            #expect(module.outputBytes == binary)
        }
    }
}

/// What keeps the bytes of a module in its text, and what a text is told by.
@Suite struct RoundTripTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A call in five bytes and a section with offsets into the code.
    private static let padded: [UInt8] =
        [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0]
        + [10, 10, 1, 8, 0, 0x10, 0x80, 0x80, 0x80, 0x80, 0, 0x0b]
        + [0, 13, 11] + Array(".debug_line".utf8) + [7]

    @Test func paddingIsKeptOrSectionsGo() throws {
        let file = try folder.write("a.wasm", Self.padded)
        let text = try wasmd("wasm2wat", file)
        #expect(text.status == 0 && text.error == "")
        #expect(text.output.contains("(@wasmd.padding 0x"))
        let again = try wasmd("wat2wasm", "-", input: text.outputBytes)
        #expect(again.outputBytes == Self.padded && again.error == "")

        let changed = text.output.replacing("call 0", with: "call 0 nop")
        let other = try wasmd("wat2wasm", "-", input: Array(changed.utf8))
        #expect(other.status == 0)
        #expect(
            other.error == """
                wasmd: warning: -: the code was changed since the text was printed; these sections \
                hold offsets into it and are left out: .debug_line

                """)

        let clean = try wasmd("wasm2wat", "--no-padding", file)
        #expect(clean.status == 0 && !clean.output.contains("wasmd."))
        #expect(
            clean.error == """
                wasmd: warning: \(file): without padding these sections would hold wrong offsets \
                and are left out: .debug_line

                """)
    }

    /// 2,000 functions of 50,000 locals: 300 MB of text of 16 KB.
    @Test func largeTextsTakeLittleMemory() throws {
        let body: [UInt8] = [1, 0xd0, 0x86, 3, 0x7f, 0x0b]
        let count = 2000
        let functions = [UInt8(count & 0x7f | 0x80), UInt8(count >> 7)]
        func section(_ id: UInt8, _ content: [UInt8]) -> [UInt8] {
            let size = content.count
            return [
                id, UInt8(size & 0x7f | 0x80), UInt8(size >> 7 & 0x7f | 0x80), UInt8(size >> 14),
            ]
                + content
        }
        let bodies = (0..<count).flatMap { _ in [UInt8(body.count)] + body }
        let module =
            [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0]
            + section(3, functions + [UInt8](repeating: 0, count: count))
            + section(10, functions + bodies)
        let file = try folder.write("locals.wasm", module)
        let result = try run(
            "/bin/sh",
            [
                "-c", "ulimit -v 200000; \"$0\" wasm2wat \"$1\" | head -c 30000000 | wc -c",
                Wasmd.path, file,
            ])
        #expect(result.output == "30000000\n", "\(result.error)")
    }

    @Test func filesThatAreNoModules() throws {
        let files: [(String, [UInt8], String)] = [
            (
                "a.wasm.gz", [0x1f, 0x8b, 8, 0],
                "this is gzip, not a module: unpack it with gunzip first"
            ),
            ("empty.wasm", [], "the file is empty"),
            (
                "bom.wat", [0xef, 0xbb, 0xbf] + Array("(module)".utf8),
                "this begins with a byte order mark, which the text format does not allow: save it as "
                    + "UTF-8 without one"
            ),
            (
                "wide.wat", Array("(module)".utf8.flatMap { [$0, 0] }),
                "this is text in UTF-16; convert it first: iconv -f UTF-16 -t UTF-8"
            ),
            (
                "component.wasm", [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0],
                "this is a component; wasmd runs core modules"
            ),
        ]
        for (name, bytes, message) in files {
            let file = try folder.write(name, bytes)
            for verb in ["run", "validate", "inspect", "explore", "wasm2wat", "wat2wasm"] {
                let result = try wasmd(verb, file)
                #expect(
                    result.status == 1 && result.error == "wasmd: \(file): \(message)\n", "\(verb)")
            }
        }
    }

    @Test func linesOfTexts() throws {
        let text = """
            (module
              (memory 1)
              (func $load (param i32) (result i32)
                (i32.load
                  (local.get 0)))
              (func $never)
              (func $main (export "_start")
                (drop
                  (call $load (i32.const -4)))))
            """
        let file = try folder.write("a.wat", Array(text.utf8))
        let result = try wasmd("run", "--coverage", "-", file)
        #expect(result.error.contains("#0 load (func[0]) at \(file):4:6\n"), "\(result.error)")
        #expect(result.error.contains("#1 main (func[2]) at \(file):9:8\n"), "\(result.error)")
        for line in ["FN:3,load", "FN:6,never", "FNDA:0,never", "DA:4,1", "DA:6,0", "DA:9,1"] {
            #expect(result.output.contains("\n\(line)\n"), "\(line)")
        }
        // Outside of functions.
        let start = try folder.write(
            "b.wat", Array("(module\n  (func (param i32))\n  (start 0))".utf8))
        #expect(try wasmd("validate", start).error.hasPrefix("wasmd: \(start):3:4: start function"))
        let twice = try folder.write(
            "c.wat",
            Array(
                "(module\n (memory 1)\n (export \"a\" (memory 0))\n (export \"a\" (memory 0)))".utf8
            ))
        #expect(
            try wasmd("validate", twice).error.hasPrefix("wasmd: \(twice):4:3: duplicate export"))
    }

    /// Line tables that have no rows: functions count as functions.
    @Test func coverageWithoutLines() throws {
        let info: [UInt8] = [16, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0x61, 0x2e, 0x63, 0]
        let lines: [UInt8] =
            [33, 0, 0, 0, 4, 0, 27, 0, 0, 0, 1, 1, 1, 0xfb, 0x0e, 0x0d, 0, 1, 1, 1, 1, 0, 0, 0, 1]
            + [0, 0, 1, 0x61, 0x2e, 0x63, 0, 0, 0, 0, 0]
        func custom(_ name: String, _ content: [UInt8]) -> [UInt8] {
            let content = [UInt8(name.utf8.count)] + Array(name.utf8) + content
            return [0, UInt8(content.count)] + content
        }
        let module: [UInt8] =
            [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 3, 2, 0, 0]
            + [
                7, 10, 1, 6, 0x5f, 0x73, 0x74, 0x61, 0x72, 0x74, 0, 0, 10, 7, 2, 2, 0, 0x0b, 2, 0,
                0x0b,
            ]
            + custom(".debug_info", info)
            + custom(".debug_abbrev", [1, 0x11, 0, 0x10, 0x17, 3, 8, 0, 0, 0])
            + custom(".debug_line", lines)
        let file = try folder.write("a.wasm", module)
        let result = try wasmd("run", "--coverage", "-", file)
        #expect(result.status == 0, "\(result.error)")
        #expect(
            result.output.contains("FNDA:1,_start\n") && result.output.contains("FNF:2\nFNH:1\n"))
    }

    @Test func hintsThatHelp() throws {
        let text = "(module (memory 1 1 shared) (func (export \"_start\")))"
        let file = try folder.write("a.wat", Array(text.utf8))
        let refused = try wasmd("run", "--deterministic", file)
        #expect(refused.status == 1)
        #expect(refused.error.contains("threads, which --deterministic turns off"))
        #expect(!refused.error.contains("--features"))
        #expect(try wasmd("run", file).status == 0)
        let legacy = "(module (tag $t) (func (try (do (throw $t)) (catch_all))))"
        #expect(
            try wasmd("validate", "--features", "all", "-", input: Array(legacy.utf8)).status == 0)
        #expect(try wasmd("validate", "-", input: Array(legacy.utf8)).status == 1)
    }
}
