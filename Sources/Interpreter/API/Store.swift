// Invariants: everything that register code or a record points at (instances, memories, tables,
// host functions, global cells, the value stack) is kept in arrays of the store or allocated by it
// and freed in `deinit`; nothing is freed before. The store is used by one thread at a time.

import WasmMachine
import WasmValidator

/// Owns instances, memories, tables, globals and functions, which are freed with it.
///
/// A store is used by one thread at a time. Handles (`Instance`, `Function`, `Memory` ...) keep the
/// store alive; nothing in the store keeps a handle, so a store is freed with the last handle.
/// Exception: a host function whose closure captures a handle of the same store keeps the store
/// alive; it should use its `Caller` instead.
///
/// Specification: 4.2.3 (store).
public final class Store {
    public let engine: Engine
    public let limits: StoreLimits
    /// The account of the store's program: see `StoreLimits.totalBytes`.
    public let account: ResourceAccount
    /// Stops the guest from other threads and from signal handlers.
    public let interruptHandle = InterruptHandle()

    /// Read by every call, because reading `deadline` itself is a hundred times slower: the layout
    /// of its type is known only to its library.
    private(set) var hasDeadline = false

    /// Called for traps, growth of memories, collections of garbage, and for calls if the engine's
    /// configuration enables that. Nil, the default, costs nothing.
    public var observer: (any StoreObserver)?
    /// Whether a closure of the host is being called: see `holdingGuest`.
    var isGuestHeld = false

    /// Takes samples of running guests; must be set while none runs.
    public var profiler: Profiler? {
        didSet { exchange.pointee.isProfiled = profiler != nil }
    }

    /// Called before a memory or table is made or grows; with nil only `limits` apply.
    public var limiter: (any StoreLimiter)?

    let exchange: UnsafeMutablePointer<MachineExchange>
    /// The code at which a run of the machine ends; a copy, since every access to a global checks
    /// whether it was initialised.
    let haltCode = UInt64(UInt(bitPattern: Machine.haltCode))
    /// Fuel that was not given to the machine in `exchange.budget`; nil if there is no limit.
    var fuelReserve: UInt64?
    /// The shared fuel, if the program has several stores for its threads.
    var fuelPot: FuelPot?
    /// Held while a closure of the host is called, if other threads may call it too.
    var callbackLock: CallbackLock?
    /// The error of a host function, while the machine unwinds.
    var pendingError: (any Error)?
    /// Calls from the host into guests or host functions that have not returned.
    var callDepth = 0
    var nativeStack = NativeStackBounds()
    /// An address in the native stack of the thread that runs guests, while `callDepth` is not 0.
    var runningStack: UInt = 0
    /// A mistake that a host function made with its slots.
    private var slotFault: CallError?
    /// Where guests wait for host functions that called into the store again, outermost first.
    var suspendedRuns: [GuestPlace?] = []
    /// See `ownCell`.
    var threadCell: WakeCell?
    /// Executions with a stack. Its functions run no code of the embedder: see `Execution.state`.
    @exclusivity(unchecked) var executions = ExecutionList()

    /// The value stack that guests run on now: see `ValueStack`.
    var valueStack: UnsafeMutableRawPointer?
    /// No frame starts above this address, unless the stack may grow: see `growStack`.
    var stackLimit: UnsafeMutableRawPointer
    /// The end of the value stack's mapping.
    var stackEnd: UnsafeMutableRawPointer

