import WasmInterpreter
import WasmWASI
import WasmdDigests

/// What to run, and for whom.
///
/// ```swift
/// var request = RunRequest(guest, of: module, in: world)
/// request.caller = "10.0.0.7 GET /greet"
/// let result = await runs.run(request, on: guests)
/// ```
public struct RunRequest {
    public var guest: PreparedGuest
    /// The SHA-256 of the module.
    public var digest: SHA256.Digest
    /// The scope of the module.
    public var module: RunScope
    /// The scope of the account, if there is one.
    public var account: RunScope?
    /// The export that is called.
    public var function: Name = "_start"
    public var arguments: [Value] = []
    /// Everything that the guest can access, its streams included.
    public var world: WASI {
        _read { yield shared.world }
        _modify {
            var world = shared.world
            defer { shared = SharedWorld(world) }
            yield &world
        }
    }
    private var shared: SharedWorld
    public var limits = RunLimits()
    /// For records: who asked for the run.
    public var caller = ""
    /// For records: the trace that the run belongs to.
    public var trace: RunTrace?
    /// Whether standard error goes to the log, instead of where `world` says.
    public var logsErrors = true
    /// What the result is to bring along; nil for nothing, which costs nothing.
    public var observation: RunObservation?
    /// Several calls of one instance in place of the call of `function`, for example to place
    /// arguments in the guest's memory before. What it returns is the run's result; `function` is
    /// for the record only, and nothing is told of pauses.
    public var body: ((RunCalls) async throws -> [Value])?
    /// Is given the store before the instance is made: for values under `HostKey`s.
    public var prepareStore: ((Store) -> Void)?
    /// The instance that the run uses, and makes if it is the first; nil for one of its own. The
    /// world is opened with the instance, so its streams belong to all of its runs and are not
    /// counted. `guest` must be that of the instance.
    public var kept: KeptInstance?

    public init(
        _ guest: PreparedGuest, digest: SHA256.Digest, module: RunScope, in world: WASI = WASI()
    ) {
        self.guest = guest
        self.digest = digest
        self.module = module
        shared = SharedWorld(world)
    }

    /// A run of a module of a cache.
    public init(_ guest: PreparedGuest, of module: CachedModule, in world: WASI = WASI()) {
        self.init(guest, digest: module.digest, module: module.scope, in: world)
    }

    /// The same for a world that many runs have.
    public init(_ guest: PreparedGuest, of module: CachedModule, in world: SharedWorld) {
        self.guest = guest
        digest = module.digest
        self.module = module.scope
        shared = world
    }
}

/// A world that many runs have: a copy of it is one reference.
public final class SharedWorld: Sendable {
    public let world: WASI

    public init(_ world: WASI) { self.world = world }
}

/// A trace and the span in it that caused a run, as W3C Trace Context numbers them.
public struct RunTrace: Hashable, Sendable {
    /// The number of the trace.
    public let high: UInt64
    public let low: UInt64
    public let span: UInt64
    /// The run's own span; nil if the trace is not recorded here.
    public let own: UInt64?

    public init(high: UInt64, low: UInt64, span: UInt64, own: UInt64? = nil) {
        self.high = high
        self.low = low
        self.span = span
        self.own = own
    }
}

extension RunTrace: CustomStringConvertible {
    /// The number of the trace: 32 hexadecimal digits.
    public var description: String { Self.digits(high) + Self.digits(low) }

    /// 16 hexadecimal digits.
    public static func digits(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: max(16 - digits.utf8.count, 0)) + digits
    }
}

/// The end of a run.
public struct RunResult {
    public let outcome: RunOutcome
    /// Nil if the run was refused: then `refusal` says why.
    public let record: RunRecord?
    public let refusal: RunRefusal?
    /// What the function returned. References are valid while their store exists, which they keep.
    public let values: [Value]
    /// The error behind `failed`, `trapped` and `limit`: `Trap`, `ResourceError`, `WASISetupError`,
    /// `CallError`, `NoSuchFunction`, or what `pause` threw.
    public let error: (any Error)?
    /// What `RunRequest.observation` asked for.
    public let findings: RunFindings?
}

/// The module exports no function with the name that a run was to call.
public struct NoSuchFunction: Error, Sendable, CustomStringConvertible {
    public let name: Name

    public var description: String {
        "the module exports no function \"\(HarmlessText.text(name.utf8))\""
    }
}
