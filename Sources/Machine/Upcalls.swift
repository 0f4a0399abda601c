// Invariant: the `MachineExchange` of each store holds the address of a complete table that lives
// as long as the process.

/// What the machine needs of the layers above: calls of the host, translation, memory that grows,
/// objects, exceptions. The machine reaches these functions by this table only, so that a change
/// above does not compile its handlers again.
///
/// A code that is returned is that of a `TrapCode`, `landed` or `suspended`; 0 lets the guest
/// continue. Addresses, indices and counts come from the guest as they are: i32 operands
/// zero-extended, nothing compared with a size. Indices of memories, tables, segments, functions
/// and tags were validated.
package struct Upcalls {
    package typealias Question = @convention(c) (ContextPointer) -> UInt64
    package typealias Check = @convention(c) (ContextPointer) -> Bool
    package typealias Function = @convention(c) (ContextPointer, Int) -> UInt64
    package typealias Drop = @convention(c) (ContextPointer, Int) -> Void
    package typealias Growth =
        @convention(c) (ContextPointer, UnsafeMutableRawPointer) -> UInt64
    package typealias HostCall =
        @convention(c) (UnsafeMutableRawPointer, StackPointer, ContextPointer) -> UInt64
    package typealias Observation =
        @convention(c) (ContextPointer, Int, UInt32) -> Void
    package typealias MemoryGrowth =
        @convention(c) (ContextPointer, Int, UInt64) -> UInt64
    package typealias TableGrowth =
        @convention(c) (ContextPointer, Int, UInt64, UInt64) -> UInt64
    package typealias Copy =
        @convention(c) (ContextPointer, Int, Int, UInt64, UInt64, UInt64) -> UInt64
    package typealias Fill =
        @convention(c) (ContextPointer, Int, UInt64, UInt64, UInt64) -> UInt64
    package typealias Notify =
        @convention(c) (ContextPointer, Int, UInt64, UInt64) -> UInt64
    package typealias Wait =
        @convention(c) (ContextPointer, Int, UInt64, Bool, UInt64, UInt64) -> UInt64
    package typealias Comparison =
        @convention(c) (ContextPointer, UInt32, UInt32) -> Bool
    package typealias Cells =
        @convention(c) (ContextPointer, Int, UInt32, StackPointer) -> UInt64
    package typealias Aggregate =
        @convention(c) (CodePointer, StackPointer, ContextPointer) -> UInt64
    package typealias Throw =
        @convention(c) (ContextPointer, Int, StackPointer) -> UInt64
    package typealias Rethrow = @convention(c) (ContextPointer, UInt64) -> UInt64

    /// The code of a defined function of the running instance, translated if it must be; or below
    /// `lowestReference` the code of what stops the guest.
    package var translate: Function
    /// Lets frames start up to an address.
    package var growStack: Growth
    /// Calls the host function of a `FunctionRecord`: arguments from and results to the slots. The
    /// budget is in `MachineExchange.budget` meanwhile.
    package var callHost: HostCall
    /// After a call of the host, when the stop word has one of `StopBits`: why the guest must stop.
    package var stopRequest: Question
    /// The budget is used up: refills `MachineExchange.budget`, which is negative by the amount
    /// owed.
    package var refillBudget: Question
    /// A guest function is entered (event 0) or returns (1); its index in the module.
    package var observeCall: Observation

    /// Memory and pages to add. Returns the size before, `UInt64.max` if it cannot grow so far, or
    /// `growthStopped` and a code.
    package var growMemory: MemoryGrowth
    /// Memories to and from, then addresses to and from, and the number of bytes.
    package var copyMemory: Copy
    /// Memory, address, value, number of bytes.
    package var fillMemory: Fill
    /// Memory and data segment, then address, offset in the segment, and the number of bytes.
    package var initMemory: Copy
    /// Data segment.
    package var dropData: Drop
    /// Whether another thread has grown a shared memory of the instance since the last call.
    package var memoriesGrew: Check
    /// Memory, address, number of threads. Returns how many were woken.
    package var notify: Notify
    /// Memory, address, whether 64 bits, expected value, nanoseconds. Returns what the guest gets,
    /// or a code in the upper half.
    package var wait: Wait

    /// Table, value, elements to add. Returns as `growMemory`.
    package var growTable: TableGrowth
    /// Tables to and from, then indices to and from, and the number of elements.
    package var copyTable: Copy
    /// Table, index, value, number of elements.
    package var fillTable: Fill
    /// Table and element segment, then index, offset in the segment, and the number of elements.
    package var initTable: Copy
    /// Element segment.
    package var dropElements: Drop

    /// The address of the record of a function of the instance.
    package var functionReference: Function
    /// Whether the first type is the second or a subtype of it, by their numbers in the registry.
    package var isSubtype: Comparison
    /// Size class, type, and the first slot that is not in use: puts a cell into the free list.
    package var refillCells: Cells
    /// Runs the `aggregate` instruction at the address. Returns the new array, 0, or a code below
    /// `lowestReference`.
    package var aggregate: Aggregate
    /// Tag and payload: throws a new exception. The budget is in `MachineExchange.budget`
    /// meanwhile.
    package var throwException: Throw
    /// Throws an exception again.
    package var throwReference: Rethrow

    package init(
        translate: @escaping Function,
        growStack: @escaping Growth,
        callHost: @escaping HostCall,
        stopRequest: @escaping Question,
        refillBudget: @escaping Question,
        observeCall: @escaping Observation,
        growMemory: @escaping MemoryGrowth,
        copyMemory: @escaping Copy,
        fillMemory: @escaping Fill,
        initMemory: @escaping Copy,
        dropData: @escaping Drop,
        memoriesGrew: @escaping Check,
        notify: @escaping Notify,
        wait: @escaping Wait,
        growTable: @escaping TableGrowth,
        copyTable: @escaping Copy,
        fillTable: @escaping Fill,
        initTable: @escaping Copy,
        dropElements: @escaping Drop,
        functionReference: @escaping Function,
        isSubtype: @escaping Comparison,
        refillCells: @escaping Cells,
        aggregate: @escaping Aggregate,
        throwException: @escaping Throw,
        throwReference: @escaping Rethrow
    ) {
        self.translate = translate
        self.growStack = growStack
        self.callHost = callHost
        self.stopRequest = stopRequest
        self.refillBudget = refillBudget
        self.observeCall = observeCall
        self.growMemory = growMemory
        self.copyMemory = copyMemory
        self.fillMemory = fillMemory
        self.initMemory = initMemory
        self.dropData = dropData
        self.memoriesGrew = memoriesGrew
        self.notify = notify
        self.wait = wait
        self.growTable = growTable
        self.copyTable = copyTable
        self.fillTable = fillTable
        self.initTable = initTable
        self.dropElements = dropElements
        self.functionReference = functionReference
        self.isSubtype = isSubtype
        self.refillCells = refillCells
        self.aggregate = aggregate
        self.throwException = throwException
        self.throwReference = throwReference
    }
}

/// No size of a memory or table has this bit set and the one above clear.
@inlinable package var growthStopped: UInt64 { 1 << 62 }

/// The table of the store that runs the instance with this context.
@inline(__always) func upcalls(_ cx: ContextPointer) -> UnsafePointer<Upcalls> {
    cx.load(
        fromByteOffset: ContextOffset.exchange, as: UnsafePointer<MachineExchange>.self
    ).pointee.upcalls
}
