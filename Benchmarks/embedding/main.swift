import Wasmd

// Prints what calls between Swift and a guest, and instances, cost: nanoseconds an operation, the
// fastest of several rounds.
//
//     swift run -c release --package-path Benchmarks measure-embedding

let text = """
    (module
      (import "env" "add" (func $host (param i32 i32) (result i32)))
      (import "env" "poke" (func $poke (param i32)))
      (memory (export "memory") 1)
      (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
      (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
      (func (export "empty"))
      (func (export "empty_loop") (param $n i32) (result i32) (local $s i32)
        (loop $l
          (local.set $s (i32.add (local.get $s) (i32.const 1)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
      (func (export "call_loop") (param $n i32) (result i32) (local $s i32)
        (loop $l
          (local.set $s (call $host (local.get $s) (i32.const 1)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
      (func (export "poke_loop") (param $n i32)
        (loop $l
          (call $poke (local.get $n))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
    """

/// Nanoseconds that one of `count` operations takes, in the fastest of `rounds`.
func nanoseconds(_ count: Int, rounds: Int = 7, _ body: () throws -> Void) rethrows -> Double {
    var best = Duration.seconds(1000)
    for _ in 0..<rounds {
        let start = ContinuousClock.now
        try body()
        best = min(best, ContinuousClock.now - start)
    }
    let (seconds, attoseconds) = best.components
    return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(count)
}

func report(_ what: String, _ value: Double) {
    let tenths = Int((value * 10).rounded())
    let number = "\(tenths / 10).\(tenths % 10)"
    let padding = String(repeating: " ", count: max(1, 48 - what.count - number.count))
    print("\(what)\(padding)\(number) ns")
}

func measureCalls(_ module: Module, _ linker: Linker) throws {
    let instance = try linker.instantiate(module, in: Store(engine: module.engine))
    let count = 1_000_000

    let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
    report(
        "typed call (i32, i32) -> i32",
        try nanoseconds(count) {
            var sum: Int32 = 0
            for _ in 0..<count { sum = try add(sum, 1) }
            guard sum == count else { throw CancellationError() }
        })
    let swap = try instance.function("swap", as: ((Int64, Double) -> (Double, Int64)).self)
    report(
        "typed call (i64, f64) -> (f64, i64)",
        try nanoseconds(count) {
            var number: Int64 = 0
            for _ in 0..<count { number = try swap(number, 1).1 &+ 1 }
            guard number == count else { throw CancellationError() }
        })
    let empty = try instance.function("empty", as: (() -> Void).self)
    report("typed call () -> ()", try nanoseconds(count) { for _ in 0..<count { try empty() } })
    report(
        "call with values (i32, i32) -> i32",
        try nanoseconds(count) {
            for _ in 0..<count { _ = try add.function.call([.i32(1), .i32(2)]) }
        })

    let iterations: Int32 = 1_000_000
    func loop(_ name: Name) throws -> Double {
        let function = try instance.function(name, as: ((Int32) -> Int32).self)
        return try nanoseconds(Int(iterations)) {
            guard try function(iterations) == iterations else { throw CancellationError() }
        }
    }
    let bare = try loop("empty_loop")
    report("iteration of an empty loop", bare)
    report("guest to (Int32, Int32) -> Int32 and back", try loop("call_loop") - bare)
    let poke = try instance.function("poke_loop", as: ((Int32) -> Void).self)
    report(
        "guest to (Caller, UInt32) -> (), with a store",
        try nanoseconds(Int(iterations)) { try poke(iterations) } - bare)
}

func measureInstances(_ module: Module, _ linker: Linker) throws {
    let count = 2_000
    report(
        "instance in a new store",
        try nanoseconds(count) {
            for _ in 0..<count {
                _ = try linker.instantiate(module, in: Store(engine: module.engine))
            }
        })
    report(
        "instance in a new store, and a call",
        try nanoseconds(count) {
            for _ in 0..<count {
                let instance = try linker.instantiate(module, in: Store(engine: module.engine))
                let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
                _ = try add(1, 2)
            }
        })
    report(
        "instance in one store",
        try nanoseconds(count) {
            let store = Store(engine: module.engine)
            for _ in 0..<count { _ = try linker.instantiate(module, in: store) }
        })
}

let module = try Module(text: text, engine: Engine())
let linker = Linker()
linker.define("env", "add") { (a: Int32, b: Int32) in a &+ b }
linker.define("env", "poke") { (caller: borrowing Caller, address: UInt32) in
    try caller.memory.store(address, at: address & 0xfffc)
}
try measureCalls(module, linker)
try measureInstances(module, linker)
try measureGuests()
