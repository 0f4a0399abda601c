import Synchronization
import Testing
import WasmScriptRunner

/// What the runner makes of commands: those that hold pass, all others fail.
@Suite struct RunnerTests {
    private func report(
        _ script: String, _ options: ScriptOptions = .init()
    ) -> ScriptReport {
        runScript(Array(script.utf8), options)
    }

    /// The lines that fail.
    private func failures(_ script: String, _ options: ScriptOptions = .init()) -> [Int] {
        report(script, options).failures.map(\.line)
    }

    private static let calculator = """
        (module $calculator
          (global (export "ten") i32 (i32.const 10))
          (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1)))
          (func (export "nan") (result f32) (f32.div (f32.const 0) (f32.const 0)))
          (func (export "f32") (param f32) (result f32) (local.get 0))
          (func (export "f64") (param f64) (result f64) (local.get 0))
          (func (export "null") (result funcref) (ref.null func))
          (func $self (export "self") (result funcref) (ref.func $self))
          (func (export "extern") (param externref) (result externref) (local.get 0))
          (func (export "any") (param anyref) (result anyref) (local.get 0))
          (func (export "i31") (result anyref) (ref.i31 (i32.const 1)))
          (func (export "array") (result anyref)
            (array.new_default $bytes (i32.const 1)))
          (type $bytes (array i8))
          (func (export "vector") (result v128) (v128.const f32x4 nan 1 -0 nan:0x1))
          (tag $tag)
          (func (export "throw") (throw $tag))
          (func (export "trap") (unreachable))
          (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
          (func $endless (export "endless") (call $endless) (nop)))

        """

