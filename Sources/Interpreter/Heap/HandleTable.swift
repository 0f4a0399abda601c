import Synchronization

/// What the host holds of a store's objects. Handles may go away on any thread.
final class HandleTable: Sendable {
    private struct State {
        var slots: [UInt64] = []
        var freeIndices: [Int] = []
    }
    private let state = Mutex(State())

    /// Keeps what a slot refers to until `remove` is called with the result.
    func add(_ slot: UInt64) -> Int {
        state.withLock { state in
            if let index = state.freeIndices.popLast() {
                state.slots[index] = slot
                return index
            }
            state.slots.append(slot)
            return state.slots.count - 1
        }
    }

    func remove(_ index: Int) {
        state.withLock { state in
            state.slots[index] = 0
            state.freeIndices.append(index)
        }
    }

    var slots: [UInt64] { state.withLock { $0.slots } }
}

/// Keeps an object alive as long as the host has this.
final class ObjectHandle {
    let store: Store
    /// The object's address.
    let slot: UInt64
    private let index: Int

    init(store: Store, slot: UInt64) {
        self.store = store
        self.slot = slot
        index = store.heap.handles.add(slot)
    }

    deinit { store.heap.handles.remove(index) }
}
