import WasmInterpreter

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

    private static let fuel: UInt64 = 1_000_000
    private static let time = Duration.milliseconds(50)

    /// Calls a function of the guest with little fuel and time. What it used is charged to the
    /// guest.
    private static func bounded(_ store: Store, _ body: () throws -> [Value]) throws -> [Value] {
        let (before, deadline) = (store.fuel, store.deadline)
        let allowance = min(before ?? fuel, fuel)
        store.fuel = allowance
        let end = ContinuousClock.now + time
        store.deadline = deadline.map { min($0, end) } ?? end
        defer {
            let used = allowance - min(store.fuel ?? 0, allowance)
            store.fuel = before.map { $0 - min(used, $0) }
            store.deadline = deadline
        }
        return try body()
    }
}

/// Why a string could not be passed.
enum StringFault: Error, Equatable, CustomStringConvertible {
    case noAllocator
    case noFunction(Name)
    case tooLong(UInt32, limit: UInt32)

    var description: String {
        switch self {
        case .noAllocator:
            "the module exports no function \"canonical_abi_realloc\" that returns an address, "
                + "which strings for it need"
        case .noFunction(let name): "the module exports no function \"\(name)\""
        case .tooLong(let count, let limit):
            "a string has \(count) bytes, of \(limit) that are allowed"
        }
    }
}
