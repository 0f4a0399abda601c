import Synchronization
import WasmInterpreter
import WasmSystem

/// Strings between host and guest, as the bindings generators of 2022 passed them: UTF-8, as an
/// address and a count. Memory for strings that the guest receives is allocated by its own
/// `canonical_abi_realloc`, and freed by the guest.
enum CanonicalStrings {
    static let reallocate: Name = "canonical_abi_realloc"

    /// Bytes of a string that a guest passes.
    static let longest: UInt32 = 16 << 20

    /// Reads a string of the guest, which keeps it.
    ///
    /// - Throws: `Trap` for what is not in memory or no UTF-8.
    static func lift(
        _ caller: borrowing Caller, _ address: UInt32, _ count: UInt32
    ) throws -> String {
        guard count <= longest else {
            throw Trap(.hostError, cause: StringFault.tooLong(count, limit: longest))
        }
        do throws(AccessError) {
            return try caller.memory.loadString(at: address, count: count)
        } catch {
            throw Trap(.hostError, cause: error)
        }
    }

    /// Copies a string to memory that the guest allocates, and writes its address and count to
    /// `place`.
    ///
    /// The guest's function runs within the host function, where it can be neither suspended nor
    /// interrupted by others' turns; so it has little fuel and time.
    static func lower(_ bytes: [UInt8], _ caller: borrowing Caller, to place: UInt32) throws {
        guard let count = Int32(exactly: bytes.count) else {
            throw Trap(.hostError, cause: StringFault.tooLong(.max, limit: longest))
        }
        guard let function = caller.instance?.function(reallocate) else {
            throw Trap(.hostError, cause: StringFault.noAllocator)
        }
        let store = caller.store
        let results = try bounded(store) {
            try function.call([.i32(0), .i32(0), .i32(1), .i32(count)])
        }
        guard case .i32(let address)? = results.first else {
            throw Trap(.hostError, cause: StringFault.noAllocator)
        }
        do throws(AccessError) {
            let memory = try caller.memory
            let address = UInt32(bitPattern: address)
            if !bytes.isEmpty { try memory.store(contentsOf: bytes, at: address) }
            try memory.store(address, at: place)
            // The pair is not always aligned, and may end at the end of the memory.
            let (next, overflow) = place.addingReportingOverflow(4)
            guard !overflow else { throw AccessError.memoryOutOfBounds(address: 1 << 32, count: 4) }
            try memory.store(count, at: next)
        } catch {
            throw Trap(.hostError, cause: error)
        }
    }

    /// What the guest's function may use. The time is that of the processor: on a machine that has
    /// too much to do, a guest must not fail because its thread had to wait.
    private static let fuel: UInt64 = 1_000_000
    private static let time: UInt64 = 50_000_000
    /// After which the time is looked at: the longest calls of the host take a quarter of a
    /// millisecond.
    private static let slice: UInt64 = 100
    /// Whatever the processor did meanwhile.
    private static let patience = Duration.seconds(5)

    /// Calls a function of the guest with little fuel and time. What it used is charged to the
    /// guest.
    private static func bounded(_ store: Store, _ body: () throws -> [Value]) throws -> [Value] {
        let (before, deadline, policy) = (store.fuel, store.deadline, store.onOutOfFuel)
        let most = min(before ?? fuel, fuel)
        let begin = SystemClock.threadCPUTime.now
        let given = GivenFuel(min(slice, most))
        store.fuel = given.units
        store.onOutOfFuel = .ask { missing in
            guard SystemClock.threadCPUTime.now &- begin < time else { return 0 }
            return given.add(max(missing, slice), upTo: most)
        }
        let end = ContinuousClock.now + patience
        store.deadline = deadline.map { min($0, end) } ?? end
        defer {
            let used = given.units - min(store.fuel ?? 0, given.units)
            store.fuel = before.map { $0 - min(used, $0) }
            (store.deadline, store.onOutOfFuel) = (deadline, policy)
        }
        do {
            return try body()
        } catch let trap as Trap where trap.code == .outOfFuel && (before ?? .max) > most {
            throw Trap(.hostError, cause: StringFault.slowAllocator)
        }
    }
}

/// Fuel that a call has got so far. Threads that the guest starts meanwhile have its policy too.
private final class GivenFuel: Sendable {
    private let state: Mutex<UInt64>

    init(_ units: UInt64) { state = Mutex(units) }

    var units: UInt64 { state.withLock { $0 } }

    /// Gives more, and returns how much.
    func add(_ units: UInt64, upTo most: UInt64) -> UInt64 {
        state.withLock { given in
            let more = min(units, most - min(given, most))
            given += more
            return more
        }
    }
}

/// Why a string could not be passed.
enum StringFault: Error, Equatable, CustomStringConvertible {
    case noAllocator
    case slowAllocator
    case noFunction(Name)
    case tooLong(UInt32, limit: UInt32)

    var description: String {
        switch self {
        case .noAllocator:
            "the module exports no function \"canonical_abi_realloc\" that returns an address, "
                + "which strings for it need"
        case .slowAllocator:
            "\"canonical_abi_realloc\" of the module has computed for 50 ms, or used 1,000,000 units "
                + "of fuel, for one string"
        case .noFunction(let name): "the module exports no function \"\(name)\""
        case .tooLong(let count, let limit):
            "a string has \(count) bytes, of \(limit) that are allowed"
        }
    }
}
