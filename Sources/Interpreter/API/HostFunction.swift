// Invariants: a `Caller` and a `CallSlots` are valid while the host function runs that got them;
// they are lent and cannot be copied, and so cannot leave it. `state` is the store's `ExecutionState`,
// which begins with the two words that `noteMissing` writes.

/// A function of the host that guests can call, not yet bound to a store.
public final class HostFunction {
    /// Reads its arguments from the slots and writes its results to them, starting at slot 0.
    ///
    /// What it throws ends the guest and reaches the outer caller unchanged; only an `Exception` can
    /// be caught by the guest.
    public typealias Body = (borrowing Caller, borrowing CallSlots) throws -> Void

    public let type: FunctionType
    let body: Body
    /// Whether `body` may leave bits that are no value of a result's type, as not all are.
    let mustCheckResults: Bool

    /// Type indices in `type` are numbers of the engine's registry.
    ///
    /// A result that `body` does not write is what stood in its slot. If that is no reference of the
    /// result's type, the call ends with `CallError.result`.
    public init(_ type: FunctionType, _ body: @escaping Body) {
        self.type = type
        self.body = body
        mustCheckResults = type.results.contains { $0 == .i32 || $0 == .f32 || $0.isReference }
    }

    /// A function whose results are written by values of Swift types, which know how.
    ///
    /// - Parameter isChecked: there are types of the embedder among them, which may not.
    @usableFromInline
    init(typed type: FunctionType, isChecked: Bool = false, _ body: @escaping Body) {
        self.type = type
        self.body = body
        mustCheckResults = isChecked
    }
}

/// What a host function sees of the guest that called it.
public struct Caller: ~Copyable {
    private let unretainedStore: Unmanaged<Store>
    private let context: ContextPointer?

    init(store: Unmanaged<Store>, context: ContextPointer?) {
        unretainedStore = store
        self.context = context
    }

    public var store: Store { unretainedStore.takeUnretainedValue() }

    /// The instance whose code called; nil if the host called the function itself.
    public var instance: Instance? {
        guard let context else { return nil }
        return Instance(store: store, storage: InstanceStorage.of(context))
    }

    /// Memory 0 of the calling instance.
    ///
    /// - Throws: `AccessError.noMemory` if the caller is no guest or its module has none.
    public var memory: Memory {
        get throws(AccessError) {
            guard let context, let storage = InstanceStorage.of(context).memories.first else {
                throw .noMemory
            }
            return Memory(store: store, storage: storage)
        }
    }

    /// Whether a `Suspension` suspends the guest here. If not, one with a `Wait` parks the thread, and
    /// one with a request ends the call with `SuspensionError.cannotWait`.
    public var canSuspend: Bool {
        unretainedStore._withUnsafeGuaranteedRef { $0.suspendable != nil }
    }

    /// Whether the guest is to stop, for functions that take long.
    package var stopSignal: StopSignal { StopSignal(unretainedStore) }

    /// Memory 0 of the calling instance, as large as it is now, without counting a reference; nil
    /// without caller or memory.
    package var guestMemory: GuestMemory? {
        guard let context else { return nil }
        let record = context.load(
            fromByteOffset: ContextOffset.memory0, as: UnsafeMutablePointer<MemoryRecord>.self)
        return unretainedStore._withUnsafeGuaranteedRef { store in
            guard record != store.emptyMemory else { return nil }
            if store.sharesMemories { _ = runtimeMemoriesGrew(context) }
            return GuestMemory(record.pointee)
        }
    }
}

