// What instances cost: microseconds to make, fork, restore and save one. Run it with
//
//     swift run -c release --package-path Benchmarks measure-instances [PERCENT]
//
// with PERCENT for fewer or more repetitions.
//
// Every row is the average of a series, the fastest of fifty series. Memory is what many that are kept
// take of the process, by the pages that are in memory.

import WasmInterpreter
import WasmText

let engine = Engine()

func module(_ fields: String) throws -> Module {
    try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
}

let small = try module(
    """
    (memory (export "memory") 1)
    (global $n (mut i32) (i32.const 0))
    (table 2 funcref)
    (elem (i32.const 0) $next $next)
    (data (i32.const 16) "hello")
    (func $next (export "next") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store (i32.const 32) (global.get $n))
      (global.get $n))
    """)
let bare = try module("(func (export \"next\") (result i32) i32.const 1)")

/// 16 MiB, all of it written by `fill`; `touch` writes to as many pages as it is told.
let large = try module(
    """
    (memory (export "memory") 256)
    (func (export "fill") (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x1000000)))
    (func (export "next") (result i32) (i32.load (i32.const 0x800000)))
    (func (export "touch") (param $pages i32)
      (loop
        (local.set $pages (i32.sub (local.get $pages) (i32.const 1)))
        (i32.store (i32.mul (local.get $pages) (i32.const 0x5000)) (i32.const 1))
        (br_if 0 (local.get $pages))))
    """)

/// Calls `next`.
func call(_ instance: Instance) throws {
    guard let next = instance.function("next") else { fatalError("next is exported") }
    let _: Int32 = try next()
}

func makeInstances() throws {
    report(
        "store",
        microseconds(20_000) { _ = Store(engine: engine) })
    report(
        "store + instance without memory + call",
        try microseconds(20_000) { try call(Instance(bare, in: Store(engine: engine))) })
    report(
        "store + small instance",
        try microseconds(20_000) { _ = try Instance(small, in: Store(engine: engine)) })
    report(
        "store + small instance + call",
        try microseconds(20_000) { try call(Instance(small, in: Store(engine: engine))) })
    let batch = 1000
    report(
        "small instance in a store of \(batch)",
        try microseconds(10) {
            let store = Store(engine: engine)
            for _ in 0..<batch { _ = try Instance(small, in: store) }
        } / Double(batch))
    for threads in [2, 4] {
        let count = max(1, 100 * percentage)
        var isComplete = true
        let time = microseconds(1) {
            isComplete =
                isComplete
                && onThreads(threads) {
                    for _ in 0..<count { try call(Instance(small, in: Store(engine: engine))) }
                }
        }
        report(
            isComplete
                ? "store + small instance + call, \(threads) threads, each" : "threads failed",
            time / Double(count))
    }
}

func useSnapshots() throws {
    let origin = try Instance(large, in: Store(engine: engine))
    _ = try origin.function("fill")?.call()
    report("snapshot of 16 MiB", try microseconds(5) { _ = try origin.snapshot() })
    let snapshot = try origin.snapshot()
    report(
        "fork of 16 MiB, with its store",
        try microseconds(2000) { _ = try Instance(snapshot, in: Store(engine: engine)) })
    report(
        "fork of 16 MiB, with its store + call",
        try microseconds(2000) { try call(Instance(snapshot, in: Store(engine: engine))) })
    let batch = 200
    report(
        "fork of 16 MiB in a store of \(batch)",
        try microseconds(5) {
            let store = Store(engine: engine)
            for _ in 0..<batch { _ = try Instance(snapshot, in: store) }
        } / Double(batch))
    let instance = try Instance(snapshot, in: Store(engine: engine))
    report(
        "restore of 16 MiB, unchanged", try microseconds(2000) { try instance.restore(snapshot) })
    for pages: Int32 in [1, 10, 100] {
        report(
            "write \(pages) pages + restore of 16 MiB",
            try microseconds(500) {
                _ = try instance.function("touch")?.call([.i32(pages)])
                try instance.restore(snapshot)
            })
    }
}

try makeInstances()
try usePreparedModules()
try useWASIGuests()
try resumeAmongInstances()
try useSnapshots()
