import WasmMachine
import WasmValidator

/// Is told what happens in a store.
///
/// ```swift
/// final class Growth: StoreObserver {
///     var pages: UInt64 = 0
///     func didGrowMemory(_ growth: MemoryGrowth) { pages += growth.pagesAdded }
/// }
/// let growth = Growth()
/// store.observer = growth
/// ```
///
/// All requirements have an implementation that does nothing. They are called by the thread that runs the store, in the middle of an instruction: an observer may read memories, globals and names, but not call guests; such a call ends with `CallError.guestIsHeld`. Objects of guests are not collected meanwhile.
///
/// Cost: without an observer, none. Calls and returns are told only if
/// `Engine.Configuration.observesCalls` is set, which puts an instruction into all functions.
public protocol StoreObserver: AnyObject {
    /// A guest function was called; its arguments are in place, nothing of it has run.
    func didEnter(_ function: ObservedFunction)
    /// A guest function is about to return, or to give its place to another by a tail call.
    ///
    /// Functions that a trap, an exception or an error of the host ends are not told of.
    func willLeave(_ function: ObservedFunction)
    /// A guest was stopped; the host gets the trap next.
    func didTrap(_ trap: Trap)
    /// A memory has got more pages, by a guest or by the host.
    func didGrowMemory(_ growth: MemoryGrowth)
    /// Garbage was collected.
    func didCollectGarbage(_ collection: GarbageCollection)
}

extension StoreObserver {
    public func didEnter(_ function: ObservedFunction) {}
    public func willLeave(_ function: ObservedFunction) {}
    public func didTrap(_ trap: Trap) {}
    public func didGrowMemory(_ growth: MemoryGrowth) {}
    public func didCollectGarbage(_ collection: GarbageCollection) {}
}

/// A function of a guest.
public struct ObservedFunction {
    public let module: Module
    /// Imports counted.
    public let index: FunctionIndex

    /// The function's name in the name section, or else the first name it is exported by.
    public var name: String? { module.name(ofFunction: index) }
}

/// What was added to a memory.
public struct MemoryGrowth {
    public let memory: Memory
    /// The size before, in pages.
    public let oldPageCount: UInt64
    public let pagesAdded: UInt64
}

/// What a collection of garbage did.
public struct GarbageCollection: Sendable {
    /// How many collections of the store there were, this one counted.
    public let number: Int
    public let duration: Duration
    /// Bytes of the objects that stay.
    public let liveByteCount: Int
}

// MARK: Telling

extension Store {
    /// Tells the observer something, if there is one.
    func notify(_ body: (any StoreObserver) -> Void) {
        guard let observer, !isGuestHeld else { return }
        holdingGuest { body(observer) }
    }

    func notifyGrowth(_ storage: MemoryStorage, from old: UInt64, by pages: UInt64) {
        guard pages > 0 else { return }
        notify {
            $0.didGrowMemory(
                MemoryGrowth(
                    memory: Memory(store: self, storage: storage), oldPageCount: old,
                    pagesAdded: pages))
        }
    }
}

/// A guest function was entered (`event` 0) or returns (1).
func runtimeObserveCall(_ cx: ContextPointer, _ event: Int, _ function: UInt32) {
    let context = ContextView(cx)
    let exchange = context.exchange
    guard let store = exchange.pointee.unretainedStore else { return }
    // The observer may look at the fuel.
    exchange.pointee.budget = context.budget
    store._withUnsafeGuaranteedRef {
        $0.notify {
            let function = ObservedFunction(module: context.instance.module, index: function)
            if event == 0 { $0.didEnter(function) } else { $0.willLeave(function) }
        }
    }
    context.budget = exchange.pointee.budget
    store._withUnsafeGuaranteedRef { $0.lookSoon(context) }
}
