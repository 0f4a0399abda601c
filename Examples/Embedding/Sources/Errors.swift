import Wasmd

/// One error type for each thing that can be wrong.
func errors() throws {
    struct QuotaExceeded: Error {}
    let engine = Engine()

    do {
        _ = try Module([0, 1, 2, 3], engine: engine)
    } catch {
        // Typed: `error` is a `ModuleError`.
        switch error {
        case .file(let error): print("file:", error)
        case .malformed(let error): print("malformed:", error)
        case .cancelled: print("cancelled")
        case .invalid(let error): print("invalid:", error)
        }
    }

    let module = try Module(
        text: """
            (module
              (import "env" "spend" (func $spend (param i32)))
              (func (export "run") (param i32) (call $spend (local.get 0))))
            """, engine: engine)
    let linker = Linker()
    do {
        _ = try linker.instantiate(module, in: Store(engine: engine))
    } catch let error as LinkError {
        for failure in error.failures { print("link:", failure) }
    }

    linker.define("env", "spend") { (amount: Int32) in
        guard amount < 10 else { throw QuotaExceeded() }
    }
    let instance = try linker.instantiate(module, in: Store(engine: engine))
    do throws(ExportError) {
        _ = try instance.function("ran", as: ((Int32) -> Void).self)
    } catch {
        print("export:", error)
    }
    do throws(ExportError) {
        _ = try instance.function("run", as: ((Double) -> Int32).self)
    } catch {
        print("export:", error)
    }
    do {
        _ = try instance.function("run")?.call([.i64(1)])
    } catch let error as CallError {
        print("call:", error)
    }
    // What a host function throws goes through the guest unchanged.
    do {
        try instance.function("run", as: ((Int32) -> Void).self)(10)
    } catch is QuotaExceeded {
        print("the host's own error")
    }
}
