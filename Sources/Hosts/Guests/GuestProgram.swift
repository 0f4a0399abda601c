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
/// Imports are resolved once, and instances are forks where that is possible: see `PreparedGuest`.
/// For places, records, logs and totals there is `GuestRuns`.
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

    private let guest: PreparedGuest

    /// Resolves the imports and makes the first instance.
    ///
    /// - Throws: `LinkError` if the module imports more than WASI, `NoStartFunction` if it is no
    ///   command; `ResourceError`, and `Trap` for segments that do not fit.
    public init(_ module: Module) throws {
        guard module.export("_start")?.kind == .function else { throw NoStartFunction() }
        guest = try PreparedGuest(module)
        if module.parsed.start == nil, case .failure(let error) = guest.obstacle { throw error }
    }

    public var module: Module { guest.module }

    /// Whether runs are forks of a snapshot.
    public var isForked: Bool { guest.obstacle == nil }

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
        let executions: [Execution]
        do {
            executions = try begin(function, in: world, limits: limits)
        } catch {
            return .failed(error)
        }
        return await finish(executions, on: guests, pause: pause)
    }

    /// Makes an instance for a run, in which nothing has run yet. `limits.time` begins now.
    ///
    /// A task that only finishes it takes less memory while the guest waits than one of `run`, which
    /// keeps a world.
    ///
    /// - Returns: what `finish` runs, one after the other: a start function, if the instance is no
    ///   fork, and the function.
    /// - Throws: `ResourceError`, `WASISetupError`, `NoStartFunction`.
    public func begin(
        _ function: Name = "_start", in world: WASI, limits: Limits = Limits()
    ) throws -> [Execution] {
        let store = Store(engine: module.engine, limits: limits.store)
        store.fuel = limits.fuel
        store.deadline = limits.time.map { .now + $0 }
        store.wasiGuest = try WASIGuest(world)
        let instance: Instance
        var functions: [Function] = []
        if let fork = try guest.fork(in: store, world) {
            instance = fork
        } else {
            (instance, functions) = try guest.instantiate(in: store)
        }
        guard let wanted = instance.function(function) else { throw NoStartFunction() }
        functions.append(wanted)
        return try functions.map { try $0.start() }
    }

    /// Runs the executions of `begin`, from a task of the loop. Cancelling the task ends the run.
    public func finish(
        _ executions: [Execution], on guests: GuestLoop, pause: () async throws -> Void = {}
    ) async -> Outcome {
        do {
            for execution in executions {
                _ = try await guests.finish(execution, pause: pause)
            }
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