    /// Of each command a variant that must fail, in the same line as its end.
    @Test(arguments: [
        ("(assert_return (invoke \"add\" (i32.const 1) (i32.const 2)) (i32.const 3))", true),
        ("(assert_return (invoke \"add\" (i32.const 1) (i32.const 2)) (i32.const 4))", false),
        ("(assert_return (invoke \"add\" (i32.const 1) (i32.const 2)) (i64.const 3))", false),
        ("(assert_return (invoke \"add\" (i32.const 1) (i32.const 2)))", false),
        ("(assert_return (invoke \"add\" (i32.const 1) (i64.const 2)) (i32.const 3))", false),
        ("(assert_return (invoke \"add\" (i32.const 1)) (i32.const 1))", false),
        ("(assert_return (invoke \"none\"))", false),
        ("(assert_return (invoke $none \"trap\"))", false),
        ("(assert_return (invoke $calculator \"null\") (ref.null func))", true),
        ("(assert_return (get \"ten\") (i32.const 10))", true),
        ("(assert_return (get \"ten\") (i32.const 11))", false),
        ("(assert_return (get \"add\") (i32.const 11))", false),
        ("(assert_return (invoke \"ten\") (i32.const 10))", false),
        ("(assert_return (invoke \"nan\") (f32.const nan:canonical))", true),
        ("(assert_return (invoke \"nan\") (f32.const nan:arithmetic))", true),
        ("(assert_return (invoke \"nan\") (f32.const 0))", false),
        ("(assert_return (invoke \"f32\" (f32.const nan:0x1)) (f32.const nan:0x1))", true),
        ("(assert_return (invoke \"f32\" (f32.const nan:0x1)) (f32.const nan:arithmetic))", false),
        (
            "(assert_return (invoke \"f32\" (f32.const nan:0x400001)) (f32.const nan:arithmetic))",
            true
        ),
        (
            "(assert_return (invoke \"f32\" (f32.const nan:0x400001)) (f32.const nan:canonical))",
            false
        ),
        ("(assert_return (invoke \"f32\" (f32.const -nan)) (f32.const nan:canonical))", true),
        ("(assert_return (invoke \"f32\" (f32.const -0)) (f32.const 0))", false),
        ("(assert_return (invoke \"f64\" (f64.const -nan)) (f64.const nan:canonical))", true),
        ("(assert_return (invoke \"f64\" (f64.const inf)) (f64.const nan:arithmetic))", false),
        ("(assert_return (invoke \"null\") (ref.null))", true),
        ("(assert_return (invoke \"null\") (ref.func))", false),
        ("(assert_return (invoke \"self\") (ref.func))", true),
        ("(assert_return (invoke \"self\") (ref))", true),
        ("(assert_return (invoke \"self\") (ref.null))", false),
        ("(assert_return (invoke \"self\") (ref.extern))", false),
        ("(assert_return (invoke \"extern\" (ref.extern 5)) (ref.extern 5))", true),
        ("(assert_return (invoke \"extern\" (ref.extern 5)) (ref.extern 6))", false),
        ("(assert_return (invoke \"extern\" (ref.extern 5)) (ref.extern))", true),
        ("(assert_return (invoke \"extern\" (ref.null extern)) (ref.extern))", false),
        ("(assert_return (get \"ten\") (either (i32.const 9) (i32.const 10)))", true),
        ("(assert_return (get \"ten\") (either (i32.const 9) (i32.const 8)))", false),
        ("(assert_return (invoke \"any\" (ref.host 5)) (ref.host 5))", true),
        ("(assert_return (invoke \"any\" (ref.host 5)) (ref.host 6))", false),
        ("(assert_return (invoke \"any\" (ref.host 5)) (ref.extern 5))", false),
        ("(assert_return (invoke \"any\" (ref.host 5)) (ref.eq))", false),
        ("(assert_return (invoke \"any\" (ref.host 5)) (ref.any))", true),
        ("(assert_return (invoke \"any\" (ref.null none)) (ref.null any))", true),
        ("(assert_return (invoke \"any\" (ref.null none)) (ref.any))", false),
        ("(assert_return (invoke \"any\" (ref.null extern)) (ref.null any))", false),
        ("(assert_return (invoke \"i31\") (ref.i31))", true),
        ("(assert_return (invoke \"i31\") (ref.eq))", true),
        ("(assert_return (invoke \"i31\") (ref.struct))", false),
        ("(assert_return (invoke \"array\") (ref.array))", true),
        ("(assert_return (invoke \"array\") (ref.i31))", false),
        (
            "(assert_return (invoke \"vector\")"
                + " (v128.const f32x4 nan:canonical 1 -0 nan:0x1))", true
        ),
        (
            "(assert_return (invoke \"vector\")"
                + " (v128.const f32x4 nan:arithmetic 1 -0 nan:arithmetic))", false
        ),
        (
            "(assert_return (invoke \"vector\")"
                + " (v128.const i32x4 0x7fc00000 0x3f800000 0x80000000 0x7f800001))", true
        ),
        (
            "(assert_return (invoke \"vector\")"
                + " (v128.const i32x4 0x7fc00000 0x3f800000 0 0x7f800001))", false
        ),
        ("(assert_exception (invoke \"throw\"))", true),
        ("(assert_exception (invoke \"null\"))", false),
        ("(assert_trap (invoke \"throw\") \"\")", false),
        ("(invoke \"throw\")", false),
        ("(assert_trap (invoke \"trap\") \"unreachable\")", true),
        ("(assert_trap (invoke \"trap\") \"unreach\")", true),
        ("(assert_trap (invoke \"trap\") \"unreachable code\")", false),
        ("(assert_trap (invoke \"trap\") \"integer overflow\")", false),
        ("(assert_trap (invoke \"divide\" (i32.const 0)) \"integer divide by zero\")", true),
        ("(assert_trap (invoke \"divide\" (i32.const 1)) \"integer divide by zero\")", false),
        ("(assert_trap (invoke \"none\") \"\")", false),
        ("(assert_exhaustion (invoke \"endless\") \"call stack exhausted\")", true),
        ("(assert_exhaustion (invoke \"trap\") \"unreachable\")", false),
        ("(assert_exception (invoke \"trap\"))", false),
        ("(invoke \"trap\")", false),
        ("(invoke \"endless\")", false),
        ("(invoke \"null\")", true),
        ("(register \"a\")", true),
        ("(register \"a\" $none)", false),
        ("(assert_something (invoke \"null\"))", false),
        ("(assert_return)", false),
        ("(frobnicate)", false),
        ("()", false),
        ("word", false),
        ("(wait $none)", false),
        ("(module instance $i $none)", false),
        ("(assert_invalid (module (func i32.add)) \"type mismatch\")", true),
        ("(assert_invalid (module) \"type mismatch\")", false),
        ("(assert_invalid (module quote \"(func i32.ad)\") \"type mismatch\")", false),
        ("(assert_invalid (module binary \"\\00asm\\01\") \"type mismatch\")", false),
        ("(assert_malformed (module quote \"(func i32.ad)\") \"unknown operator\")", true),
        ("(assert_malformed (module binary \"\\00asm\\01\") \"unexpected end\")", true),
        ("(assert_malformed (module quote \"(func i32.add)\") \"type mismatch\")", false),
        ("(assert_malformed (module quote \"(func)\") \"\")", false),
        ("(assert_malformed (module quote \"(@custom 4)\") \"\")", false),
        ("(assert_malformed_custom (module quote \"(@custom 4)\") \"@custom annotation\")", true),
        ("(assert_malformed_custom (module quote \"(func i32.ad)\") \"\")", false),
        ("(assert_malformed_custom (module quote \"(func)\") \"\")", false),
        ("(assert_invalid_custom (module quote \"(@custom 4)\") \"\")", false),
        ("(assert_unlinkable (module (import \"a\" \"b\" (func))) \"unknown import\")", true),
        ("(assert_unlinkable (module (import \"a\" \"b\" (func))) \"incompatible\")", false),
        (
            "(assert_unlinkable (module (import \"spectest\" \"print\" (memory 1)))"
                + " \"incompatible import type\")", true
        ),
        ("(assert_unlinkable (module) \"unknown import\")", false),
        ("(assert_unlinkable (module (func $f unreachable) (start $f)) \"unknown import\")", false),
        ("(assert_trap (module (func $f unreachable) (start $f)) \"unreachable\")", true),
        ("(assert_trap (module) \"unreachable\")", false),
        ("(module (func $f unreachable) (start $f))", false),
        ("(module (import \"a\" \"b\" (func)))", false),
        ("(module binary \"\\00asm\\01\\00\\00\\00\")", true),
        ("(module quote \"(func)\")", true),
        ("(module definition (memory 65536))", true),
        ("(module definition (func i32.add))", false),
    ])
    func command(_ text: String, passes: Bool) {
        let report = report(Self.calculator + text)
        #expect(report.failures.isEmpty == passes, "\(text): \(report.failures)")
        #expect(report.commandCount == 2, "\(text)")
    }

