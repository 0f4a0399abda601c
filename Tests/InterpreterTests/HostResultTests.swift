import Testing
import WasmInterpreter

/// Results that host functions write as bits, or forget to write.
@Suite struct HostResultTests {
    private static let call = """
        (type $box (struct (field i32)))
        (type $list (array i32))
        (import "env" "f" (func $f (param i64) (result RESULT)))
        (tag $tag)
        (func (export "call") (param i64) (result RESULT) (call $f (local.get 0)))
        (func (export "box") (result anyref) (struct.new $box (i32.const 7)))
        (func (export "list") (result anyref) (array.new_default $list (i32.const 7)))
        (func (export "exception") (result exnref)
          (block $h (result exnref) (try_table (catch_all_ref $h) (throw $tag)) (unreachable)))
        """

    /// An instance whose function `call` answers the bits of its argument as a reference.
    private func instance(_ result: String, _ type: ValueType) throws -> Instance {
        let house = TextHouse()
        house.linker.defineFunction("env", "f", parameters: [.i64], results: [type]) { _, _ in }
        return try house.instantiate(
            Self.call.split(separator: "RESULT", omittingEmptySubsequences: false)
                .joined(separator: result))
    }

    private func isRefused(_ instance: Instance, _ bits: Int64, _ type: ValueType) -> Bool {
        do {
            try instance.call("call", .i64(bits))
            return false
        } catch {
            return error as? CallError == .result(index: 0, .typeMismatch(expected: type))
        }
    }

    @Test func bitsAreNoReferences() throws {
        let types: [(String, ReferenceType)] = [
            ("funcref", .funcref), ("externref", .externref),
            ("anyref", ReferenceType(.any, nullable: true)),
            ("exnref", ReferenceType(.exn, nullable: true)),
        ]
        for (name, reference) in types {
            let type = ValueType(reference)
            let instance = try instance(name, type)
            // So that there are objects.
            for name in ["box", "list", "exception"] { try instance.call(name) }
            #expect(try instance.call("call", .i64(0)).count == 1)
            for bits: Int64 in [8, 4, 0x7fff_0000_1000, 1 << 40, -8, 10] {
                #expect(isRefused(instance, bits, type))
            }
        }
    }

    @Test func nullIsRefusedWhereThereIsNone() throws {
        let type = ValueType(ReferenceType(.func, nullable: false))
        let instance = try instance("(ref func)", type)
        #expect(isRefused(instance, 0, type))
    }

    @Test func referencesOfOtherTypesAreRefused() throws {
        let house = TextHouse()
        var wanted: Value = .any(nil)
        house.linker.defineFunction(
            "env", "f", parameters: [.i64],
            results: [ValueType(ReferenceType(.i31, nullable: true))]
        ) { _, slots in
            try slots.setResult(0, wanted, as: ValueType(ReferenceType(.any, nullable: true)))
        }
        let instance = try house.instantiate(
            Self.call.split(separator: "RESULT", omittingEmptySubsequences: false)
                .joined(separator: "i31ref"))
        wanted = .any(AnyReference(i31: -3))
        #expect(try instance.call("call", .i64(0)) == [wanted])
        wanted = try #require(instance.call("box").first)
        #expect(
            isRefused(instance, 0, ValueType(ReferenceType(.i31, nullable: true))))
    }

    @Test func referencesOfTheStoreAreGood() throws {
        let house = TextHouse()
        let any = ValueType(ReferenceType(.any, nullable: true))
        let exception = ValueType(ReferenceType(.exn, nullable: true))
        var wanted: [Value] = []
        house.linker.defineFunction(
            "env", "f",
            results: [ValueType(.funcref), .i32, .v128, ValueType(.externref), any, exception]
        ) { _, slots in
            var slot = 0
            let types = [ValueType(.funcref), .i32, .v128, ValueType(.externref), any, exception]
            for (value, type) in zip(wanted, types) {
                try slots.setResult(slot, value, as: type)
                slot += type == .v128 ? 2 : 1
            }
        }
        let instance = try house.instantiate(
            """
            (type $box (struct (field i32)))
            (import "env" "f"
              (func $f (result funcref i32 v128 externref anyref exnref)))
            (tag $tag)
            (func (export "call") (result funcref i32 v128 externref anyref exnref) (call $f))
            (func (export "box") (result anyref) (struct.new $box (i32.const 7)))
            (func (export "exception") (result exnref)
              (block $h (result exnref) (try_table (catch_all_ref $h) (throw $tag)) (unreachable)))
            """)
        let box = try #require(instance.call("box").first)
        let thrown = try #require(instance.call("exception").first)
        let host = Function(store: house.store) { _, _ in }
        let vector = Value.v128(low: .max, high: .max)
        for function in [instance.function("call"), host] {
            for reference in [ExternReference("text"), ExternReference(handle: 1 << 60)] {
                for object in [box, .any(AnyReference(internalizing: reference))] {
                    wanted = [
                        .function(function), .i32(-1), vector, .extern(reference), object, thrown,
                    ]
                    #expect(try instance.call("call") == wanted)
                }
            }
        }
    }

    @Test func upperHalvesAreZeros() throws {
        let house = TextHouse()
        house.linker.defineFunction("env", "f", results: [.i32, .f32, .i64]) { _, slots in
            for index in 0..<3 { slots[index] = .max }
        }
        let instance = try house.instantiate(
            """
            (import "env" "f" (func $f (result i32 f32 i64)))
            (memory 1)
            (func (export "widened") (result i64 i64 i64)
              (local i32 f32 i64)
              (call $f) (local.set 2) (local.set 1) (local.set 0)
              (i64.extend_i32_u (local.get 0))
              (i64.extend_i32_u (i32.reinterpret_f32 (local.get 1))) (local.get 2))
            (func (export "load") (result i32) (local i32)
              (call $f) (drop) (drop) (local.set 0)
              (i32.load offset=4 (local.get 0)))
            """)
        #expect(
            try instance.call("widened") == [.i64(0xffff_ffff), .i64(0xffff_ffff), .i64(-1)])
        #expect(throws: Trap.self) { try instance.call("load") }
    }
}