/// Arguments and results of a call in slots of 64 bits.
///
/// Arguments stand in slots 0 and up, results are written to slots 0 and up: read all arguments
/// before writing a result. i32 and f32 use the low half, the high half is zero; v128 takes two
/// slots. References have a form of their own: see `value(_:as:)`.
///
/// A slot that does not exist reads as 0 and swallows what is written to it, and the call ends with
/// `CallError.slot`, whatever the function does afterwards.
public struct CallSlots: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<UInt64>
    /// Slots of the arguments or of the results, whichever are more.
    public let count: Int
    /// The store's `ExecutionState`.
    @usableFromInline let state: UnsafeMutableRawPointer

    init(
        _ base: UnsafeMutablePointer<UInt64>, count: Int,
        of state: UnsafeMutablePointer<ExecutionState>
    ) {
        self.base = base
        self.count = count
        self.state = UnsafeMutableRawPointer(state)
    }

    private func withStore<Result, Failure>(
        _ body: (Store) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        let store = state.assumingMemoryBound(to: ExecutionState.self).pointee.unretainedStore
        return try store.map { (store) throws(Failure) in try body(store.takeUnretainedValue()) }
    }

    /// The bits in a slot. `index` should be below `count`.
    @inlinable
    public subscript(index: Int) -> UInt64 {
        get {
            guard UInt(bitPattern: index) < UInt(bitPattern: count) else {
                noteMissing(index)
                return 0
            }
            return base[index]
        }
        nonmutating set {
            guard UInt(bitPattern: index) < UInt(bitPattern: count) else {
                return noteMissing(index)
            }
            base[index] = newValue
        }
    }

    /// Notes the mistake for the end of the call. No call of a function: the registers that one needs
    /// would cost those who make no mistake.
    @inlinable
    func noteMissing(_ index: Int) {
        guard state.load(fromByteOffset: 8, as: Int.self) == 0 else { return }
        state.storeBytes(of: index, as: Int.self)
        state.storeBytes(of: count &+ 1, toByteOffset: 8, as: Int.self)
    }

    @inlinable public func u32(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[index]) }
    @inlinable public func i32(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: self[index]) }
    @inlinable public func u64(_ index: Int) -> UInt64 { self[index] }
    @inlinable public func i64(_ index: Int) -> Int64 { Int64(bitPattern: self[index]) }
    @inlinable public func f32(_ index: Int) -> Float { Float(bitPattern: u32(index)) }
    @inlinable public func f64(_ index: Int) -> Double { Double(bitPattern: self[index]) }

    @inlinable public func setResult(_ index: Int = 0, u32 value: UInt32) {
        self[index] = UInt64(value)
    }
    @inlinable public func setResult(_ index: Int = 0, i32 value: Int32) {
        self[index] = UInt64(UInt32(bitPattern: value))
    }
    @inlinable public func setResult(_ index: Int = 0, u64 value: UInt64) { self[index] = value }
    @inlinable public func setResult(_ index: Int = 0, i64 value: Int64) {
        self[index] = UInt64(bitPattern: value)
    }
    @inlinable public func setResult(_ index: Int = 0, f32 value: Float) {
        self[index] = UInt64(value.bitPattern)
    }
    @inlinable public func setResult(_ index: Int = 0, f64 value: Double) {
        self[index] = value.bitPattern
    }

    /// The value of `type` that starts at slot `index`; for references.
    ///
    /// If the slot holds no reference of the type, the answer is null, and the call ends with
    /// `CallError.slotType`.
    public func value(_ index: Int = 0, as type: ValueType) -> Value {
        let low = self[index]
        let high = type.isVector ? self[index &+ 1] : 0
        let value = withStore { store in
            if low != 0, type.isReference, !store.isReference(low, of: type) {
                store.note(.slotType(index: index, .typeMismatch(expected: type)))
                return store.value(0, 0, as: type)
            }
            return store.value(low, high, as: type)
        }
        return value ?? .i32(0)
    }

    /// Writes a value as a result of `type` at slot `index`; for references.
    ///
    /// - Throws: `ValueError` if the value is not of the type or belongs to another store.
    public func setResult(
        _ index: Int = 0, _ value: Value, as type: ValueType
    ) throws(ValueError) {
        let found = try withStore { (store) throws(ValueError) in
            try store.slots(of: value, as: type)
        }
        guard let slots = found else { return }
        self[index] = slots.low
        if type.isVector { self[index &+ 1] = slots.high }
    }
}