    // Accesses to these run no other code: no checks for exclusivity.
    @exclusivity(unchecked) var instances: [InstanceStorage] = []
    var memories: [MemoryStorage] = []
    /// Views of memories that other threads may grow.
    private var sharedViews: [MemoryStorage] = []
    var sharesMemories: Bool { !sharedViews.isEmpty }
    var tables: [TableStorage] = []
    var tags: [TagStorage] = []
    /// Cells of globals made by the host; those of modules are in context blocks.
    @exclusivity(unchecked) private var globalCells: [UnsafeMutablePointer<UInt64>] = []
    /// Records by the address of the `HostFunction`.
    private(set) var hostRecords = IntegerMap<UnsafeMutablePointer<FunctionRecord>>()
    private var hostFunctions: [HostFunction] = []
    /// The imports of the prepared modules that have instances here.
    private var preparedImports: [PreparedImports] = []
    /// See `HostKey`. No code of the embedder runs while it changes, so accesses need no check for
    /// exclusivity: each call of a WASI function reads it.
    @exclusivity(unchecked) @usableFromInline var hostValues = HostValues()
    /// Groups of types that the store holds besides those of its instances' modules.
    @exclusivity(unchecked) private var heldGroups: [TypeID] = []
    /// Types of modules whose instantiation failed: objects of the store may have them.
    private var heldTypes: [HeldTypes] = []
    /// Signatures by `TypeID`.
    @exclusivity(unchecked) private var signatures = IntegerMap<Signature>()
    let unwindingSites = UnwindingSites()

    /// Structures, arrays and other objects of guests.
    let heap: Heap
    /// Values in use that are in no root: operands of constant expressions, and values of an object
    /// that the host makes.
    @exclusivity(unchecked) var temporaries: [(low: UInt64, high: UInt64)] = []
    /// Instances whose globals are being computed.
    @exclusivity(unchecked) var unfinishedInstances: [InstanceStorage] = []
    /// Cells of globals made by the host that can refer to objects.
    private(set) var tracedGlobalCells: [UnsafeMutablePointer<UInt64>] = []

    /// `MemoryRecord` and `TableRecord` of instances without memory or table.
    let emptyMemory: UnsafeMutablePointer<MemoryRecord>
    let emptyTable: UnsafeMutablePointer<TableRecord>

    /// When the guest is stopped with `TrapCode.deadlineExceeded`; nil for never. Checked when a
    /// call starts, about every quarter of a millisecond of guest time, and after each call of a
    /// host function.
    ///
    /// The first deadline of a process starts a thread that sleeps until the next one is due. A
    /// later one costs about a tenth of a microsecond, an earlier one wakes that thread.
    public var deadline: ContinuousClock.Instant? {
        get { deadlineTime.map { DeadlineAlarm.origin.advanced(by: $0) } }
        set {
            deadlineTime = newValue.map { DeadlineAlarm.origin.duration(to: $0) }
            hasDeadline = newValue != nil
            setAlarm()
        }
    }
    /// The deadline on the alarm's scale. (With an instant, whose layout only its own library
    /// knows, the runtime would compute the offsets of properties when the first store is made.)
    @exclusivity(unchecked) private(set) var deadlineTime: Duration?
    /// How many units the machine gets at once.
    var pace = Pace()

    /// Makes an empty store. Cheap: the value stack is mapped by the first call without an
    /// `Execution`, which has its own.
    ///
    /// - Parameters:
    ///   - engine: that of the modules that will be instantiated.
    ///   - limits: the limits of the guests.
    ///   - account: the account of the program, if it has other stores; then its limit holds
    ///     instead of `limits.totalBytes`.
    public init(
        engine: Engine, limits: StoreLimits = .init(), account: ResourceAccount? = nil
    ) {
        self.engine = engine
        self.limits = limits
        self.account = account ?? ResourceAccount(limit: limits.totalBytes)
        heap = Heap(
            limit: limits.heapBytes, account: self.account,
            isStressed: engine.configuration.collectsAtEveryAllocation)
        exchange = .allocate(capacity: 1)
        emptyMemory = .allocate(capacity: 1)
        emptyTable = .allocate(capacity: 1)
        let nowhere = UnsafeMutableRawPointer(exchange)
        stackLimit = nowhere
        stackEnd = nowhere
        exchange.initialize(
            to: MachineExchange(
                top: nowhere.assumingMemoryBound(to: UInt64.self),
                stopWord: interruptHandle.word, upcalls: Upcalls.shared))
        // Zero bytes at addresses that are never read.
        emptyMemory.initialize(to: MemoryRecord(base: nowhere, byteCount: 0))
        emptyTable.initialize(
            to: TableRecord(elements: nowhere.assumingMemoryBound(to: UInt64.self), count: 0))
        exchange.pointee.store = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        hostValues.removeAll()
        interruptHandle.alarm.cancel()
        currentStack?.release(to: engine.reservations, account)
        executions.spareStack?.release(to: engine.reservations, account)
        if !heldGroups.isEmpty { engine.types.release(heldGroups) }
        for cell in globalCells { cell.deallocate() }
        emptyTable.deallocate()
        emptyMemory.deallocate()
        exchange.deallocate()
    }

