import WasmDecoder

/// The waiting guest of an asynchronous host function.
///
/// While the guest waits, its memory may be read and written, and the store may be used for other
/// calls, also of the same guest's functions. It stays in the isolation of the guest's caller, like
/// everything of a store.
public struct AsyncCaller {
    public let store: Store
    /// The instance whose code called; nil if the host called the function itself.
    public let instance: Instance?

    /// Memory 0 of the calling instance; nil without a caller or a memory.
    public var memory: Memory? {
        if case .memory(let memory)? = instance?.external(.memory, 0) { memory } else { nil }
    }
}

/// The request of an asynchronous host function when its guest begins to wait.
struct AsyncRequest {
    /// Writes results to the slots that the guest reads.
    typealias Results = (borrowing CallSlots) throws -> Void

    let body: nonisolated(nonsending) () async throws -> Results
}

extension HostFunction {
    /// An asynchronous function with typed parameters and results.
    ///
    /// Its guest is suspended meanwhile and holds no thread. Guests that call it must be called
    /// with `await`; otherwise the call ends with `SuspensionError.cannotWait`.
    ///
    /// The closure runs in the isolation of the guest's caller, and is cancelled with its task.
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
