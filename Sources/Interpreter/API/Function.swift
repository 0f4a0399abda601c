// Invariant: `record` is valid as long as the store, which the handle keeps alive.

import WasmMachine
import WasmValidator

/// A function in a store: of a module or of the host.
///
/// Specification: 4.2.6 (function instances).
public struct Function {
    public let store: Store
    let record: UnsafeMutablePointer<FunctionRecord>
    let signature: Signature

    init(store: Store, record: UnsafeMutablePointer<FunctionRecord>) {
        self.store = store
        self.record = record
        signature = store.signature(record.pointee.typeID)
    }

    /// Makes a function of the host that reads and writes slots: the fast form.
    ///
    /// Type indices in the types are numbers of the engine's registry.
    public init(
        store: Store, parameters: [ValueType] = [], results: [ValueType] = [],
        body: @escaping HostFunction.Body
    ) {
        let type = FunctionType(parameters: parameters, results: results)
        self.init(store: store, HostFunction(type, body))
    }

    /// Binds a host function to a store. The same function twice gives the same reference.
    public init(store: Store, _ function: HostFunction) {
        self.init(store: store, record: store.record(of: function))
    }

    /// Parameters and results; type indices in them are numbers of the engine's registry.
    public var type: FunctionType { signature.type }

    /// Calls the function and waits until it returns.
    ///
    /// In an asynchronous Swift function this name means the call with `await`, which holds no
    /// thread while the guest waits; `callSynchronously` means this one everywhere.
    ///
    /// - Throws: `CallError` if the arguments do not fit, `Trap` if the guest traps, `Exception` if
    ///   it throws and does not catch, `GuestExit` or any other error of a host function,
    ///   unchanged.
    public func call(_ arguments: [Value] = []) throws -> [Value] {
        let slots = try store.beginCall(signature)
        defer { store.endCall(slots) }
        try store.write(arguments: arguments, of: signature, to: slots)
        try store.run(record, slots)
        return store.values(of: signature.type.results, in: slots)
    }

    /// Calls the function and holds the thread until it returns: the same as `call(_:)` without
    /// `await`, under a name that means this in asynchronous code too.
    ///
    ///     func render() async throws {
    ///         // A short call: no other task need run meanwhile.
    ///         let size = try measure.callSynchronously([.i32(1)])
    ///     }
    ///
    /// A `TypedFunction` that is called like a function, `add(2, 3)`, does so everywhere.
    ///
    /// - Throws: as `call(_:)`. A guest that calls an asynchronous host function traps.
    public func callSynchronously(_ arguments: [Value] = []) throws -> [Value] {
        try call(arguments)
    }
}

extension Function: Hashable {
    /// Whether both refer to the same function of the same store.
    public static func == (a: Function, b: Function) -> Bool {
        // Stores share the records of host functions.
        a.record == b.record && a.store === b.store
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(record) }
}
