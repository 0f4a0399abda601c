import Testing
import WasmDecoder

@testable import WasmText

/// Whatever stands in a text, there is a module or an error with a place in the text.
@Suite struct TextMutationTests {
    /// Texts with most of the grammar in them.
    static let seeds = [
        #"""
        (module $m (@name "M") (@custom "c" (before code) "x")
          (rec (type $t (sub (func (param $x i32) (result f64)))) (type $s (sub final (struct
            (field $a (mut i8)) (field (ref null $t) anyref)))))
          (type $v (array (mut i16)))
          (import "a" "b" (func $i (type $t))) (global (import "a" "g") (mut v128))
          (func $f (export "f") (export "g") (param i32) (param $p i64) (result i32) (local $l f32 )
            (block $b (result i32) (br_table $b 0 $b (i32.const 0x7fff_ffff) (local.get 0)))
            (@metadata.code.branch_hint "\01")
            if $q (result i32) i32.const 1 else $q i32.const 2 end $q
            (i32.load8_s $n offset=8 align=1 (i32.add)) drop
            (if (i32.eqz (local.get 0)) (then (drop (f64.const -0x1.8p-3))) (else nop))
            (try_table (catch $e 0) (catch_all_ref 0) (throw $e (i32.const 1)))
            (v128.const f32x4 1.5 nan:0x7 -inf 1e10) i8x16.extract_lane_s 3
            select (result i32) (ref.cast (ref null $s)) struct.get $s $a
            call_indirect $tab (param i32) (result i32) (call_indirect (type $t)) return)
          (table $tab i64 1 10 funcref) (table funcref (elem $f $i))
          (table 1 (ref func) (ref.func $f))
          (memory $n i64 1 2 shared (pagesize 1)) (memory (data "abc\u{1f600}\"" "\00"))
          (global $g (mut i32) (i32.const -1)) (tag $e (param i32)) (start $f)
          (elem $el (table $tab) (offset (i64.const 0)) func $f)
          (elem declare funcref (item ref.func 0))
          (data $d (memory $n) (i64.const 0) "x") (export "m" (memory $n))
          (func (try $z (do (memory.init $d)) (catch $e (rethrow $z)) (catch_all))
            (array.new_data $v $d)
            (br_on_cast 0 anyref (ref $s)) (i32.atomic.rmw.add offset=1) (; c (; d ;) ;) ;; e
            block $"a b" br $"a b" end $"a\20b"))
        """#,
        #"""
        (module definition $M (func (export "f"))) (module instance $I $M) (register "m" $I)
        (assert_return (invoke $I "f" (v128.const i64x2 1 -1) (ref.extern 1))
          (f32.const nan:canonical) (either (i32.const 1) (ref.null any)) (ref.struct))
        (assert_trap (module (func $s unreachable) (start $s)) "unreachable")
        (assert_malformed (module quote "(func" "(nop)") "x")
        (module binary "\00asm" "\01\00\00\00")
        (thread $T (shared (module $M)) (invoke "f" (f64.const 0x1p-1074)) (wait $T)) (get "g")
        """#,
    ]

    /// Numbers that are the same in every run.
    struct Random {
        var state: UInt64

        mutating func next(below limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(truncatingIfNeeded: state >> 33) % max(limit, 1)
        }
    }

    static func mutated(_ seed: [UInt8], _ random: inout Random) -> [UInt8] {
        var text = seed
        for _ in 0...random.next(below: 2) {
            let at = random.next(below: text.count)
            let length = min(1 + random.next(below: 12), text.count - at)
            let from = random.next(below: text.count - length + 1)
            switch random.next(below: 7) {
            case 0: text.removeSubrange(at..<at + length)
            case 1: text.insert(contentsOf: text[from..<from + length], at: at)
            case 2: text[at] = UInt8(random.next(below: 256))
            case 3: text[at] = Array("()\"$;@=0x_ \\".utf8)[random.next(below: 12)]
            case 4: text.replaceSubrange(at..<at + length, with: text[from..<from + length])
            case 5: text.removeSubrange(at...)
            default: text.swapAt(at, from)
            }
            if text.isEmpty { break }
        }
        return text
    }

    @Test(arguments: 0..<8) func everyTextGivesAModuleOrAnError(_ seed: UInt64) throws {
        var random = Random(state: seed)
        var accepted = 0
        for round in 0..<400 {
            let text = Self.mutated(Array(Self.seeds[0].utf8), &random)
            do {
                let bytes = try parseModule(text)
                // What the parser writes is well-formed as far as sections go.
                _ = try decode(ModuleBytes(bytes), features: [.all, .legacyExceptions])
                accepted += 1
            } catch let error as TextError {
                #expect(error.range.lowerBound >= 0 && error.range.lowerBound <= text.count)
                _ = error.rendered(in: text, path: "text")
            } catch let error as DecodingError {
                #expect(
                    error.reason == .invalidCustomPageSize || error.limit != nil,
                    "round \(round): \(error)")
            }
        }
        #expect(accepted > 0)
    }

    @Test(arguments: 0..<4) func everyScriptIsReadToItsEnd(_ seed: UInt64) throws {
        var random = Random(state: seed)
        for _ in 0..<400 {
            let text = Self.mutated(Array(Self.seeds[1].utf8), &random)
            guard var reader = try? ScriptReader(text) else { continue }
            readAll(&reader, text.count)
        }
    }

    private func readAll(_ reader: inout ScriptReader, _ limit: Int) {
        for _ in 0...limit {
            do {
                guard let command = try reader.nextCommand() else { return }
                switch command.kind {
                case .module(let module), .assertMalformed(let module, _): _ = try module.encode()
                case .thread(let thread):
                    var inner = thread.reader()
                    readAll(&inner, limit)
                default: break
                }
            } catch {}
        }
        Issue.record("the reader does not come to the end")
    }

    @Test func theUndamagedTextsAreFine() throws {
        _ = try decoded(Self.seeds[0])
        var reader = try ScriptReader(Array(Self.seeds[1].utf8))
        while try reader.nextCommand() != nil {}
    }
}
