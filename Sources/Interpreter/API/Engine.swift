@_exported import WasmDebugInfo
@_exported import WasmDecoder
import WasmValidator

/// What modules and stores share: the configuration and the types of all modules.
///
/// Modules and stores of different engines do not mix, since a type has a number per engine.
public final class Engine: Sendable {
    public struct Configuration: Sendable {
        /// What modules may use.
        public var features: Features = .default
        /// Translate all functions when a module is made, not each when it is first called.
        public var eagerTranslation = false
        /// Threads that validate a module; nil decides by its size.
        public var validationThreads: Int?
        /// Collect garbage before every allocation: slow, and finds what a collection misses.
        public var collectsAtEveryAllocation = false
        /// Give one NaN, the positive canonical one, wherever the specification lets an operation
        /// choose among several: then results do not depend on the processor. Costs an instruction
        /// for every such operation. Loads, `neg`, `abs`, `copysign`, `pmin` and `pmax` keep the
        /// bits they are given.
        ///
        /// Specification: 4.3.3 (NaN propagation), appendix "Profiles" (deterministic profile).
        public var canonicalizesNaNs = false
        /// Tell the `observer` of a store of calls and returns. Calls take longer then, also in
        /// stores without one.
        public var observesCalls = false
        /// Count how often each block of code runs, for `Module.coverage`. Guests take longer: see
        /// `docs/observation.md`.
        public var countsBlocks = false
        /// Keep the values of parameters and locals in the frames of a trap's backtrace, for
        /// `Store.writeCoreDump`. Functions take a little longer to enter, since all locals must have
        /// a value from the start.
        public var capturesLocals = false
        /// Memories and value stacks of guests that ended that the engine keeps for the next ones: one
        /// of them costs no system call to map. Each keeps its address space, and up to 128 KiB of it
        /// stay in memory, of value stacks 16 KiB. 0 or less keeps none. A server that has many guests
        /// at a time should allow two for each guest that it expects to start again soon; a process may
        /// have about 65,000 mappings, and each kept one is one or two of them.
        public var keptReservations = 32

        public init() {}

        /// What makes runs repeatable: the same module with the same imports gives the same results
        /// on every machine. One NaN; no shared memories, whose threads race; relaxed vector
        /// instructions are deterministic anyway. `WASI.makeDeterministic(seed:)` does the same for
        /// the guest's world.
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
    /// Address space of memories and value stacks that ended.
    let reservations: ReservationPool

    public init(_ configuration: Configuration = .init()) {
        self.configuration = configuration
        types = TypeRegistry()
        reservations = ReservationPool(capacity: configuration.keptReservations)
    }
}
