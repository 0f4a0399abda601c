import WasmInterpreter

/// A limit of a run.
public enum RunLimit: UInt8, Sendable, CaseIterable {
    /// Bytes of everything that the guest takes: `RunLimits.memory`.
    case memory
    /// Elements of a table, or the number of tables, memories or instances.
    case tables
    /// Bytes of structures, arrays and exceptions: `RunLimits.objects`.
    case objects
    /// Bytes of the value stack: `RunLimits.stack`.
    case stack
    /// Units of work: `RunLimits.fuel`.
    case fuel
    /// The time since the run began: `RunLimits.time`.
    case time
    /// Bytes of standard output: `RunLimits.output`.
    case output
    /// Open descriptors: `RunLimits.descriptors`. The guest goes on; see `RunRecord.reached`.
    case descriptors
    /// Bytes or lines of standard error that are kept. The guest goes on; see `RunRecord.reached`.
    case log
    /// Runs at one time: `RunPlaces.running`.
    case running
    /// Runs that wait for a place: `RunPlaces.waiting`.
    case waiting
    /// The time that a run waits for a place: `RunLimits.waitingTime`.
    case waitingTime

    /// As people and programs read it: `output`.
    public var name: String {
        switch self {
        case .memory: "memory"
        case .tables: "tables"
        case .objects: "objects"
        case .stack: "stack"
        case .fuel: "fuel"
        case .time: "time"
        case .output: "output"
        case .descriptors: "descriptors"
        case .log: "log"
        case .running: "running"
        case .waiting: "waiting"
        case .waitingTime: "waiting time"
        }
    }

    /// The limit that makes guests trap with this code; nil for other traps.
    init?(_ code: TrapCode) {
        switch code {
        case .stackExhausted: self = .stack
        case .heapExhausted: self = .objects
        case .outOfFuel: self = .fuel
        case .deadlineExceeded: self = .time
        case .totalExhausted: self = .memory
        default: return nil
        }
    }

    /// The limit because of which an instance cannot be made; nil if the system refused.
    init?(_ error: ResourceError) {
        switch error {
        case .memoryTooLarge, .totalExceeded, .refused(.memory): self = .memory
        case .tableTooLarge, .tooManyTables, .tooManyMemories, .tooManyInstances, .refused:
            self = .tables
        case .heapTooLarge: self = .objects
        case .outOfMemory: return nil
        }
    }
}

/// Some limits.
public struct RunLimitSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public init(_ limit: RunLimit) { rawValue = 1 &<< UInt16(truncatingIfNeeded: limit.rawValue) }

    /// In the order of their declaration.
    public var limits: [RunLimit] { RunLimit.allCases.filter { contains(RunLimitSet($0)) } }
}

/// The limits of one run. Those of its module and of its account hold as well: the lower of each.
public struct RunLimits: Hashable, Sendable {
    /// Bytes of everything that the guest takes: memories, tables, objects, stacks, code. Growth
    /// beyond it returns -1 to the guest; what cannot be refused like that ends the run.
    public var memory: UInt64 = 256 << 20
    /// Bytes of structures, arrays and exceptions, within `memory`.
    public var objects: UInt64 = 1 << 32
    /// Bytes of the value stack, which limits recursion.
    public var stack = 16 << 20
    /// Elements of each table.
    public var tableElements: UInt64 = 10_000_000
    /// Units of work, as `Store.fuel`; nil for no limit.
    public var fuel: UInt64?
    /// From the moment in which the run has its place, waiting included; nil for no limit.
    public var time: Duration? = .seconds(10)
    /// How long the run may wait for a place; nil for no limit.
    public var waitingTime: Duration? = .seconds(10)
    /// Bytes of standard output, if that is a stream of the host or a buffer; nil for no limit but that
    /// of the buffer.
    public var output: UInt64?
    /// Open descriptors; nil for the limit of the world (`WASI.Limits.descriptors`).
    public var descriptors: Int?
    /// What is kept of standard error.
    public var log = LogLimits()

    public init() {}

    /// The lower of each of two limits.
    public func lowered(to other: RunLimits) -> RunLimits {
        func least<Value: Comparable>(_ one: Value?, _ other: Value?) -> Value? {
            guard let one, let other else { return one ?? other }
            return min(one, other)
        }
        var result = self
        result.memory = min(memory, other.memory)
        result.objects = min(objects, other.objects)
        result.stack = min(stack, other.stack)
        result.tableElements = min(tableElements, other.tableElements)
        result.fuel = least(fuel, other.fuel)
        result.time = least(time, other.time)
        result.waitingTime = least(waitingTime, other.waitingTime)
        result.output = least(output, other.output)
        result.descriptors = least(descriptors, other.descriptors)
        result.log = log.lowered(to: other.log)
        return result
    }

    /// When a run that begins now is stopped; nil for never.
    var deadline: ContinuousClock.Instant? {
        // A century is as good as a longer time, and cannot overflow.
        time.map { .now + min(max($0, .zero), .seconds(3_155_760_000)) }
    }

    /// Those that a store holds. A memory may grow up to `memory`, so that the run's limiter is
    /// asked about all growth and can name the limit.
    var storeLimits: StoreLimits {
        StoreLimits(
            memoryBytes: 1 << 32, tableElements: tableElements, heapBytes: objects,
            stackBytes: stack, totalBytes: memory)
    }
}
