import Testing

@testable import WasmInterpreter

/// Casts among all kinds of references, in one module and across modules.
@Suite struct CastTests {
    private static let types = """
        (rec
          (type $shape (sub (struct (field i32))))
          (type $circle (sub $shape (struct (field i32) (field f32))))
          (type $square (sub final $shape (struct (field i32) (field i64)))))
        (type $base (sub (array (ref null $shape))))
        (type $derived (sub $base (array (ref $circle))))
        (type $f (sub (func)))
        (type $g (sub $f (func)))
        """
    /// A value of every kind, then for every target which of them pass `ref.test`.
    private static let makers = [
        "(ref.null any)", "(ref.i31 (i32.const 5))", "(struct.new_default $shape)",
        "(struct.new_default $circle)", "(struct.new_default $square)",
        "(array.new_default $base (i32.const 2))", "(array.new_fixed $derived 0)",
        "(any.convert_extern (local.get $host))",
    ]
    private static let targets: [(type: String, passing: Set<Int>)] = [
        ("any", [1, 2, 3, 4, 5, 6, 7]), ("eq", [1, 2, 3, 4, 5, 6]), ("i31", [1]),
        ("struct", [2, 3, 4]), ("array", [5, 6]), ("none", []), ("$shape", [2, 3, 4]),
        ("$circle", [3]), ("$square", [4]), ("$base", [5, 6]), ("$derived", [6]),
    ]

