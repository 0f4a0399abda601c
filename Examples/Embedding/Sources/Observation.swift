import Wasmd

/// What happens in a store, told while it happens, and what ran, told afterwards.
func observation() throws {
    final class Log: StoreObserver {
        var depth = 0

        func didEnter(_ function: ObservedFunction) {
            print(String(repeating: "  ", count: depth) + (function.name ?? "?"))
            depth += 1
        }
        func willLeave(_ function: ObservedFunction) { depth -= 1 }
        func didTrap(_ trap: Trap) { print("trap:", trap.code) }
        func didGrowMemory(_ growth: MemoryGrowth) {
            print("memory grows by", growth.pagesAdded, "page")
        }
    }

    var configuration = Engine.Configuration()
    configuration.observesCalls = true
    configuration.countsBlocks = true
    let engine = Engine(configuration)
    let module = try Module(
        text: """
            (module
              (memory 1)
              (func $main (export "main") (call $grow) (call $fail (i32.const 0)))
              (func $grow (drop (memory.grow (i32.const 1))))
              (func $fail (param i32) (if (i32.eqz (local.get 0)) (then (unreachable)))))
            """, engine: engine)
    let store = Store(engine: engine)
    let log = Log()
    store.observer = log
    let profiler = Profiler()
    store.profiler = profiler
    do {
        try Instance(module, in: store).function("main", as: (() -> Void).self)()
    } catch is Trap {}
    for function in module.coverage?.functions ?? [] {
        print(function.name ?? "?", "ran", function.count, "times")
    }
    // `firefoxProfile` makes what profiler.firefox.com reads, `flameGraph` a picture (SVG).
    print("flame graph:", profiler.profile().flameGraph(title: "main").hasPrefix("<"))
}
