// Invariant: `pointer` is the context block of an instance whose store exists.

import WasmMachine

/// A context block with names for its fields, for the slow paths of the runtime.
struct ContextView {
    let pointer: ContextPointer

    init(_ pointer: ContextPointer) { self.pointer = pointer }

    var exchange: UnsafeMutablePointer<MachineExchange> {
        pointer.load(
            fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
    }

    var budget: Int64 {
        get { pointer.load(fromByteOffset: ContextOffset.budget, as: Int64.self) }
        nonmutating set {
            pointer.storeBytes(of: newValue, toByteOffset: ContextOffset.budget, as: Int64.self)
        }
    }

    /// See `ContextOffset.stackLimit`.
    var stackLimit: UnsafeMutableRawPointer {
        get {
            pointer.load(
                fromByteOffset: ContextOffset.stackLimit, as: UnsafeMutableRawPointer.self)
        }
        nonmutating set {
            pointer.storeBytes(
                of: newValue, toByteOffset: ContextOffset.stackLimit,
                as: UnsafeMutableRawPointer.self)
        }
    }

    var instance: InstanceStorage { InstanceStorage.of(pointer) }

    /// The record of a memory; validation keeps `index` in range.
    func memory(_ index: Int) -> UnsafeMutablePointer<MemoryRecord> {
        pointer.load(
            fromByteOffset: ContextOffset.memories,
            as: UnsafeMutablePointer<UnsafeMutablePointer<MemoryRecord>>.self)[index]
    }

    /// The record of a table; validation keeps `index` in range.
    func table(_ index: Int) -> UnsafeMutablePointer<TableRecord> {
        pointer.load(
            fromByteOffset: ContextOffset.tables,
            as: UnsafeMutablePointer<UnsafeMutablePointer<TableRecord>>.self)[index]
    }
}

extension MachineExchange {
    /// The store; it outlives every run.
    var unretainedStore: Unmanaged<Store>? { store.map { Unmanaged.fromOpaque($0) } }
}
