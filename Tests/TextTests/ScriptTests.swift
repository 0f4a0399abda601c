import Testing
import WasmDecoder

@testable import WasmText

@Suite struct ScriptTests {
    /// All commands of a script; where one is not understood, the reason instead.
    func commands(_ text: String) throws -> [Result<ScriptCommand, TextError>] {
        var reader = try ScriptReader(Array(text.utf8))
        var result: [Result<ScriptCommand, TextError>] = []
        while true {
            do {
                guard let command = try reader.nextCommand() else { return result }
                result.append(.success(command))
            } catch let error {
                result.append(.failure(error))
            }
        }
    }

    func command(_ text: String) throws -> ScriptCommand.Kind {
        let all = try commands(text)
        #expect(all.count == 1)
        return try #require(all.first).get().kind
    }

    @Test func modules() throws {
        guard case .module(let plain) = try command("((@a) module (@a) $m ((@a) func))") else {
            return #expect(Bool(false))
        }
        #expect(plain.name == Array("m".utf8))
        #expect(!plain.isDefinition)
        #expect(try stripped(plain.encode()) == stripped(assemble("(func)")))

        guard case .module(let definition) = try command("(module definition $\"m\" (func))") else {
            return #expect(Bool(false))
        }
        #expect(definition.isDefinition)
        #expect(try stripped(definition.encode()) == stripped(assemble("(func)")))

        guard case .module(let binary) = try command(#"(module binary "\00a" "sm")"#) else {
            return #expect(Bool(false))
        }
        #expect(binary.form == .binary([0, 0x61, 0x73, 0x6d]))

        guard case .module(let quote) = try command(#"(module quote "(func" ")")"#) else {
            return #expect(Bool(false))
        }
        #expect(quote.form == .quote(Array("(func)".utf8)))
        #expect(try quote.encode() == assemble("(func)"))

        guard case .module(let bare) = try command("(func) (memory 0)") else {
            return #expect(Bool(false))
        }
        #expect(try bare.encode() == assemble("(func) (memory 0)"))
        #expect(try commands(";; nothing").isEmpty)
    }

    @Test func errorsInModulesHaveTheirPlaceInTheScript() throws {
        let text = "(module)\n(module (func\n  (nope)))"
        guard case .module(let module) = try commands(text)[1].get().kind else {
            return #expect(Bool(false))
        }
        let error = #expect(throws: TextError.self) { try module.encode() }
        #expect(error?.reason == .unknownInstruction)
        #expect(error?.position(in: Array(text.utf8)).line == 3)
    }

    @Test func instancesAndRegistration() throws {
        guard case .instance(let instance) = try command("(module instance $i $m)") else {
            return #expect(Bool(false))
        }
        #expect(instance == ScriptInstance(name: Array("i".utf8), module: Array("m".utf8)))
        guard case .register(let name, let of) = try command(#"(register "a\20b" $i)"#) else {
            return #expect(Bool(false))
        }
        #expect(name == "a b")
        #expect(of == Array("i".utf8))
    }

    @Test func arguments() throws {
        guard
            case .action(let action) = try command(
                #"(invoke $i "f" (i32.const -1) (i64.const 0x10) (f32.const -0) (f64.const inf)"#
                    + "(v128.const i32x4 1 2 3 4) (ref.null exn) (ref.extern 7) (ref.host 8))")
        else { return #expect(Bool(false)) }
        #expect(action.instance == Array("i".utf8))
        #expect(action.name == "f")
        #expect(
            action.kind
                == .invoke([
                    .i32(0xffff_ffff), .i64(16), .f32(0x8000_0000), .f64(0x7ff0_0000_0000_0000),
                    .v128(low: 0x2_0000_0001, high: 0x4_0000_0003), .refNull(.exn), .refExtern(7),
                    .refHost(8),
                ]))
        guard case .action(let get) = try command(#"(get "g")"#) else {
            return #expect(Bool(false))
        }
        #expect(get == ScriptAction(instance: nil, name: "g", kind: .get))
    }

