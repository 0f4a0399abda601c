import Testing
import Wasmd

@Suite struct TypedCallTests {
    private let text = """
        (module
          (memory (export "memory") 1)
          (global (export "g") i32 (i32.const 1))
          (func (export "nothing"))
          (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
          (func (export "divide") (param i64 i64) (result i64 i64)
            (i64.div_s (local.get 0) (local.get 1)) (i64.rem_s (local.get 0) (local.get 1)))
          (func (export "mix") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
            (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0))
          (func (export "not") (param i32) (result i32) (i32.eqz (local.get 0)))
          (func $f (export "references") (param funcref externref anyref)
            (result anyref externref funcref) (local.get 2) (local.get 1) (local.get 0))
          (func (export "one") (result (ref i31)) (ref.i31 (i32.const 1))))
        """

    @Test func numbers() throws {
        let instance = try instance(text)
        let nothing = try instance.function("nothing", as: (() -> Void).self)
        try nothing()
        let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
        #expect(try add(2, -3) == -1)
        let unsigned = try instance.function("add", as: ((UInt32, Int32) -> UInt32).self)
        #expect(try unsigned(2, -3) == UInt32.max)
        let divide = try instance.function("divide", as: ((Int64, Int64) -> (Int64, Int64)).self)
        let (quotient, remainder) = try divide(17, 5)
        #expect(quotient == 3)
        #expect(remainder == 2)
        #expect(throws: Trap.self) { try divide(1, 0) }
        let not = try instance.function("not", as: ((Bool) -> Bool).self)
        #expect(try not(false))
        #expect(try !not(true))
    }

    /// A vector takes two slots: what stands behind it must not be lost.
    @Test func everyNumberType() throws {
        typealias Vector = SIMD16<UInt8>
        let mix = try instance(text).function(
            "mix",
            as: ((Int32, UInt64, Float, Double, Vector) -> (Vector, Double, Float, UInt64, Int32))
                .self)
        var vector = Vector()
        for lane in vector.indices { vector[lane] = UInt8(lane) }
        let result = try mix(-1, .max, 1.5, -2.5, vector)
        #expect(result.0 == vector)
        #expect(result.1 == -2.5)
        #expect(result.2 == 1.5)
        #expect(result.3 == .max)
        #expect(result.4 == -1)
    }

    @Test func references() throws {
        let instance = try instance(text)
        typealias Signature = (Function?, ExternReference?, AnyReference?) -> (
            AnyReference?, ExternReference?, Function?
        )
        let references = try instance.function("references", as: Signature.self)
        let text = ExternReference("text")
        let number = AnyReference(i31: 7)
        let back = try references(references.function, text, number)
        #expect(back.0 == number)
        #expect(back.1 == text)
        #expect(back.2 == references.function)
        let nulls = try references(nil, nil, nil)
        #expect(nulls.0 == nil && nulls.1 == nil && nulls.2 == nil)
        // A result may be of a narrower type than the Swift type says.
        let one = try instance.function("one", as: (() -> AnyReference?).self)
        #expect(try one()?.kind == .i31(1))
        #expect(throws: ExportError.self) { try instance.function("one", as: (() -> Int32).self) }
    }

    @Test func referenceOfAnotherStore() throws {
        let references = try instance(text).function(
            "references",
            as: ((Function?, ExternReference?, AnyReference?) -> (
                AnyReference?, ExternReference?, Function?
            )).self)
        let stranger = try instance(text).function("nothing")
        #expect(throws: CallError.argument(index: 0, .foreignStore)) {
            try references(stranger, nil, nil)
        }
    }

    @Test func errorsOfLookups() throws {
        let instance = try instance(text)
        let i32 = ValueType.i32
        #expect(
            throws: ExportError.signature(
                "add", expected: FunctionType(parameters: [.i64], results: [.f32]),
                found: FunctionType(parameters: [i32, i32], results: [i32]))
        ) { try instance.function("add", as: ((Int64) -> Float).self) }
        #expect(throws: ExportError.kind("memory", expected: .function, found: .memory)) {
            try instance.function("memory", as: (() -> Void).self)
        }
        let error = #expect(throws: ExportError.self) {
            try instance.function("ad", as: (() -> Void).self)
        }
        #expect(
            error?.description == """
                no function "ad" is exported; there is "nothing", "add", "divide", "mix", "not", \
                "references", "one"
                """)
        let wrong = #expect(throws: ExportError.self) {
            try instance.function("not", as: ((Int32, Double) -> Void).self)
        }
        #expect(
            wrong?.description == """
                the function "not" has type (i32) -> (i32), it was asked for as (i32, f64) -> ()
                """)
    }

    @Test func untypedAndSingleCalls() throws {
        let add = try #require(try instance(text).function("add"))
        #expect(try add.call([.i32(2), .i32(3)]) == [.i32(5)])
        #expect(try add(2 as Int32, 3 as Int32, returning: Int32.self) == 5)
        #expect(throws: CallError.argumentCount(expected: 2, given: 1)) { try add.call([.i32(2)]) }
        #expect(throws: CallError.argument(index: 1, .typeMismatch(expected: .i32))) {
            try add.call([.i32(2), .f32(2)])
        }
        #expect(throws: CallError.self) { try add(2 as Int64, 3 as Int32, returning: Int32.self) }
    }

    @Test func typedFunctionKeepsItsStore() throws {
        let add = try { () throws -> TypedFunction<(Int32, Int32) -> Int32> in
            try instance(text).function("add", as: ((Int32, Int32) -> Int32).self)
        }()
        #expect(try add(20, 22) == 42)
    }
}
