import Wasmd

/// Swift closures that guests call: their WebAssembly types follow from their Swift types.
func hostFunctions() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "env" "hypotenuse" (func $hypotenuse (param f64 f64) (result f64)))
              (import "env" "divide" (func $divide (param i32 i32) (result i32 i32)))
              (import "env" "log" (func $log (param i32 i32)))
              (memory (export "memory") 1)
              (data (i32.const 8) "a message of the guest")
              (func (export "run") (result f64)
                (call $log (i32.const 8) (i32.const 22))
                (call $divide (i32.const 7) (i32.const 2))
                (drop) (drop)
                (call $hypotenuse (f64.const 3) (f64.const 4))))
            """, engine: engine)

    let linker = Linker()
    linker.define("env", "hypotenuse") { (a: Double, b: Double) in
        (a * a + b * b).squareRoot()
    }
    linker.define("env", "divide") { (a: Int32, b: Int32) in
        guard b != 0 else { throw Trap(.integerDivideByZero) }
        return (a / b, a % b)
    }
    // A closure that looks at who calls it takes a `Caller` first.
    linker.define("env", "log") { (caller: borrowing Caller, address: UInt32, count: UInt32) in
        print("guest:", try caller.memory.loadString(at: address, count: count))
    }
    let instance = try linker.instantiate(module, in: Store(engine: engine))
    print("hypotenuse", try instance.function("run", as: (() -> Double).self)())
}
