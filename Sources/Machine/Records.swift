// Layouts of the raw memory that register code reads.
//
// Invariants: every pointer stored in a record stays valid as long as the store that owns the
// record; records never move; a record is changed only by the thread that runs its store.

import Synchronization

/// A slot of the value stack: one 64-bit word. i32 and f32 are stored zero-extended, references as
/// the address of what they refer to (null is 0), v128 takes two adjacent slots.
@usableFromInline package typealias Slot = UInt64
/// A word of register code.
@usableFromInline package typealias CodeWord = UInt64
/// Points at an instruction: its first word is the address of the handler.
@usableFromInline package typealias CodePointer = UnsafeMutablePointer<CodeWord>
/// Points at slot 0 of a frame.
@usableFromInline package typealias StackPointer = UnsafeMutablePointer<Slot>
/// Points at the context block of an instance, see `ContextOffset`.
@usableFromInline package typealias ContextPointer = UnsafeMutableRawPointer

/// What a reference to a function points at, and what imports and tables hold: 32 bytes, since each
/// instance has one for each function that can be referred to. One of the host begins a
/// `HostFunctionRecord`.
@usableFromInline package struct FunctionRecord {
    /// Where calling the function starts: its code, or a stub that translates it first.
    package var code: CodePointer
    /// The context block of the instance that defines it; nil for a host function.
    package var context: ContextPointer?
    /// Canonical type in the engine's registry.
    package var typeID: UInt32
    /// Index of the frame header: the larger of parameter slots and result slots.
    package var headerIndex: UInt16
    package var parameterSlots: UInt16
    package var resultSlots: UInt16
    /// The function's index in its module; meaningless for a host function.
    package var functionIndex: UInt32

    package init(
        code: CodePointer, context: ContextPointer?, typeID: UInt32, headerIndex: UInt16,
        parameterSlots: UInt16, resultSlots: UInt16, functionIndex: UInt32
    ) {
        self.code = code
        self.context = context
        self.typeID = typeID
        self.headerIndex = headerIndex
        self.parameterSlots = parameterSlots
        self.resultSlots = resultSlots
        self.functionIndex = functionIndex
    }
}

/// What a reference to a host function points at. The machine knows only its first part.
package struct HostFunctionRecord {
    /// Without a context; it stays first.
    package var function: FunctionRecord
    /// The unretained `HostFunction` object; the store keeps it alive.
    package var host: UnsafeMutableRawPointer

    package init(function: FunctionRecord, host: UnsafeMutableRawPointer) {
        self.function = function
        self.host = host
    }

    /// The object of a host function by its record; nil for a function of a module.
    @inline(__always)
    package static func host(
        of record: UnsafeMutablePointer<FunctionRecord>
    ) -> UnsafeMutableRawPointer? {
        guard record.pointee.context == nil else { return nil }
        return UnsafeMutableRawPointer(record)
            .assumingMemoryBound(to: HostFunctionRecord.self).pointee.host
    }
}

/// A linear memory. `base` is reserved address space and never moves.
@usableFromInline package struct MemoryRecord {
    package var base: UnsafeMutableRawPointer
    /// Bytes that the guest may access.
    package var byteCount: UInt

    package init(
        base: UnsafeMutableRawPointer, byteCount: UInt
    ) {
        self.base = base
        self.byteCount = byteCount
    }
}

/// A table of references, 64 bits each.
@usableFromInline package struct TableRecord {
    package var elements: UnsafeMutablePointer<UInt64>
    package var count: UInt

    package init(
        elements: UnsafeMutablePointer<UInt64>, count: UInt
    ) {
        self.elements = elements
        self.count = count
    }
}

/// The accumulators of a guest that is stopped.
@usableFromInline package struct Accumulators {
    @usableFromInline package var r: UInt64 = 0
    @usableFromInline package var f: Double = 0
    @usableFromInline package var g: Float = 0

    @inlinable package init(
        r: UInt64 = 0, f: Double = 0, g: Float = 0
    ) {
        self.r = r
        self.f = f
        self.g = g
    }

    /// The content after a call whose first result is `slot`, of any type.
    @inlinable package init(result slot: Slot) {
        r = slot
        f = Double(bitPattern: slot)
        g = Float(bitPattern: UInt32(truncatingIfNeeded: slot))
    }
}

/// The word of a store's `InterruptHandle`; see `StopBits`.
@usableFromInline package typealias StopWord = UnsafeMutablePointer<Atomic<UInt32>>