    /// Fuel left; nil (the default) is no limit. A backward branch or a call uses one unit, a bulk
    /// operation (`memory.fill` and the like) one per KiB from 4 KiB on, and so does a stretch of
    /// code of thousands of instructions without either, in proportion; so do arrays, tables and
    /// segments that instantiation makes, and functions of 64 KiB or more, one unit per KiB, for
    /// the first store of all that share the module to call them. `onOutOfFuel` sets what happens
    /// to a guest that needs more. May be read and set between calls and by host functions. The
    /// threads of a guest share it (`GuestThreads`): units that running threads have taken are not
    /// included.
    public var fuel: UInt64? {
        get {
            guard let fuelReserve else { return nil }
            let handedOut = UInt64(max(0, exchange.pointee.budget))
            let own = fuelReserve.addingReportingOverflow(handedOut).partialValue
            guard let fuelPot else { return own }
            let (sum, overflow) = own.addingReportingOverflow(fuelPot.left)
            return overflow ? .max : sum
        }
        set {
            fuelReserve = newValue
            if let fuelPot, let newValue {
                fuelPot.set(newValue)
                fuelReserve = 0
            }
            exchange.pointee.budget = 0
        }
    }

    /// What happens when the fuel is used up: by default the guest traps.
    public var onOutOfFuel: OutOfFuelPolicy = .trap

    /// Units of budget, as for `fuel`, after which a guest that was called with `await` lets other
    /// tasks run; nil for never. 100,000 take some tenths of a millisecond.
    public var yieldInterval: UInt64? = 100_000
}

extension Store {
    /// Records a fault of a host function with the slots of a call. The first one is kept.
    func note(_ fault: CallError) {
        if slotFault == nil { slotFault = fault }
        heap.externs.attention |= ExternTable.hasSlotFault
    }

    /// Throws the recorded fault with the slots of a call, if there is one.
    @inline(never)
    func checkSlotFault() throws(CallError) {
        let mark = exchange.pointee.missingSlotMark
        if mark != 0 {
            exchange.pointee.missingSlotMark = 0
            throw .slot(index: exchange.pointee.missingSlot, count: mark &- 1)
        }
        guard let fault = slotFault else { return }
        slotFault = nil
        heap.externs.attention &= ~ExternTable.hasSlotFault
        throw fault
    }

    /// Parameters and results of a function type by its canonical number.
    func signature(_ id: TypeID) -> Signature {
        if let known = signatures[Int(id)] { return known }
        let type = engine.types.definition(id).composite.functionType ?? FunctionType()
        let made = Signature(type)
        signatures.insert(made, for: Int(id))
        return made
    }

    /// The record of a host function, always the same.
    func record(of function: HostFunction) -> UnsafeMutablePointer<FunctionRecord> {
        let key = Int(bitPattern: ObjectIdentifier(function))
        if let known = hostRecords[key] { return known }
        let record = function.record(in: engine.types)
        // The function holds the type as long as the store keeps the function.
        hostFunctions.append(function)
        heap.register([record.typeID], of: engine.types)
        hostRecords.insert(record.pointer, for: key)
        return record.pointer
    }

    /// Keeps the imports of a prepared module's instances as long as the store exists.
    func keep(_ imports: PreparedImports) {
        guard !preparedImports.contains(where: { $0 === imports }) else { return }
        preparedImports.append(imports)
        heap.register(imports.typeIDs, of: engine.types)
    }

