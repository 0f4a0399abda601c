// Layouts of the raw memory that register code reads.
//
// Invariants: every pointer stored in a record stays valid as long as the store that owns the
// record; records never move; a record is changed only by the thread that runs its store.

import Synchronization

/// A slot of the value stack: one 64-bit word. i32 and f32 are stored zero-extended, references as
/// the address of what they refer to (null is 0), v128 takes two adjacent slots.
typealias Slot = UInt64
/// A word of register code.
typealias CodeWord = UInt64
/// Points at an instruction: its first word is the address of the handler.
typealias CodePointer = UnsafeMutablePointer<CodeWord>
/// Points at slot 0 of a frame.
typealias StackPointer = UnsafeMutablePointer<Slot>
/// Points at the context block of an instance, see `ContextOffset`.
typealias ContextPointer = UnsafeMutableRawPointer

/// What a reference to a function points at, and what imports and tables hold: 40 bytes.
struct FunctionRecord {
    /// Where calling the function starts: its code, or a stub that translates it first.
    var code: CodePointer
    /// The context block of the instance that defines it; nil for a host function.
    var context: ContextPointer?
    /// Canonical type in the engine's registry.
    var typeID: UInt32
    /// Index of the frame header: the larger of parameter slots and result slots.
    var headerIndex: UInt16
    var parameterSlots: UInt16
    var resultSlots: UInt16
    /// The function's index in its module; meaningless for a host function.
    var functionIndex: UInt32
    /// The unretained `HostFunction` object of a host function; the store keeps it alive.
    var host: UnsafeMutableRawPointer?
}

/// A linear memory. `base` is reserved address space and never moves.
struct MemoryRecord {
    var base: UnsafeMutableRawPointer
    /// Bytes that the guest may access.
    var byteCount: UInt
}

/// A table of references, 64 bits each.
struct TableRecord {
    var elements: UnsafeMutablePointer<UInt64>
    var count: UInt
}

/// The accumulators of a guest that stands still.
struct Accumulators {
    var r: UInt64 = 0
    var f: Double = 0
    var g: Float = 0
}

/// The word of a store's `InterruptHandle`; see `InterruptHandle.stopBits`.
typealias StopWord = UnsafeMutablePointer<Atomic<UInt32>>

/// State exchanged between machine and store; one per store.
struct ExecutionState {
    /// The first slot that a host used and that its call does not have, and the number of slots that
    /// there are plus 1; 0 if there was none. `CallSlots` writes them without a call: they stay first.
    var missingSlot = 0
    var missingSlotMark = 0
    /// `TrapCode` after a run, 0 if it ended by returning, `suspended` if it can go on.
    var exitCode: UInt64 = 0
    /// Where the guest is: set by traps and host calls.
    var code: CodePointer?
    var stack: StackPointer?
    var context: ContextPointer?
    /// The first free slot of the value stack for a run that starts now.
    var top: StackPointer
    /// The word of the store's `InterruptHandle`, for a look after each call of the host.
    let stopWord: StopWord
    /// `ContextOffset.budget` while no guest code runs: handed over on entry and host calls.
    var budget: Int64 = 0
    /// Whether the store has a profiler.
    var isProfiled = false
    /// The unretained `Store`.
    var store: UnsafeMutableRawPointer?
    /// Of a run that was suspended when its budget was used up, or that trapped.
    var accumulators = Accumulators()
    #if DEBUG || DRIVER_LOOP
        /// Where the driver loop goes on; nil ends it.
        var next: State?
        /// Instructions that ran: exact, and the same on every machine.
        var dispatchCount = 0
    #endif
}

/// Byte offsets into the context block of an instance.
//////
/// The block is `[header][imported functions][imported globals][own globals]`: a pointer to a
/// `FunctionRecord` for every imported function, a pointer to its cell for every imported global,
/// and the cells of the module's own globals (8 bytes, 16 for v128).
enum ContextOffset {
    /// No frame may start above this address; after it there is room for the largest frame. Current
    /// only in the instance whose code runs: see `passStackLimit`.
    static let stackLimit = 0
    /// Backward branches and calls left until `Machine` asks the store whether to go on (Int64).
    static let budget = 8
    /// `MemoryRecord` of memory 0, or of an empty memory.
    static let memory0 = 16
    /// `TableRecord` of table 0, or of an empty table.
    static let table0 = 24
    /// Array of pointers to the `MemoryRecord`s of all memories.
    static let memories = 32
    /// Array of pointers to the `TableRecord`s of all tables.
    static let tables = 40
    /// The `ExecutionState` of the store.
    static let execution = 48
    /// The unretained `InstanceStorage` object.
    static let instance = 56
    /// Array of pointers (one a defined function, in the module's `CodeTable`) to register code.
    static let codeTable = 64
    /// Array of the instance's own `FunctionRecord`s, one a defined function; a record whose code
    /// is null was not needed yet.
    static let functionRecords = 72
    /// The block of the store's heap that allocations and casts read: see `HeapOffset`.
    static let heap = 80
    static let headerSize = 88
}

/// Where things stand in the context block of a module's instances.
struct ContextLayout: Sendable {
    let importedFunctionCount: Int
    let importedGlobalCount: Int
    /// Byte offset of every global: of its cell for own ones, of the pointer to it for imported.
    let globalOffsets: [Int]
    let byteCount: Int

    init(importedFunctions: Int, importedGlobals: Int, ownGlobalSlots: [Int]) {
        importedFunctionCount = importedFunctions
        importedGlobalCount = importedGlobals
        var offset = ContextOffset.headerSize + 8 * importedFunctions
        var offsets: [Int] = []
        offsets.reserveCapacity(importedGlobals + ownGlobalSlots.count)
        for _ in 0..<importedGlobals {
            offsets.append(offset)
            offset += 8
        }
        for slots in ownGlobalSlots {
            offsets.append(offset)
            offset += 8 * slots
        }
        globalOffsets = offsets
        byteCount = offset
    }

    static func importedFunction(_ index: Int) -> Int { ContextOffset.headerSize + 8 * index }
}
