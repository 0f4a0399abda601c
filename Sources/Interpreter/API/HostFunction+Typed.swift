// Invariant: the closure that reads and writes slots has a type made of the same Swift types.

import WasmDecoder

extension HostFunction {
    /// A function with typed parameters and results, and its caller.
    ///
    ///     HostFunction { (caller: borrowing Caller, address: UInt32, count: UInt32) in
    ///         print(try caller.memory.loadString(at: address, count: count))
    ///     }
    @inlinable
    public convenience init<each Parameter: WasmValue, each Result: WasmValue>(
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> (repeat each Result)
    ) {
        self.init(isShared: false, body)
    }

    /// The same for a function that several threads may call at the same time.
    ///
    ///     HostFunction.shared { (caller: borrowing Caller) -> Int32 in
    ///         caller[Sessions.key]?.userNumber ?? 0
    ///     }
    @inlinable
    public static func shared<each Parameter: WasmValue, each Result: WasmValue>(
        _ body:
            @escaping @Sendable (borrowing Caller, repeat each Parameter) throws
            -> (repeat each Result)
    ) -> HostFunction {
        HostFunction(isShared: true, body)
    }

    /// - Parameter isShared: `body` can be called by several threads at the same time.
    @inlinable
    convenience init<each Parameter: WasmValue, each Result: WasmValue>(
        isShared: Bool,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> (repeat each Result)
    ) {
        let type = FunctionType(
            parameters: valueTypes(repeat (each Parameter).self),
            results: valueTypes(repeat (each Result).self))
        self.init(
            typed: type, isChecked: !areOurs(repeat (each Result).self), isShared: isShared
        ) { caller, slots in
            var index = 0
            let results = try body(
                caller, repeat (each Parameter)(slots: slots, at: &index))
            index = 0
            repeat try (each results).write(to: slots, at: &index)
        }
    }

    /// A function with typed parameters and results.
    ///
    ///     HostFunction { (a: Int64, b: Int64) -> Int64 in a.multipliedFullWidth(by: b).high }
    @inlinable
    public convenience init<each Parameter: WasmValue, each Result: WasmValue>(
        _ body: @escaping (repeat each Parameter) throws -> (repeat each Result)
    ) {
        self.init { (_: borrowing Caller, arguments: repeat each Parameter) in
            try body(repeat each arguments)
        }
    }

    /// The same for a function that several threads may call at the same time.
    @inlinable
    public static func shared<each Parameter: WasmValue, each Result: WasmValue>(
        _ body: @escaping @Sendable (repeat each Parameter) throws -> (repeat each Result)
    ) -> HostFunction {
        HostFunction(isShared: true) {
            (_: borrowing Caller, arguments: repeat each Parameter) in
            try body(repeat each arguments)
        }
    }

    /// A function whose type is known only at run time.
    ///
    /// `body` must return values of the result types of `type`; otherwise the call ends with
    /// `CallError.resultCount` or `.result`.
    public convenience init(
        _ type: FunctionType, values body: @escaping (borrowing Caller, [Value]) throws -> [Value]
    ) {
        self.init(typed: type) { caller, slots in
            var slot = 0
            var arguments: [Value] = []
            arguments.reserveCapacity(type.parameters.count)
            for type in type.parameters {
                arguments.append(slots.value(slot, as: type))
                slot += type.slotCount
            }
            let results = try body(caller, arguments)
            guard results.count == type.results.count else {
                throw CallError.resultCount(expected: type.results.count, given: results.count)
            }
            slot = 0
            for (index, type) in type.results.enumerated() {
                do throws(ValueError) {
                    try slots.setResult(slot, results[index], as: type)
                } catch {
                    throw CallError.result(index: index, error)
                }
                slot += type.slotCount
            }
        }
    }
}

extension Linker {
    /// Defines a Swift closure with a `Caller` parameter; its WebAssembly type follows from the
    /// closure's types.
    ///
    ///     linker.define("env", "print") {
    ///         (caller: borrowing Caller, address: UInt32, count: UInt32) in
    ///         print(try caller.memory.loadString(at: address, count: count))
    ///     }
    @inlinable
    public func define<each Parameter: WasmValue, each Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> (repeat each Result)
    ) {
        define(module, name, HostFunction(body))
    }

    /// Defines a Swift closure; its WebAssembly type follows from the closure's types.
    ///
    ///     linker.define("env", "hypotenuse") { (a: Double, b: Double) in
    ///         (a * a + b * b).squareRoot()
    ///     }
    @inlinable
    public func define<each Parameter: WasmValue, each Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (repeat each Parameter) throws -> (repeat each Result)
    ) {
        define(module, name, HostFunction(body))
    }

    // Overloads for one result: from an expression like `a + b`, Swift does not infer a pack of one
    // result.

    /// Defines a Swift closure with a `Caller` parameter and one result.
    @inlinable
    public func define<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Result
    ) {
        define(module, name, HostFunction(body))
    }

    /// Defines a Swift closure with one result.
    @inlinable
    public func define<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (repeat each Parameter) throws -> Result
    ) {
        define(module, name, HostFunction(body))
    }
}

extension Linker {
    /// Defines a closure that stores of several threads may call at the same time, as prepared
    /// modules need it. It gets the state of its guest by a `HostKey`.
    ///
    ///     linker.defineShared("env", "print") {
    ///         (caller: borrowing Caller, address: UInt32, count: UInt32) in
    ///         caller[Log.key]?.write(try caller.memory.loadString(at: address, count: count))
    ///     }
    @inlinable
    public func defineShared<each Parameter: WasmValue, each Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body:
            @escaping @Sendable (borrowing Caller, repeat each Parameter) throws
            -> (repeat each Result)
    ) {
        define(module, name, .shared(body))
    }

    /// The same for a closure without a `Caller` parameter.
    @inlinable
    public func defineShared<each Parameter: WasmValue, each Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping @Sendable (repeat each Parameter) throws -> (repeat each Result)
    ) {
        define(module, name, .shared(body))
    }

    /// The same for a closure with a `Caller` parameter and one result.
    @inlinable
    public func defineShared<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping @Sendable (borrowing Caller, repeat each Parameter) throws -> Result
    ) {
        define(module, name, .shared(body))
    }

    /// The same for a closure with one result.
    @inlinable
    public func defineShared<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping @Sendable (repeat each Parameter) throws -> Result
    ) {
        define(module, name, .shared(body))
    }
}
