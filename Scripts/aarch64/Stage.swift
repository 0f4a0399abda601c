// Where the compared program keeps what handlers read and write: at the same addresses on every
// processor, so that pointers in results are equal too.
//
// Invariants: `open` has mapped `size` bytes at `address`, zeroed, for the life of the process; the
// areas below do not overlap.

import Glibc
import Synchronization
import WasmMachine

enum Stage {
    static let address: UInt = 0x20_0000_0000
    static let size = 0x4000_0000

    static func open() -> Bool {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE
        let wanted = UnsafeMutableRawPointer(bitPattern: address)
        return mmap(wanted, size, PROT_READ | PROT_WRITE, flags, -1, 0) == wanted
    }

    static func at(_ offset: Int) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(bitPattern: address + UInt(offset)).unsafelyUnwrapped
    }
    static func words(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        at(offset).assumingMemoryBound(to: UInt64.self)
    }
    static func number(_ pointer: UnsafeRawPointer) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }

    static var code: CodePointer { words(0) }
    static var entries: UnsafeMutablePointer<UInt64> { words(0x8_0000) }
    static var counter: UnsafeMutablePointer<UInt64> { words(0x9_0000) }
    /// Slot 0 of the frame that the instruction under test runs in.
    static var frame: StackPointer { words(0x10_8000) }
    static var memories: UnsafeMutablePointer<MemoryRecord> {
        at(0x180_0000).assumingMemoryBound(to: MemoryRecord.self)
    }
    static var memoryPointers: UnsafeMutablePointer<UInt64> { words(0x180_1000) }
    static var tables: UnsafeMutablePointer<TableRecord> {
        at(0x180_2000).assumingMemoryBound(to: TableRecord.self)
    }
    static var tablePointers: UnsafeMutablePointer<UInt64> { words(0x180_3000) }
    static var functions: UnsafeMutablePointer<FunctionRecord> {
        at(0x180_4000).assumingMemoryBound(to: FunctionRecord.self)
    }
    static var elements: UnsafeMutablePointer<UInt64> { words(0x190_0000) }
    static func context(_ index: Int) -> ContextPointer { at(0x1a0_0000 + index * 0x1000) }
    static var importedCells: UnsafeMutablePointer<UInt64> { words(0x1a8_0000) }
    static var heap: UnsafeMutableRawPointer { at(0x1b0_0000) }
    static var types: UnsafeMutablePointer<TypeRecord> {
        at(0x1b1_0000).assumingMemoryBound(to: TypeRecord.self)
    }
    static var ancestors: UnsafeMutablePointer<UInt32> {
        at(0x1b2_0000).assumingMemoryBound(to: UInt32.self)
    }
    static var objects: UnsafeMutableRawPointer { at(0x1c0_0000) }
    static var exchange: UnsafeMutablePointer<MachineExchange> {
        at(0x1d0_0000).assumingMemoryBound(to: MachineExchange.self)
    }
    /// Of the interrupt handle.
    static var stopWord: StopWord { at(0x1d1_0000).assumingMemoryBound(to: Atomic<UInt32>.self) }
    /// Bytes of the two memories; the first one has room to grow.
    static var memory0: UnsafeMutableRawPointer { at(0x100_1000) }
    static var memory1: UnsafeMutableRawPointer { at(0x140_1000) }
    /// From here on there is room for whole modules.
    static let free = 0x400_0000
}

/// Where things are in the context blocks of the stage.
enum Cell {
    static let importedFunctions = ContextOffset.headerSize
    static let importedFunctionCount = 5
    static let importedGlobals = importedFunctions + 8 * importedFunctionCount
    /// What the landing notes of the accumulators.
    static let integer = importedGlobals + 16
    static let float = integer + 8
    static let double = float + 8
    /// Four cells for the globals under test.
    static let own = double + 8
    static let end = own + 32
}