    @Test(arguments: [false, true]) func allTargets(stressed: Bool) throws {
        var text = Self.types + "(func $make (param $i i32) (param $host externref) (result anyref)"
        for (index, maker) in Self.makers.enumerated() {
            text += "(if (i32.eq (local.get $i) (i32.const \(index))) (then (return \(maker))))"
        }
        text += "(unreachable))"
        for (index, (type, _)) in Self.targets.enumerated() {
            for null in ["", "null "] {
                let name = "\(index)\(null.isEmpty ? "" : "n")"
                let value = "(call $make (local.get 0) (local.get 1))"
                text += """
                    (func (export "test\(name)") (param i32 externref) (result i32)
                      (ref.test (ref \(null)\(type)) \(value)))
                    (func (export "testlocal\(name)") (param i32 externref) (result i32)
                      (local $x anyref) (local.set $x \(value)) (drop (ref.is_null (local.get $x)))
                      (if (result i32) (ref.test (ref \(null)\(type)) (local.get $x))
                        (then (i32.const 1)) (else (i32.const 0))))
                    (func (export "cast\(name)") (param i32 externref) (result i32)
                      (ref.is_null (ref.cast (ref \(null)\(type)) \(value))))
                    (func (export "branch\(name)") (param i32 externref) (result i32)
                      (block $yes (result (ref \(null)\(type)))
                        (br_on_cast $yes anyref (ref \(null)\(type)) \(value))
                        (drop) (return (i32.const 0)))
                      (drop) (i32.const 1))
                    (func (export "fail\(name)") (param i32 externref) (result i32)
                      (block $no (result anyref)
                        (br_on_cast_fail $no anyref (ref \(null)\(type)) \(value))
                        (drop) (return (i32.const 1)))
                      (drop) (i32.const 0))
                    (func (export "return\(name)") (param i32 externref)
                      (result i32 (ref null \(type)))
                      (drop (br_on_cast 0 anyref (ref null \(type)) (i32.const 1) \(value)))
                      (drop) (i32.const 0) (ref.null none))
                    """
            }
        }
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(text)
        let host = Value.extern(ExternReference("host"))
        for (index, (type, passing)) in Self.targets.enumerated() {
            for value in Self.makers.indices {
                for null in ["", "n"] {
                    let passes = passing.contains(value) || (value == 0 && !null.isEmpty)
                    let expected: Value = .i32(passes ? 1 : 0)
                    for form in ["test", "testlocal", "branch", "fail"] {
                        let name = "\(form)\(index)\(null)"
                        let result = try instance.call(name, .i32(Int32(value)), host)
                        #expect(result == [expected], "\(form) \(null) \(type) of value \(value)")
                    }
                    let name = "cast\(index)\(null)"
                    if passes {
                        let isNull: Value = .i32(value == 0 ? 1 : 0)
                        #expect(try instance.call(name, .i32(Int32(value)), host) == [isNull])
                    } else {
                        let trap = #expect(throws: Trap.self) {
                            try instance.call(name, .i32(Int32(value)), host)
                        }
                        #expect(trap?.code == .castFailure)
                    }
                }
                let results = try instance.call("return\(index)n", .i32(Int32(value)), host)
                let passes = passing.contains(value) || value == 0
                #expect(results.first == .i32(passes ? 1 : 0))
            }
        }
    }

    @Test func functions() throws {
        let house = TextHouse()
        let own = Function(store: house.store, parameters: [.i32], results: []) { _, _ in }
        house.linker.define("host", "f", .function(own))
        let instance = try house.instantiate(
            Self.types + """
                (import "host" "f" (func $host (param i32)))
                (func $a (type $f)) (func $b (type $g))
                (elem declare func $a $b $host)
                (func $pick (param i32) (result funcref)
                  (if (i32.eqz (local.get 0)) (then (return (ref.func $a))))
                  (if (i32.eq (local.get 0) (i32.const 1)) (then (return (ref.func $b))))
                  (if (i32.eq (local.get 0) (i32.const 2)) (then (return (ref.func $host))))
                  (ref.null nofunc))
                (func (export "f") (param i32) (result i32)
                  (ref.test (ref $f) (call $pick (local.get 0))))
                (func (export "g") (param i32) (result i32)
                  (ref.test (ref null $g) (call $pick (local.get 0))))
                (func (export "func") (param i32) (result i32)
                  (ref.test (ref func) (call $pick (local.get 0))))
                (func (export "none") (param i32) (result i32)
                  (ref.test nullfuncref (call $pick (local.get 0))))
                """)
        #expect(try (0...3).map { try instance.number("f", $0) } == [1, 1, 0, 0])
        #expect(try (0...3).map { try instance.number("g", $0) } == [0, 1, 0, 1])
        #expect(try (0...3).map { try instance.number("func", $0) } == [1, 1, 1, 0])
        #expect(try (0...3).map { try instance.number("none", $0) } == [0, 0, 0, 1])
    }

    /// Equal recursion groups of two modules define the same types, others do not.
    @Test func acrossModules() throws {
        let house = TextHouse()
        let provider = try house.instantiate(
            Self.types + """
                (func (export "circle") (result anyref) (struct.new_default $circle))
                (func (export "get") (param (ref $shape)) (result i32)
                  (struct.get $shape 0 (local.get 0)))
                """)
        for (name, external) in provider.exports { house.linker.define("p", name, external) }
        let user = try house.instantiate(
            """
            (type $other (sub (struct (field i32))))
            \(Self.types)
            (import "p" "circle" (func $circle (result anyref)))
            (import "p" "get" (func $get (param (ref $shape)) (result i32)))
            (func (export "same") (result i32) (ref.test (ref $circle) (call $circle)))
            (func (export "super") (result i32) (ref.test (ref $shape) (call $circle)))
            (func (export "other") (result i32) (ref.test (ref $other) (call $circle)))
            (func (export "pass") (result i32)
              (call $get (ref.cast (ref $shape) (call $circle))))
            """)
        #expect(try user.number("same") == 1)
        #expect(try user.number("super") == 1)
        #expect(try user.number("other") == 0)
        #expect(try user.number("pass") == 0)
        #expect(throws: LinkError.self) {
            try house.instantiate(
                """
                (rec (type $shape (sub (struct (field i32)))))
                (import "p" "get" (func $get (param (ref $shape)) (result i32)))
                """)
        }
    }

    /// Modules that only use `rec` and `sub` need no heap.
    @Test func onlyTypes() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (rec (type $a (sub (func (result i32)))) (type $b (sub $a (func (result i32)))))
            (table 2 funcref)
            (elem (i32.const 0) func $one $two)
            (func $one (type $a) (i32.const 1)) (func $two (type $b) (i32.const 2))
            (func (export "a") (param i32) (result i32) (call_indirect (type $a) (local.get 0)))
            (func (export "b") (param i32) (result i32) (call_indirect (type $b) (local.get 0)))
            """)
        #expect(try instance.number("a", 0) == 1)
        #expect(try instance.number("a", 1) == 2)
        #expect(try instance.number("b", 1) == 2)
        #expect(throws: Trap.self) { try instance.number("b", 0) }
    }
}

extension CastTests {
    /// Types in errors are what they are, not numbers.
    @Test func typesInErrors() throws {
        let house = TextHouse()
        let types = """
            (type $a (array (mut i8)))
            (type $s (struct (field i32) (field (mut (ref null $a)))))
            """
        let provider = try house.instantiate(
            types + "(func (export \"f\") (param (ref $s)) (result (ref $a)) unreachable)")
        for (name, external) in provider.exports { house.linker.define("p", name, external) }
        let error = #expect(throws: LinkError.self) {
            try house.instantiate("(import \"p\" \"f\" (func (param i32)))")
        }
        let text = "((ref (struct i32 (mut (ref null array))))) -> ((ref (array (mut i8))))"
        #expect(error?.failures.first?.detail.contains(text) == true)
    }
}
