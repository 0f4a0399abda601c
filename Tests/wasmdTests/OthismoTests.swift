import Testing

@testable import wasmd

/// `wasmd othismo`, and `wasmd run --save-module`.
@Suite struct OthismoTests {
    private let folder: TemporaryFolder
    private let image: String

    init() throws {
        folder = try TemporaryFolder()
        image = folder.path + "/app"
    }

    private func guest(_ generation: Int) -> String {
        "\(Repository.root)/Tests/OthismoTests/Guests/counter\(generation).wasm"
    }

    private func othismo(_ words: String...) throws -> ProcessResult {
        try run(Wasmd.path, ["othismo", image] + words)
    }

    @Test func theWordsOfTheOriginal() throws {
        let none = try wasmd("othismo")
        #expect(none.status == 0)
        #expect(none.error == "No sub command specified\n")
        #expect(try wasmd("othismo", image).error == "No sub command specified\n")
        #expect(
            try othismo("new-image").error
                == "Specify the image name _after_ the new-image command\n")
        let made = try wasmd("othismo", "new-image", image)
        #expect(made.status == 0)
        #expect(made.output == "Image created\n")
        let again = try wasmd("othismo", "new-image", image)
        #expect(again.status == 1)
        #expect(again.error == "Error: Othismo(ImageAlreadyExists)\n")
        #expect(try othismo("import-module", guest(1)).status == 0)
        let twice = try othismo("import-module", guest(1))
        #expect(twice.status == 1)
        #expect(twice.error == "Error: Othismo(ObjectAlreadyExists)\n")
        #expect(
            try othismo("instantiate-instance", "none", "i").error
                == "Error: Othismo(ObjectDoesNotExist)\n")
        #expect(try othismo("instantiate-instance", "counter1", "/i").status == 0)
        #expect(try othismo("instantiate-instance", "/i", "/j").status == 1)
        #expect(try othismo("list-objects").output == "/i\ncounter1\n")
        #expect(try othismo("list-objects", "c").output == "counter1\n")
        #expect(try othismo("delete-instance", "/i").status == 0)
        #expect(
            try othismo("delete-instance", "/i").error
                == "Error: Othismo(ObjectDoesNotExist)\n")
        #expect(try othismo("remove-module", "counter1").status == 0)
        #expect(try othismo("list-objects").output == "")
        let unknown = try othismo("import-modul")
        #expect(unknown.status == 2)
        #expect(unknown.error.contains("Did you mean 'import-module'?"))
        #expect(try wasmd("othismo", "\(folder.path)/none", "list-objects").status == 1)
    }

    @Test(arguments: 1...3) func countersPersist(_ generation: Int) throws {
        _ = try wasmd("othismo", "new-image", image)
        #expect(
            try othismo("import-module", "--name", "/modules/counter", guest(generation)).status
                == 0)
        #expect(try othismo("instantiate-instance", "/modules/counter", "/c").status == 0)
        for expected in 1...3 {
            let sent = try othismo("send-message", "/c", "counter.add.by=2")
            #expect(sent.status == 0, "\(sent.error)")
            #expect(
                sent.output
                    == #"{"othismo":{"send_to":"/","response_id":1},"#
                    + #""counter.value":{"value":\#(expected * 2),"starts":1}}"# + "\n")
        }
        let failed = try othismo("send-message", "/c", "counter.trap")
        #expect(failed.status == 0)
        #expect(failed.output.contains(#""othismo.error":{"code":"trap""#))
        #expect(try othismo("send-message", "/c", "counter.get").output.contains(#""value":6"#))
        // Nobody is called that.
        #expect(
            try othismo("send-message", "foobar", "a.b=c", "n=7").output.contains(
                #""a":{"b":"c"},"n":7"#))
        _ = try othismo("sym-link", "/c", "/link")
        #expect(try othismo("send-message", "/link", "counter.get").output.contains(#""value":6"#))
    }

    /// What is in flight when the time is over waits in the image.
    @Test func circlesEndWithTheTime() throws {
        _ = try wasmd("othismo", "new-image", image)
        _ = try othismo("import-module", guest(3))
        _ = try othismo("instantiate-instance", "counter3", "first")
        let sent = try othismo(
            "send-message", "--timeout", "300ms", "first", "counter.forward.to=first")
        #expect(sent.status == 1)
        #expect(sent.error.contains("1 message still in flight"))
        let later = try othismo("run", "--timeout", "200ms")
        #expect(later.status == 1)
        #expect(later.error.contains("1 message still in flight"))
        // What runs for long says what the kernel enforces; what is over at once only if asked.
        #expect(Self.tellsTheSandbox(later) && !Self.tellsTheSandbox(sent))
        _ = try othismo("instantiate-instance", "counter3", "second")
        #expect(!Self.tellsTheSandbox(try othismo("send-message", "second", "counter.get")))
        #expect(
            Self.tellsTheSandbox(try othismo("send-message", "--sandbox", "second", "counter.get")))
        #expect(!Self.tellsTheSandbox(try othismo("run", "--no-sandbox", "--timeout", "1ms")))
    }

    /// In one line, before anything else; a kernel without Landlock enforces a part.
    private static func tellsTheSandbox(_ result: ProcessResult) -> Bool {
        ["wasmd: sandbox: ", "wasmd: this kernel restricts the process only in part: "]
            .contains { result.error.hasPrefix($0) }
    }

    // MARK: Saved modules

    @Test func savesModules() throws {
        let file = try folder.write(
            "a.wat",
            Array(
                """
                (module
                  (memory (export "memory") 1 4)
                  (global $n (mut i32) (i32.const 0))
                  (func (export "_initialize") (global.set $n (i32.const 10)))
                  (func (export "init") (result i32)
                    (global.set $n (i32.add (global.get $n) (i32.const 1)))
                    (i32.store (i32.const 65000) (i32.const 42))
                    (memory.grow (i32.const 1)))
                  (func (export "get") (result i32)
                    (i32.add (global.get $n)
                      (i32.add (i32.load (i32.const 65000)) (memory.size)))))
                """.utf8))
        let saved = folder.path + "/out.wasm"
        let made = try wasmd("run", "--invoke", "init", "--save-module", saved, file)
        #expect(made.status == 0, "\(made.error)")
        #expect(made.output == "1:i32\n" || made.output.contains("1"))
        #expect(try wasmd("validate", saved).status == 0)
        #expect(try wasmd("run", "--invoke", "get", saved).output.contains("55"))
    }

    @Test func saysWhatCannotBeSaved() throws {
        let saved = folder.path + "/out.wasm"
        let objects = try folder.write(
            "a.wat",
            Array(
                """
                (module (type $s (struct)) (global $g (mut anyref) (ref.null any))
                  (func (export "f") (global.set $g (struct.new $s))))
                """.utf8))
        let refused = try wasmd("run", "--invoke", "f", "--save-module", saved, objects)
        #expect(refused.status == 1)
        #expect(refused.error.contains("global 0 refers to a structure or array"))
        let ended = try wasmd(
            "run", "--save-module", saved, "\(Repository.root)/Tests/Guests/exit.wasm", "3")
        #expect(ended.status == 3)
        #expect(ended.error.contains("no module was written"))
        #expect(Repository.bytes(saved) == nil)
    }
}