    /// Whether this is the record of a host function that guests of the store can refer to.
    func isHostFunction(_ record: UnsafeMutablePointer<FunctionRecord>) -> Bool {
        hostRecords.values.contains(record)
            || preparedImports.contains { $0.records.contains(record) }
    }

    // MARK: Types

    /// Holds the type of a host function; an unknown type number in it is treated as no type.
    func hold(_ function: FunctionType) -> (id: TypeID, type: FunctionType) {
        let held = engine.types.hold(function: function)
        heldGroups.append(held.id)
        heap.register([held.id], of: engine.types)
        return held
    }

    /// Holds a type by its number, which may be any; returns the type, or nil if none has the
    /// number.
    func hold(_ id: TypeID) -> SubType? {
        // The store already holds the types of its heap.
        if heap.isRegistered(id) { return engine.types.definition(id) }
        guard let held = engine.types.hold(id) else { return nil }
        heldGroups.append(held.first)
        heap.register([id], of: engine.types)
        return held.definition
    }

    /// Holds the type in a type of the host; false if no type has its number.
    func holdsType(of type: ValueType) -> Bool {
        guard let id = type.reference?.heapType.typeIndex else { return true }
        return hold(id) != nil
    }

    /// Holds the types of a module without an instance.
    func hold(typesOf module: Module) {
        let types = module.valid.heldTypes
        if !heldTypes.contains(where: { $0 === types }) { heldTypes.append(types) }
    }

    /// A cell for a global of the host: two slots, so that a v128 fits.
    func makeGlobalCell(_ type: ValueType) -> UnsafeMutablePointer<UInt64> {
        let cell = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
        cell.initialize(repeating: 0, count: 2)
        globalCells.append(cell)
        if engine.types.isTraced(type) { tracedGlobalCells.append(cell) }
        return cell
    }

    /// - Parameter image: the content; nil for zeros. Not for shared memories.
    func makeMemory(
        _ type: MemoryType, image: MemoryImage? = nil
    ) throws(ResourceError) -> MemoryStorage {
        guard memories.count < limits.memories else {
            throw .tooManyMemories(limit: limits.memories)
        }
        if type.isShared {
            return try view(
                of: SharedMemory(type, limit: limits.memoryBytes, account: account))
        }
        let memory = try MemoryStorage(
            type, limit: limits.memoryBytes, image: image, pool: engine.reservations,
            account: account)
        try approveMemory(to: UInt64(memory.record.pointee.byteCount))
        memories.append(memory)
        return memory
    }

    /// This store's view of a shared memory: always the same one.
    func view(of shared: SharedMemory) throws(ResourceError) -> MemoryStorage {
        if let known = sharedViews.first(where: { $0.shared === shared }) { return known }
        guard memories.count < limits.memories else {
            throw .tooManyMemories(limit: limits.memories)
        }
        try shared.charge(to: account)
        let view = MemoryStorage(sharing: shared)
        try approveMemory(to: UInt64(view.record.pointee.byteCount))
        memories.append(view)
        sharedViews.append(view)
        return view
    }

    /// A table of nulls.
    ///
    /// - Parameter count: elements at the start; nil for the type's minimum.
    func makeTable(
        _ type: TableType, count: UInt64? = nil
    ) throws(ResourceError) -> TableStorage {
        guard tables.count < limits.tables else { throw .tooManyTables(limit: limits.tables) }
        let table = try TableStorage(
            type, count: count, limit: limits.tableElements, account: account)
        try approveTable(to: table.count)
        tables.append(table)
        return table
    }

    /// - Parameter definition: the module that defines it, and its index there.
    func makeTag(
        _ type: TypeID, definition: (module: Module, index: Int)? = nil
    ) -> TagStorage {
        let tag = TagStorage(
            typeID: type, slotCount: signature(type).parameterSlots, definition: definition)
        tags.append(tag)
        return tag
    }
}
