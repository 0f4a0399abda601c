@_exported import WasmDebugInfo
@_exported import WasmDecoder
import WasmValidator

/// Shared by modules and stores: the configuration and the types of all modules.
///
/// Modules and stores must belong to the same engine, since each engine numbers types itself.
public final class Engine: Sendable {
    public struct Configuration: Sendable {
        /// The features that modules may use.
        public var features: Features = .default
        /// Translate all functions when a module is made, instead of each at its first call.
        public var eagerTranslation = false
        /// Threads that validate a module; nil decides by its size.
        public var validationThreads: Int?
        /// Collect garbage before every allocation: slow, to find objects that are freed too early.
        public var collectsAtEveryAllocation = false
        /// Return the positive canonical NaN wherever the specification allows several, so that
        /// results do not depend on the processor. Costs an instruction for every such operation.
        /// Loads, `neg`, `abs`, `copysign`, `pmin` and `pmax` keep the bits of their operands.
        ///
        /// Specification: 4.3.3 (NaN propagation), appendix "Profiles" (deterministic profile).
        public var canonicalizesNaNs = false
        /// Report calls and returns to the `observer` of a store. Calls take longer then, also in
        /// stores without an observer.
        public var observesCalls = false
        /// Count how often each block of code runs, for `Module.coverage`. Guests take longer: see
        /// `docs/observation.md`.
        public var countsBlocks = false
        /// Keep the values of parameters and locals in the frames of a trap's backtrace, for
        /// `Store.writeCoreDump`. Functions take a little longer to enter, since all locals must
        /// have a value from the start.
        public var capturesLocals = false
        /// The number of freed memories and value stacks that the engine keeps, which later guests
        /// use without a system call. Each keeps its address space and up to 128 KiB of resident
        /// memory, 16 KiB for value stacks. 0 or less keeps none. A server should keep two for each
        /// guest that it expects to start soon; a process may have about 65,000 mappings, of which
        /// each kept one uses one or two.
        public var keptReservations = 32

        public init() {}

        /// Makes runs repeatable: the same module with the same imports gives the same results on
        /// every machine. One canonical NaN, and no shared memories, because threads race; relaxed
        /// vector instructions are always deterministic. `WASI.makeDeterministic(seed:)` does the
        /// same for WASI.
        ///
        ///     let engine = Engine(.deterministic)
        public static var deterministic: Configuration {
            var configuration = Configuration()
            configuration.canonicalizesNaNs = true
            configuration.features.remove(.threads)
            return configuration
        }
    }

    public let configuration: Configuration
    /// The types of all modules of the engine, numbered so that equal types have one number.
    public let types: TypeRegistry
    /// Address space of freed memories and value stacks.
    let reservations: ReservationPool

    public init(_ configuration: Configuration = .init()) {
        self.configuration = configuration
        types = TypeRegistry()
        reservations = ReservationPool(capacity: configuration.keptReservations)
    }
}
