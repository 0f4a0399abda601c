// Invariants: a `Caller` and a `CallSlots` are valid while the host function runs that received
// them; they are borrowed and cannot be copied, so they cannot leave it. `state` is the store's
// `MachineExchange`, which begins with the two words that `noteMissing` writes. A function with
// `isShared` was made with closures that any thread may call.

import Synchronization
import WasmMachine
import WasmValidator

/// A function of the host that guests can call, not yet bound to a store.
///
/// Any number of stores can use it, one after another. One made with `shared` can be used by stores
/// of several threads at the same time, and so by a `PreparedModule`.
public final class HostFunction {
    /// Reads its arguments from the slots and writes its results to them, starting at slot 0.
    ///
    /// An error that it throws ends the guest and reaches the outer caller unchanged; only an
    /// `Exception` can be caught by the guest.
    public typealias Body = (borrowing Caller, borrowing CallSlots) throws -> Void

    public let type: FunctionType
    let body: Body
    /// How results are handled whose bits may not be a value of the result's type.
    let resultCheck: ResultCheck

    enum ResultCheck {
        /// All results are values: `body` writes only values, or all bits are values of the types.
        case none
        /// There is one result, of 32 bits: the upper half of its slot is cleared.
        case clear
        /// See `Store.checkResults`.
        case all
    }
    /// Whether several threads may call the function at the same time.
    public let isShared: Bool
    /// The record that guests of each engine call.
    private let records = Mutex<[HostRecord]>([])

    /// Type indices in `type` are numbers of the engine's registry.
    ///
    /// A result that `body` does not write is the old content of its slot. If that is no reference
    /// of the result's type, the call ends with `CallError.result`.
    public convenience init(_ type: FunctionType, _ body: @escaping Body) {
        self.init(type, isShared: false, body)
    }

    /// The same for a function that several threads may call at the same time.
    public static func shared(
        _ type: FunctionType,
        _ body: @escaping @Sendable (borrowing Caller, borrowing CallSlots) throws -> Void
    ) -> HostFunction {
        HostFunction(type, isShared: true, body)
    }

    /// The same, for a body that leaves values of the result types only.
    package static func trusted(
        _ type: FunctionType,
        _ body: @escaping @Sendable (borrowing Caller, borrowing CallSlots) throws -> Void
    ) -> HostFunction {
        HostFunction(typed: type, isShared: true, body)
    }

    /// - Parameter isShared: `body` can be called by several threads at the same time.
    init(_ type: FunctionType, isShared: Bool, _ body: @escaping Body) {
        self.type = type
        self.body = body
        self.isShared = isShared
        let isNarrow = { (type: ValueType) in type == .i32 || type == .f32 }
        if type.results.count == 1, let result = type.results.first, isNarrow(result) {
            resultCheck = .clear
        } else {
            resultCheck = type.results.contains { isNarrow($0) || $0.isReference } ? .all : .none
        }
    }

    /// A function whose results are written by values of Swift types.
    ///
    /// - Parameters:
    ///   - isChecked: some are types of the embedder, which may write wrong bits.
    ///   - isShared: `body` can be called by several threads at the same time.
    @usableFromInline
    init(
        typed type: FunctionType, isChecked: Bool = false, isShared: Bool = false,
        _ body: @escaping Body
    ) {
        self.type = type
        self.body = body
        self.isShared = isShared
        resultCheck = isChecked ? .all : .none
    }

    /// The record for guests of an engine: always the same.
    func record(in types: TypeRegistry) -> HostRecord {
        records.withLock { records in
            if let known = records.first(where: { $0.types === types }) { return known }
            // A freed engine has no more guests.
            records.removeAll { $0.types == nil }
            let made = HostRecord(self, types)
            records.append(made)
            return made
        }
    }

    /// The same function with the type of an engine's registry.
    fileprivate func with(_ type: FunctionType) -> HostFunction {
        HostFunction(type, isShared: isShared, body)
    }
}

