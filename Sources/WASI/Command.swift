import WasmInterpreter

/// The instance is not a command: it exports no function `_start`.
public struct NoStartFunction: Error, Hashable, Sendable {
    public init() {}
}

extension NoStartFunction: CustomStringConvertible {
    public var description: String { "the module exports no function _start" }
}

extension WASI {
    /// Loads a program from a file and runs it with this configuration.
    ///
    ///     let status = try WASI(arguments: ["greet", "world"]).run("greet.wasm")
    ///
    /// - Parameters:
    ///   - path: a module in the binary format. Without `arguments`, the program's name is the last
    ///     component of this path.
    ///   - engine: translates the module.
    ///   - limits: the limits of the program.
    /// - Returns: its exit code, 0 for success.
    /// - Throws: `ModuleError` if the file is not a module, `WASISetupError` if a folder cannot be
    ///   opened, `LinkError` if it imports more than WASI, `ResourceError`, `NoStartFunction`, and
    ///   `Trap` or `Exception` if the program fails.
    public func run(
        _ path: String, engine: Engine = Engine(), limits: StoreLimits = StoreLimits()
    ) throws -> UInt32 {
        let module = try Module(path: path, engine: engine)
        var world = self
        if arguments.isEmpty, let name = path.split(separator: "/").last {
            world.argumentBytes = [Array(name.utf8)]
        }
        return try world.run(module, in: Store(engine: engine, limits: limits))
    }

    /// Runs a program with this configuration, with its threads if it has any.
    ///
    ///     let store = Store(engine: engine)
    ///     store.deadline = .now + .seconds(2)
    ///     let status = try WASI(arguments: ["greet"]).run(module, in: store)
    ///
    /// - Parameters:
    ///   - module: a program: it exports `_start`.
    ///   - store: the store of its instance, with its limits.
    ///   - linker: the imports of the program besides WASI's, which are added.
    /// - Returns: the exit code, 0 for success.
    /// - Throws: as `run(_:engine:limits:)`, and errors of host functions.
    public func run(
        _ module: Module, in store: Store, linker: Linker = Linker()
    ) throws -> UInt32 {
        let guest = try linker.define(self)
        do {
            let threads = try linker.defineThreads(of: module, guest, in: store)
            return try linker.instantiate(module, in: store).runCommand(threads)
        } catch let exit as GuestExit {
            // The module's start function may have ended the program.
            return exit.code
        }
    }

    /// Makes runs repeatable: the clock starts at 1970 and advances only when a guest reads it or
    /// sleeps, and random numbers follow from `seed`. Not for secrets.
    ///
    ///     var wasi = WASI(arguments: ["simulate"])
    ///     wasi.makeDeterministic(seed: 42)
    ///     let status = try wasi.run("simulate.wasm", engine: Engine(.deterministic))
    ///
    /// The clock is made here and shared by all guests of this value: call this for each guest.
    /// Folders of the host and inherited streams are not changed; use `MemoryFolder` and `.bytes`
    /// instead.
    public mutating func makeDeterministic(seed: UInt64 = 0) {
        clock = .custom(VirtualClock())
        random = .seeded(seed)
    }
}

extension Instance {
    /// Runs a command: calls `_start` and returns the exit code, 0 if the function returns, or the
    /// code of `proc_exit`.
    ///
    /// - Parameter threads: the guest's threads, if it has any; they have ended when this returns.
    /// - Throws: `NoStartFunction`, `Trap` if the guest traps, and errors of host functions.
    public func runCommand(_ threads: GuestThreads? = nil) throws -> UInt32 {
        guard let start = function("_start") else { throw NoStartFunction() }
        do {
            if let threads {
                _ = try threads.run(in: store) { try start.call() }
            } else {
                _ = try start.call()
            }
            return 0
        } catch let exit as GuestExit {
            return exit.code
        }
    }
}
