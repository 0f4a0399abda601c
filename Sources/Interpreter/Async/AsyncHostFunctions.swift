/// What an asynchronous host function sees of the guest that waits for it.
///
/// The guest stands still meanwhile: memory may be read and written, and the store be used for other
/// calls, also for functions of the same guest. Stays in the isolation that the guest was called
/// from, as everything of a store.
public struct AsyncCaller {
    public let store: Store
    /// The instance whose code called; nil if the host called the function itself.
    public let instance: Instance?

    /// Memory 0 of the calling instance; nil without caller or memory.
    public var memory: Memory? {
        if case .memory(let memory)? = instance?.external(.memory, 0) { memory } else { nil }
    }
}

/// What an asynchronous host function asks for when its guest begins to wait.
struct AsyncRequest {
    /// Puts results into the slots that the guest reads.
    typealias Results = (borrowing CallSlots) throws -> Void

    let body: nonisolated(nonsending) () async throws -> Results
}

extension HostFunction {
    /// An asynchronous function with typed parameters and results.
    ///
    /// Its guest is suspended while it works and holds no thread. So guests that call it must be
    /// called with `await`; for others it is an error, `SuspensionError.cannotWait`.
    ///
    /// The closure runs in the isolation of whoever called the guest, and is cancelled with it.
    public convenience init<each Parameter: WasmValue, each Result: WasmValue>(
        async body:
            nonisolated(nonsending) @escaping (AsyncCaller, repeat each Parameter)
            async throws -> (repeat each Result)
    ) {
        let type = FunctionType(
            parameters: valueTypes(repeat (each Parameter).self),
            results: valueTypes(repeat (each Result).self))
        self.init(type) { caller, slots in
            var slot = 0
            let arguments = (repeat (each Parameter)(slots: slots, at: &slot))
            let asyncCaller = AsyncCaller(store: caller.store, instance: caller.instance)
            throw Suspension(
                AsyncRequest {
                    let results = try await body(asyncCaller, repeat each arguments)
                    return { slots in
                        var slot = 0
                        repeat try (each results).write(to: slots, at: &slot)
                    }
                })
        }
    }
}

extension Linker {
    /// Gives an asynchronous Swift closure a name; its WebAssembly type follows from the closure's
    /// types.
    ///
    ///     linker.define("env", "sleep") { (_: AsyncCaller, milliseconds: Int32) in
    ///         try await Task.sleep(for: .milliseconds(milliseconds))
    ///     }
    ///
    /// See `HostFunction.init(async:)`.
    public func define<each Parameter: WasmValue, each Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body:
            nonisolated(nonsending) @escaping (AsyncCaller, repeat each Parameter) async throws
            -> (repeat each Result)
    ) {
        define(module, name, HostFunction(async: body))
    }

    /// Gives an asynchronous Swift closure with one result a name.
    public func define<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body:
            nonisolated(nonsending) @escaping (AsyncCaller, repeat each Parameter) async throws
            -> Result
    ) {
        define(module, name, HostFunction(async: body))
    }
}
