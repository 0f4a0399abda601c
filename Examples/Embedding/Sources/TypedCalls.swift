import Wasmd

/// Functions of a guest as Swift functions: the types are compared once, a call allocates nothing.
func typedCalls() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (func (export "add") (param i32 i32) (result i32)
                (i32.add (local.get 0) (local.get 1)))
              (func (export "divide") (param i64 i64) (result i64 i64)
                (i64.div_s (local.get 0) (local.get 1)) (i64.rem_s (local.get 0) (local.get 1)))
              (func (export "twice") (param v128) (result v128)
                (i8x16.add (local.get 0) (local.get 0)))
              (func (export "same") (param externref) (result externref) (local.get 0)))
            """, engine: engine)
    let instance = try Instance(module, in: Store(engine: engine))

    let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
    print("2 + 3 =", try add(2, 3))

    let divide = try instance.function("divide", as: ((Int64, Int64) -> (Int64, Int64)).self)
    let (quotient, remainder) = try divide(17, 5)
    print("17 / 5 =", quotient, "remainder", remainder)

    let twice = try instance.function("twice", as: ((SIMD16<UInt8>) -> SIMD16<UInt8>).self)
    print("lane 0", try twice(SIMD16(repeating: 21))[0])

    let same = try instance.function("same", as: ((ExternReference?) -> ExternReference?).self)
    print(
        "the guest gives back:", try same(ExternReference("a value of the host"))?.value ?? "null")

    // Without Swift types, for what is known at run time only.
    let values = try instance.function("add")?.call([.i32(40), .i32(2)])
    print("values", values ?? [])
}
