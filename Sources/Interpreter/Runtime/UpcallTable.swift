// Invariant: the table is complete before its first use, and never freed.

import WasmMachine

extension Upcalls {
    /// The functions of this target that the machine calls: all stores use this one table.
    nonisolated(unsafe) static let shared: UnsafePointer<Upcalls> = {
        let table = UnsafeMutablePointer<Upcalls>.allocate(capacity: 1)
        table.initialize(
            to: Upcalls(
                translate: runtimeTranslate,
                growStack: runtimeGrowStack,
                callHost: runtimeCallHost,
                stopRequest: runtimeStopRequest,
                refillBudget: runtimeBudgetExhausted,
                observeCall: runtimeObserveCall,
                growMemory: runtimeMemoryGrow,
                copyMemory: runtimeMemoryCopy,
                fillMemory: runtimeMemoryFill,
                initMemory: runtimeMemoryInit,
                dropData: runtimeDataDrop,
                memoriesGrew: runtimeMemoriesGrew,
                notify: runtimeNotify,
                wait: runtimeWait,
                growTable: runtimeTableGrow,
                copyTable: runtimeTableCopy,
                fillTable: runtimeTableFill,
                initTable: runtimeTableInit,
                dropElements: runtimeElementDrop,
                functionReference: runtimeFunctionReference,
                isSubtype: runtimeIsSubtype,
                refillCells: runtimeRefill,
                aggregate: runtimeAggregate,
                throwException: runtimeThrow,
                throwReference: runtimeThrowReference))
        return UnsafePointer(table)
    }()
}
