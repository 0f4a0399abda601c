import WasmInterpreter
import WasmWASI

/// A program of WASI preview 1 that is run again and again, each time in an instance of its own.
///
/// ```swift
/// let program = try GuestProgram(Module(path: "greet.wasm", engine: Engine()))
/// var world = WASI(arguments: ["greet"])
/// world.standardOutput = .buffer(output)
/// let outcome = await program.run(in: world, on: guests)
/// ```
///
/// Imports are resolved once. A program without a start function runs nothing while it is
/// instantiated, so all its instances begin alike: they are forks of one snapshot, which share the
/// pages that they do not write to. One with a start function, which could read random numbers
/// there, is instantiated each time.
public struct GuestProgram: Sendable {
    /// The limits of a run.
    public struct Limits: Sendable {
        /// The limits of its store; `totalBytes` holds for everything that the program takes.
        public var store = StoreLimits(totalBytes: 256 << 20)
        /// Units of work, as `Store.fuel`; nil for no limit.
        public var fuel: UInt64?
        /// From the beginning of the run, waiting included; nil for no limit.
        public var time: Duration? = .seconds(10)

        public init() {}
    }

    /// How a run ended.
    public enum Outcome: Sendable {
        /// `_start` returned (0), or the program called `proc_exit`.
        case exited(UInt32)
        /// The program trapped, also because a limit was reached: see `Trap.code`.
        case trapped(Trap)
        /// An exception that the program did not catch.
        case threw(Backtrace)
        /// It could not begin or continue: `ResourceError`, `WASISetupError`, or what `pause`
        /// threw.
        case failed(any Error)
    }

    public let module: Module
    private let prepared: PreparedModule
    private let snapshot: Snapshot?

    /// Resolves the imports and makes the first instance.
    ///
    /// - Throws: `LinkError` if the module imports more than WASI, `NoStartFunction` if it is no
    ///   command; `ResourceError`, and `Trap` for segments that do not fit.
    public init(_ module: Module) throws {
        guard module.export("_start")?.kind == .function else { throw NoStartFunction() }
        let linker = Linker()
        linker.defineWASI()
        self.module = module
        prepared = try linker.prepare(module)
        guard module.parsed.start == nil else {
            snapshot = nil
            return
        }
        let instance = try prepared.instantiate(in: Store(engine: module.engine))
        // An instance that cannot be saved, for example because of a value of the host, is made
        // each time.
        snapshot = try? instance.snapshot()
    }

    /// Whether runs are forks of a snapshot.
    public var isForked: Bool { snapshot != nil }

    /// Runs the program once, from a task of the loop. Cancelling the task ends the run.
    ///
    /// - Parameters:
    ///   - function: the export that is called, without parameters.
    ///   - world: everything that the program can access; folders are opened for each run.
    ///   - pause: see `GuestLoop.finish`.
    public func run(
        _ function: Name = "_start", in world: WASI, limits: Limits = Limits(),
        on guests: GuestLoop, pause: () async throws -> Void = {}
    ) async -> Outcome {
        do {
            let store = Store(engine: module.engine, limits: limits.store)
            store.fuel = limits.fuel
            store.deadline = limits.time.map { .now + $0 }
            store.wasiGuest = try WASIGuest(world)
            let instance =
                try snapshot.map { try prepared.instantiate(from: $0, in: store) }
                ?? prepared.instantiate(in: store)
            guard let start = instance.function(function) else { throw NoStartFunction() }
            _ = try await guests.finish(start.start(), pause: pause)
            return .exited(0)
        } catch let exit as GuestExit {
            return .exited(exit.code)
        } catch let trap as Trap {
            return .trapped(trap)
        } catch let exception as Exception {
            return .threw(exception.backtrace)
        } catch {
            return .failed(error)
        }
    }
}