/// Bits of a `StopWord`. After each call of the host the machine tests these; if one is set, it
/// asks the store whether the guest must stop. The other bits are the `InterruptHandle`'s own.
@usableFromInline package enum StopBits {
    /// The guest was asked to stop.
    @inlinable package static var requested: UInt32 { 1 }
    /// The store's deadline had passed when it was checked last.
    @inlinable package static var rung: UInt32 { 4 }
    @inlinable package static var all: UInt32 { requested | rung }
}

/// State exchanged between machine and store; one per store.
@usableFromInline package struct MachineExchange {
    /// The first slot that a host function used beyond those of its call, and the number of the
    /// call's slots plus 1; 0 if there was none. `CallSlots` writes them without a call, so they
    /// stay first.
    package var missingSlot = 0
    package var missingSlotMark = 0
    /// `TrapCode` after a run, 0 if it ended by returning, `suspended` if it can continue.
    package var exitCode: UInt64 = 0
    /// Where the guest is: set by traps and host calls.
    package var code: CodePointer?
    package var stack: StackPointer?
    package var context: ContextPointer?
    /// The first free slot of the value stack for a run that starts now.
    package var top: StackPointer
    /// The word of the store's `InterruptHandle`, tested after each call of the host.
    package let stopWord: StopWord
    /// Functions of the layers above that the machine calls.
    package let upcalls: UnsafePointer<Upcalls>
    /// `ContextOffset.budget` while no guest code runs: copied on entry and for host calls.
    package var budget: Int64 = 0
    /// Whether the store has a profiler.
    package var isProfiled = false
    /// The unretained `Store`.
    package var store: UnsafeMutableRawPointer?
    /// Of a run that was suspended when its budget was used up, or that trapped.
    package var accumulators = Accumulators()
    /// Calls of the host until the store looks whether the turn of a guest is over; never if it is
    /// not above 0.
    package var callsUntilLook = 0
    #if DEBUG || DRIVER_LOOP
        /// Where the driver loop continues; nil ends it.
        var next: State?
        /// Instructions that ran: exact, and the same on every machine.
        package var dispatchCount = 0
    #endif

    package init(top: StackPointer, stopWord: StopWord, upcalls: UnsafePointer<Upcalls>) {
        self.top = top
        self.stopWord = stopWord
        self.upcalls = upcalls
    }
}

/// Byte offsets into the context block of an instance.
///
/// The block is `[header][imported functions][imported globals][own globals]`: a pointer to a
/// `FunctionRecord` for every imported function, a pointer to its cell for every imported global,
/// and the cells of the module's own globals (8 bytes, 16 for v128).
@usableFromInline package enum ContextOffset {
    /// No frame may start above this address; after it there is room for the largest frame. Current
    /// only in the instance whose code runs: see `passStackLimit`.
    @inlinable package static var stackLimit: Int { 0 }
    /// Backward branches and calls left until `Machine` asks the store whether to continue (Int64).
    @inlinable package static var budget: Int { 8 }
    /// `MemoryRecord` of memory 0, or of an empty memory.
    @inlinable package static var memory0: Int { 16 }
    /// `TableRecord` of table 0, or of an empty table.
    @inlinable package static var table0: Int { 24 }
    /// Array of pointers to the `MemoryRecord`s of all memories.
    @inlinable package static var memories: Int { 32 }
    /// Array of pointers to the `TableRecord`s of all tables.
    @inlinable package static var tables: Int { 40 }
    /// The `MachineExchange` of the store.
    @inlinable package static var exchange: Int { 48 }
    /// The unretained `InstanceStorage` object.
    @inlinable package static var instance: Int { 56 }
    /// Array of pointers to register code, one for each defined function: the module's `CodeTable`.
    @inlinable package static var codeTable: Int { 64 }
    /// The block of the store's heap that allocations and casts read: see `HeapOffset`. The word
    /// before it is not used.
    @inlinable package static var heap: Int { 80 }
    @inlinable package static var headerSize: Int { 88 }
}

/// Where things are in the context block of a module's instances.
@usableFromInline package struct ContextLayout: Sendable {
    package let importedFunctionCount: Int
    package let importedGlobalCount: Int
    /// Byte offset of every global: of its cell for own ones, of the pointer to it for imported.
    package let globalOffsets: [Int]
    package let byteCount: Int

    package init(importedFunctions: Int, importedGlobals: Int, ownGlobalSlots: [Int]) {
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

    @inlinable package static func importedFunction(_ index: Int) -> Int {
        ContextOffset.headerSize + 8 * index
    }
}
