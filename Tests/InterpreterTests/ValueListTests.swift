import Testing
import WasmInterpreter

/// Lists of values on the operand stack: results of calls, operands of branches, parameters of blocks.
/// The translator keeps them as one entry and takes it apart where single values are wanted.
@Suite struct ValueListTests {
    /// `(func $five (result ...))` and others that the tests share.
    private static let functions = """
        (type $five (func (param i32 i64 f64 v128 f32) (result i32 i64 f64 v128 f32)))
        (type $give (func (result i32 i64 f64 v128 f32)))
        (type $take (func (param i32 i64 f64 v128 f32) (result i32)))
        (type $pair (func (param f64 v128 f32) (result f64 v128 f32)))
        (func $give (type $give)
          (i32.const 1) (i64.const 20) (f64.const 300) (v128.const i32x4 4000 0 0 0)
          (f32.const 50000))
        (func $same (type $five)
          (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4))
        (func $more (type $five)
          (i32.add (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 10))
          (f64.add (local.get 2) (f64.const 100)) (local.get 3) (local.get 4))
        (func $sum (type $take)
          (i32.add (local.get 0) (i32.add (i32.wrap_i64 (local.get 1))
            (i32.add (i32.trunc_f64_s (local.get 2))
              (i32.add (i32x4.extract_lane 0 (local.get 3)) (i32.trunc_f32_s (local.get 4)))))))
        (table funcref (elem $same $more))
        (tag $tag (param i32 i64 f64 v128 f32))
        """

    @Test(arguments: [
        // Calls of all kinds with what other calls left.
        ("(call $sum (call $give))", 54321),
        ("(call $sum (call $more (call $same (call $more (call $give)))))", 54543),
        ("(call $give) (call_indirect (type $five) (i32.const 1)) (call $sum)", 54432),
        ("(call $give) (ref.func $more) (call_ref $five) (call $sum)", 54432),
        // Values below and above, of which parts go.
        ("(i32.const 7) (call $give) (call $sum) (i32.add)", 54328),
        ("(call $give) (drop) (f32.const 2) (call $sum)", 4323),
        (
            """
            (call $give) (drop) (drop) (v128.const i32x4 9 0 0 0) (f32.const 2) (call $sum)
            """, 332
        ),
        ("(call $give) (drop) (drop) (drop) (drop)", 1),
        (
            """
            (call $give) (local.set 3) (local.set 2) (drop) (drop) (drop) (i32.trunc_f32_s
            (local.get 3))
            """, 50000
        ),
        ("(call $give) (call $give) (call $sum) (drop) (call $sum)", 54321),
        // A reinterpreted last value, and a selected one.
        ("(call $give) (i32.reinterpret_f32) (f32.reinterpret_i32) (call $sum)", 54321),
        ("(call $give) (f32.const 1) (i32.const 0) (select) (call $sum)", 4322),
        // Blocks with parameters and results, in whole and in part.
        ("(call $give) (block (type $five) (call $more)) (call $sum)", 54432),
        ("(call $give) (block (type $pair)) (call $sum)", 54321),
        ("(call $give) (loop (type $five) (call $more)) (call $sum)", 54432),
        (
            """
            (call $give) (if (type $five) (i32.const 1) (then (call $more)) (else (call
            $same))) (call $sum)
            """, 54432
        ),
        (
            """
            (call $give) (if (type $five) (i32.const 0) (then (call $more)) (else (call
            $same))) (call $sum)
            """, 54321
        ),
        // Branches that carry them, from their place and from elsewhere.
        ("(block $b (type $give) (call $give) (br $b)) (call $sum)", 54321),
        ("(block $b (type $give) (i32.const 3) (call $give) (br $b)) (call $sum)", 54321),
        (
            """
            (block $b (type $give) (call $give) (br_if $b (i32.const 1)) (call $more))
            (call $sum)
            """, 54321
        ),
        (
            """
            (block $b (type $give) (call $give) (br_if $b (i32.const 0)) (call $more))
            (call $sum)
            """, 54432
        ),
        (
            """
            (block $b (type $give) (i32.const 3) (call $give) (br_if $b (i32.const 1))
            (unreachable)) (call $sum)
            """, 54321
        ),
        // The last value is a constant or a local again and again.
        (
            """
            (block $b (type $give) (call $give)
              (drop) (f32.const 1) (br_if $b (i32.const 0))
              (drop) (local.get 3) (br_if $b (i32.const 0))
              (drop) (f32.const 3) (br_if $b (i32.const 1)) (unreachable))
            (call $sum)
            """, 4324
        ),
        (
            """
            (call $give) (block $a (type $five) (block $b (type $five)
              (br_table $a $b $a (i32.const 1))) (call $more)) (call $sum)
            """, 54432
        ),
        (
            """
            (call $give) (block $a (type $five) (block $b (type $five)
              (br_table $a $b $a (i32.const 2))) (call $more)) (call $sum)
            """, 54321
        ),
        (
            """
            (block $a (type $give) (i64.const 0) (block $b (type $give) (call $give)
              (br_table $a $b $a (i32.const 1))) (call $more) (br $a)) (call $sum)
            """, 54432
        ),
        // References, exceptions.
        (
            """
            (block $b (type $give) (call $give) (ref.null func) (br_on_null $b)
            (unreachable)) (call $sum)
            """, 54321
        ),
        (
            """
            (block $b (type $give)
              (try_table (catch $tag $b) (throw $tag (call $give))) (unreachable)) (call $sum)
            """, 54321
        ),
        ("(call $tail)", 54432),
    ])
    func listsKeepTheirValues(code: String, expected: Int32) throws {
        for isEarly in [false, true] {
            let house = TextHouse(translatesEarly: isEarly)
            let instance = try house.instantiate(
                """
                \(Self.functions)
                (elem declare func $more $sum)
                (func $tail (result i32) (return_call $sum (call $other)))
                (func $other (type $give) (return_call $more (call $give)))
                (func (export "run") (result i32) (local i32 i32 v128 f32) \(code))
                """)
            #expect(try instance.number("run") == expected)
        }
    }