/// A host function as the guests of one engine call it. Kept by the function; all users of the
/// record keep the function and the engine.
final class HostRecord: @unchecked Sendable {
    // Sendable: nothing changes, and only calls by threads that may call the function use it.
    private(set) weak var types: TypeRegistry?
    private let record: UnsafeMutablePointer<HostFunctionRecord>
    /// The first part of the record.
    let pointer: UnsafeMutablePointer<FunctionRecord>
    let typeID: TypeID
    /// The function with the engine's number for its type, if that differs from its own type.
    private let substitute: HostFunction?

    fileprivate init(_ function: HostFunction, _ types: TypeRegistry) {
        self.types = types
        let (id, type) = types.hold(function: function.type)
        typeID = id
        // The closure's results are checked against its type, whose types must be held.
        substitute = type == function.type ? nil : function.with(type)
        let signature = Signature(type)
        record = .allocate(capacity: 1)
        record.initialize(
            to: HostFunctionRecord(
                function: FunctionRecord(
                    // Never run: the machine recognises a host function by its missing context.
                    code: Machine.haltCode, context: nil, typeID: id,
                    headerIndex: UInt16(clamping: signature.headerIndex),
                    parameterSlots: UInt16(clamping: signature.parameterSlots),
                    resultSlots: UInt16(clamping: signature.resultSlots),
                    functionIndex: UInt32.max),
                host: Unmanaged.passUnretained(substitute ?? function).toOpaque()))
        pointer = UnsafeMutableRawPointer(record).assumingMemoryBound(to: FunctionRecord.self)
    }

    deinit {
        types?.release([typeID])
        record.deallocate()
    }
}

/// The guest that called a host function.
public struct Caller: ~Copyable {
    @usableFromInline let unretainedStore: Unmanaged<Store>
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
    /// - Throws: `AccessError.noMemory` if the caller is not a guest or its module has none.
    public var memory: Memory {
        get throws(AccessError) {
            guard let context, let storage = InstanceStorage.of(context).memories.first else {
                throw .noMemory
            }
            return Memory(store: store, storage: storage)
        }
    }

    /// Whether a `Suspension` suspends the guest here. If not, one with a `Wait` parks the thread,
    /// and one with a request ends the call with `SuspensionError.cannotWait`.
    public var canSuspend: Bool {
        unretainedStore._withUnsafeGuaranteedRef { $0.suspendable != nil }
    }

    /// To be called by functions that took more than some microseconds: whether the turn of the guest
    /// is over is looked at after the call.
    package func tookLong() {
        unretainedStore._withUnsafeGuaranteedRef { $0.lookAfterThisCall() }
    }

    /// Whether the guest must stop, for long functions.
    package var stopSignal: StopSignal { StopSignal(unretainedStore) }

    /// Memory 0 of the calling instance with its current size, without retaining it; nil without a
    /// caller or memory.
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
/// Arguments are in slots 0 and up, results are written to slots 0 and up: read all arguments
/// before writing a result. i32 and f32 use the low half, the high half is zero; v128 takes two
/// slots. References have a form of their own: see `value(_:as:)`.
///
/// A slot that does not exist reads as 0, writes to it have no effect, and the call ends with
/// `CallError.slot`, whatever the function does afterwards.
public struct CallSlots: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<UInt64>
    /// The number of slots: of the arguments or of the results, whichever is greater.
    public let count: Int
    /// The store's `MachineExchange`.
    @usableFromInline let state: UnsafeMutableRawPointer

    init(
        _ base: UnsafeMutablePointer<UInt64>, count: Int,
        of state: UnsafeMutablePointer<MachineExchange>
    ) {
        self.base = base
        self.count = count
        self.state = UnsafeMutableRawPointer(state)
    }

    private func withStore<Result, Failure>(
        _ body: (Store) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        let store = state.assumingMemoryBound(to: MachineExchange.self).pointee.unretainedStore
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

    /// Records the mistake for the end of the call. Inlined, because a call would cost registers
    /// also in correct functions.
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
    /// If the slot has no reference of the type, the result is null, and the call ends with
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