    @Test func failuresHaveTheirLines() {
        let report = report(
            """
            (module)

            (assert_return
              (invoke "a"))
            (b) (c)
            (module
              (func i32.ad))
            """)
        #expect(report.failures.map(\.line) == [3, 5, 5, 6])
        #expect(
            report.failures.last?.reason == "7:9: unknown operator: i32.ad. Did you mean 'i32.add'?"
        )
        #expect(report.commandCount == 5)
        #expect(report.assertionCount == 1)
    }

    @Test func failuresSayWhere() {
        func reason(_ script: String) -> String? { report(script).failures.first?.reason }
        #expect(
            reason("(module\n  (func (result i32)\n    (f32.const 1)))")
                == "3:18: invalid module: type mismatch: expected i32, found f32")
        #expect(
            reason("(module) (module quote \"(func i32.ad)\")")
                == "quoted text, 1:7: unknown operator: i32.ad. Did you mean 'i32.add'?")
        #expect(
            reason("(assert_retrun (invoke \"a\"))")
                == "unknown command: assert_retrun. Did you mean 'assert_return'?")
        #expect(reason("(module) word") == "unexpected token word: expected a command")
        let several = report("(module (func drop))\r\n (a)\r (module\r\n(func (x))) (module (foo))")
        #expect(several.failures.map(\.line) == [1, 2, 3, 4])
        #expect(
            several.failures.map { $0.reason.prefix { $0 != " " } }
                == ["1:15:", "unknown", "4:8:", "4:22:"])
    }

    @Test func unreadableScripts() {
        #expect(failures("(module") == [1])
        #expect(failures("(module))\n(module)") == [1])
        #expect(failures("\n(invoke \"a") == [2])
        #expect(runScript([0x28, 0xff], .init()).failures.count == 1)
        #expect(report("").commandCount == 0)
        #expect(report(";; nothing").commandCount == 0)
    }

    @Test func bareFieldsAreAModule() {
        let report = report("(func $f unreachable)\n(memory 1)\n")
        #expect(report.commandCount == 1)
        #expect(report.failures.isEmpty)
    }

    /// A module that fails does not change what the latest instance is.
    @Test func latestInstance() {
        #expect(
            failures(
                """
                (module (func (export "f") (result i32) (i32.const 1)))
                (assert_unlinkable (module (import "a" "b" (func))) "unknown import")
                (assert_trap (module (func $f unreachable) (start $f)) "unreachable")
                (module definition (func (export "f") (result i32) (i32.const 2)))
                (assert_return (invoke "f") (i32.const 1))
                (module (import "a" "b" (func)))
                (assert_return (invoke "f") (i32.const 1))
                (module instance)
                (assert_return (invoke "f") (i32.const 0))
                """) == [6, 8, 9])
    }

    @Test func instancesOfADefinition() {
        #expect(
            failures(
                """
                (module definition $M (global (export "g") (mut i32) (i32.const 0))
                  (func (export "set") (global.set 0 (i32.const 5))))
                (module instance $a $M)
                (module instance $b $M)
                (invoke $a "set")
                (assert_return (get $a "g") (i32.const 5))
                (assert_return (get $b "g") (i32.const 0))
                (assert_return (get "g") (i32.const 0))
                """
            ).isEmpty)
    }

    /// Each script has a store and a module `spectest` of its own, with all that scripts import.
    @Test func spectest() {
        let lines = Mutex<[String]>([])
        var options = ScriptOptions()
        options.print = { line in lines.withLock { $0.append(line) } }
        let script = """
            (module
              (import "spectest" "print" (func $print))
              (import "spectest" "print_i32" (func $print_i32 (param i32)))
              (import "spectest" "print_i64" (func (param i64)))
              (import "spectest" "print_f32" (func (param f32)))
              (import "spectest" "print_f64" (func (param f64)))
              (import "spectest" "print_i32_f32" (func $both (param i32 f32)))
              (import "spectest" "print_f64_f64" (func (param f64 f64)))
              (import "spectest" "global_i32" (global i32))
              (import "spectest" "global_i64" (global i64))
              (import "spectest" "global_f32" (global $f32 f32))
              (import "spectest" "global_f64" (global f64))
              (import "spectest" "table" (table 10 20 funcref))
              (import "spectest" "table64" (table i64 10 20 funcref))
              (import "spectest" "memory" (memory 1 2))
              (import "spectest" "shared_memory" (memory 1 2 shared))
              (func (export "print") (call $print)
                (call $print_i32 (global.get 0)) (call $both (i32.const 1) (global.get $f32)))
              (func (export "grow") (result i32) (memory.grow (i32.const 1))))
            (invoke "print")
            (assert_return (invoke "grow") (i32.const 1))
            """
        #expect(failures(script, options).isEmpty)
        #expect(
            lines.withLock { $0 } == ["", "i32 666", "i32 1, f32 666.6 (0x4426a666)"])
        #expect(failures(script).isEmpty)
    }

    @Test func threads() {
        let report = report(
            """
            (module $M (memory (export "m") 1 1 shared) (memory (export "own") 1))
            (register "M" $M)
            (thread $T (shared (module $M))
              (assert_unlinkable (module (import "M" "m" (memory 1 1 shared))) "unknown import")
              (register "M" $M)
              (assert_unlinkable (module (import "M" "own" (memory 1))) "unknown import")
              (module (import "M" "m" (memory 1 1 shared))
                (func (export "set") (i32.store (i32.const 0) (i32.const 5))))
              (invoke "set")
              (thread $inner (assert_return (invoke "set")))
              (wait $inner))
            (wait $T)
            (wait $T)
            (module (import "M" "m" (memory 1 1 shared))
              (func (export "get") (result i32) (i32.load (i32.const 0))))
            (assert_return (invoke "get") (i32.const 5))
            (thread $lost (shared (module $none)) (invoke "a"))
            """)
        #expect(report.commandCount == 17)
        #expect(report.assertionCount == 4)
        #expect(report.failures.map(\.line) == [10, 13, 17, 17])
    }

    @Test func limitsOfCommands() {
        let script = """
            (module
              (func (export "spin") (loop (br 0)))
              (func (export "short") (nop)))
            (invoke "spin")
            (invoke "short")
            """
        var options = ScriptOptions()
        options.fuel = 1000
        #expect(report(script, options).failures.map(\.reason) == ["trap \"all fuel consumed\""])
        options.fuel = nil
        options.timeLimit = .milliseconds(20)
        #expect(report(script, options).failures.map(\.reason) == ["trap \"deadline exceeded\""])
    }

    /// Features are those of the options and of the folders.
    @Test func features() {
        let script = "(module (memory 1 (pagesize 1)))"
        #expect(failures(script) == [1])
        var options = ScriptOptions()
        options.features.insert(.customPageSizes)
        #expect(failures(script, options).isEmpty)

        func features(_ path: String) -> [String] {
            ScriptFile(path: path, name: "").folderFeatures.names
        }
        #expect(features("a/proposals/custom-page-sizes/x.wast") == ["custom-page-sizes"])
        #expect(features("legacy/x.wast") == ["legacy-exceptions"])
        #expect(features("exceptions/simd/x.wast") == ["simd", "exceptions"])
        #expect(features("a/simd.wast") == [])
    }
}
