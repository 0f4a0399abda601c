/// Reads slots one after another.
private struct SlotReader {
    let slots: CallSlots
    var index = 0

    mutating func next<T: WasmValue>(_ type: T.Type) -> T {
        defer { index += 1 }
        return T(slot: slots[index])
    }
}

/// The value types of a list of Swift types.
private func valueTypes<each T: WasmValue>(_ types: repeat (each T).Type) -> [ValueType] {
    var list: [ValueType] = []
    repeat list.append((each T).valueType)
    return list
}

extension HostFunction {
    /// A function with typed parameters and one result.
    public convenience init<each Parameter: WasmValue, Result: WasmValue>(
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Result
    ) {
        let type = FunctionType(
            parameters: valueTypes(repeat (each Parameter).self), results: [Result.valueType])
        self.init(type) { caller, slots in
            var reader = SlotReader(slots: slots)
            slots[0] = try body(caller, repeat reader.next((each Parameter).self)).slot
        }
    }

    /// A function with typed parameters and no result.
    public convenience init<each Parameter: WasmValue>(
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Void
    ) {
        let type = FunctionType(parameters: valueTypes(repeat (each Parameter).self))
        self.init(type) { caller, slots in
            var reader = SlotReader(slots: slots)
            try body(caller, repeat reader.next((each Parameter).self))
        }
    }
}

extension Linker {
    /// Gives a Swift function a name; its WebAssembly type follows from the closure's types.
    ///
    ///     linker.define("env", "add") { (_: borrowing Caller, a: Int32, b: Int32) -> Int32 in
    ///         a &+ b
    ///     }
    public func define<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Result
    ) {
        define(module, name, HostFunction(body))
    }

    /// Gives a Swift function without result a name.
    public func define<each Parameter: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Void
    ) {
        define(module, name, HostFunction(body))
    }
}

extension Function {
    /// Calls the function with Swift numbers; allocates nothing.
    ///
    ///     let sum = try add(2 as Int32, 3 as Int32, returning: Int32.self)
    ///
    /// - Throws: `CallError.signature` if the types are not the function's, else as `call(_:)`.
    public func callAsFunction<each Argument: WasmValue, Result: WasmValue>(
        _ arguments: repeat each Argument, returning: Result.Type = Result.self
    ) throws -> Result {
        guard takes(repeat (each Argument).self), type.results.count == 1,
            type.results[0] == Result.valueType
        else {
            throw CallError.signature(
                expected: type,
                given: FunctionType(
                    parameters: valueTypes(repeat (each Argument).self),
                    results: [Result.valueType]))
        }
        return try withSlots { slots in
            var index = 0
            for argument in repeat each arguments {
                slots[index] = argument.slot
                index += 1
            }
        } read: {
            Result(slot: $0[0])
        }
    }

    /// Calls a function without results.
    ///
    /// - Throws: `CallError.signature` if the types are not the function's, else as `call(_:)`.
    public func callAsFunction<each Argument: WasmValue>(
        _ arguments: repeat each Argument
    ) throws {
        guard takes(repeat (each Argument).self), type.results.isEmpty else {
            throw CallError.signature(
                expected: type,
                given: FunctionType(parameters: valueTypes(repeat (each Argument).self)))
        }
        try withSlots { slots in
            var index = 0
            for argument in repeat each arguments {
                slots[index] = argument.slot
                index += 1
            }
        } read: { _ in
        }
    }

    private func takes<each Argument: WasmValue>(_ types: repeat (each Argument).Type) -> Bool {
        let parameters = type.parameters
        var index = 0
        for argument in repeat each types {
            guard index < parameters.count, parameters[index] == argument.valueType else {
                return false
            }
            index += 1
        }
        return index == parameters.count
    }
}