    /// A structure of more fields than the instruction names one by one, and one of fewer.
    @Test(arguments: [32, 33, 100]) func structuresOfManyFields(count: Int) throws {
        let types = ["i8", "i32", "f64", "v128", "i16", "i64", "(ref null any)"]
        let constants = [
            "(i32.const 77)", "(i32.const 1000)", "(f64.const 2.5)", "(v128.const i64x2 6 5)",
            "(i32.const 300)", "(i64.const 9)", "(ref.i31 (i32.const 12))",
        ]
        let fields = (0..<count).map { "(field \(types[$0 % 7]))" }.joined()
        let values = (0..<count).map { constants[$0 % 7] }.joined(separator: " ")
        let instance = try TextHouse(stressed: true).instantiate(
            """
            (type $s (struct \(fields)))
            (func (export "run") (result i32) (local $s (ref null $s))
              (local.set $s (struct.new $s \(values)))
              (i32.add (struct.get_u $s 0 (local.get $s))
                (i32.add (struct.get_u $s 28 (local.get $s))
                  (i32.add (struct.get $s 29 (local.get $s))
                    (i32.add (i32.trunc_f64_s (struct.get $s 30 (local.get $s)))
                      (i32.add (i32.wrap_i64 (i64x2.extract_lane 1 (struct.get $s 31 (local.get $s))))
                        (i31.get_s (ref.cast i31ref (struct.get $s 27 (local.get $s))))))))))
            """)
        #expect(try instance.number("run") == 77 + 77 + 1000 + 2 + 5 + 12)
    }

    /// Locals that the body could not name all of.
    @Test func localsThatFewBytesDeclare() throws {
        let instance = try TextHouse().instantiate(
            """
            (func (export "run") (param i32) (result i32)
              (local \(String(repeating: "i64 ", count: 900))\(String(repeating: "f64 ", count: 900)))
              (local.set 700 (i64.const 5))
              (local.get 700)
              (local.set 700 (i64.add (local.get 700) (i64.const 1)))
              (local.set 1500 (f64.const 40))
              (local.tee 1500 (f64.add (local.get 1500) (local.get 1799)))
              (i64.trunc_f64_s) (i64.add)
              (i64.add (local.get 700)) (i64.add (local.get 899))
              (i32.wrap_i64) (i32.add (local.get 0)))
            """)
        #expect(try instance.number("run", 100) == 151)
    }

    /// Work per instruction does not depend on how many values a call has: a function of a hundred
    /// thousand calls of a thousand values each is translated before a deadline that is generous,
    /// and its code is small.
    @Test func thousandsOfValuesInEachCall() throws {
        let many = String(repeating: "i32 ", count: 1000)
        let module = try TextHouse().module(
            """
            (type $many (func (param \(many)) (result \(many))))
            (func $same (type $many) (unreachable))
            (func (export "run")
              \(String(repeating: "(i32.const 0)", count: 1000))
              \(String(repeating: "call $same\n", count: 20000))
              \(String(repeating: "drop ", count: 1000)))
            """)
        let code = try #require(module.registerCode(of: 1))
        // Three words a call, as for any other function.
        #expect(try #require(code.last).word < 3 * 20000 + 4 * 1000)
    }
}