    @Test func results() throws {
        guard
            case .assertReturn(_, let results) = try command(
                #"(assert_return (invoke "f") (f32.const nan:canonical) (f64.const nan:arithmetic)"#
                    + "(v128.const f32x4 0 nan:canonical 0x1p0 nan) (ref.null) (ref.null any) (ref)"
                    + "(ref.func) (ref.extern) (ref.extern 1) (ref.host 2) (ref.i31) (ref.eq)"
                    + "(ref.struct) (ref.array) (ref.exn)"
                    + "(either (i32.const 1) (either (i64.const 2))))")
        else { return #expect(Bool(false)) }
        #expect(
            results == [
                .f32(.canonicalNaN), .f64(.arithmeticNaN),
                .v128(
                    .f32x4, [.bits(0), .canonicalNaN, .bits(0x3f80_0000), .bits(0x7fc0_0000)]),
                .null(nil), .null(.any), .anyReference, .reference(.func), .reference(.extern),
                .refExtern(1), .refHost(2), .reference(.i31), .reference(.eq), .reference(.struct),
                .reference(.array), .reference(.exn), .either([.i32(1), .either([.i64(2)])]),
            ])
    }

    @Test func assertions() throws {
        let text = """
            (assert_trap (invoke "f") "m") (assert_trap (module) "m")
            (assert_trap (module instance $a $b) "m")
            (assert_exhaustion (invoke "f") "m") (assert_exception (invoke "f"))
            (assert_invalid (module) "m") (assert_malformed (module quote "") "m")
            (assert_unlinkable (module) "m") (assert_unlinkable (module instance) "m")
            (assert_invalid_custom (module) "m") (assert_malformed_custom (module) "m")
            """
        let kinds = try commands(text).map { result in
            switch try result.get().kind {
            case .assertTrap(_, "m"): "trap"
            case .assertUninstantiable(.module, "m"): "module traps"
            case .assertUninstantiable(.instance, "m"): "instance traps"
            case .assertExhaustion(_, "m"): "exhaustion"
            case .assertException: "exception"
            case .assertInvalid(_, "m"): "invalid"
            case .assertMalformed(_, "m"): "malformed"
            case .assertUnlinkable(.module, "m"): "unlinkable"
            case .assertUnlinkable(.instance, "m"): "unlinkable instance"
            case .assertInvalidCustom(_, "m"): "invalid custom"
            case .assertMalformedCustom(_, "m"): "malformed custom"
            default: "?"
            }
        }
        #expect(
            kinds == [
                "trap", "module traps", "instance traps", "exhaustion", "exception", "invalid",
                "malformed", "unlinkable", "unlinkable instance", "invalid custom",
                "malformed custom",
            ])
    }

    @Test func threadsHaveReadersOfTheirOwn() throws {
        let text = """
            (module $m)
            (thread $t (shared (module $m)) (shared (module $n))
              (register "m" $m)
              (thread $u (invoke "f"))
              (wait $u))
            (wait $t)
            """
        let all = try commands(text)
        #expect(try all.map { try $0.get().line } == [1, 2, 6])
        guard case .thread(let thread) = try all[1].get().kind else {
            return #expect(Bool(false))
        }
        #expect(thread.name == Array("t".utf8))
        #expect(thread.shared == [Array("m".utf8), Array("n".utf8)])
        var reader = thread.reader()
        var lines: [Int] = []
        while let command = try reader.nextCommand() { lines.append(command.line) }
        #expect(lines == [3, 4, 5])
    }

    @Test func readingGoesOnBehindWhatIsNotUnderstood() throws {
        let text = """
            (module) (frobnicate (a "(" b)) (module) nonsense (module)
            (assert_return (invoke "f") (ref.frob)) (module) ) (assert_malformed (module))
            (module) (invoke $ "f") (module (func)
            """
        let all = try commands(text)
        let reasons = all.map { result -> TextError.Reason? in
            if case .failure(let error) = result { error.reason } else { nil }
        }
        #expect(
            reasons == [
                nil, .unknownCommand, nil, .expected(.command), nil, .expected(.resultPattern), nil,
                .expected(.command), .expected(.string), nil, .emptyIdentifier,
                .unclosedParenthesis,
            ])
        // Fields stand alone only if nothing is before them.
        #expect(try commands("(module) (func)").count == 2)
        let deep = String(repeating: "(either ", count: 100_000)
        #expect(try commands("(assert_return (invoke \"f\") \(deep)").count == 1)
    }
}
