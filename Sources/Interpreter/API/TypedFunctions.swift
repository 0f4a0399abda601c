/// Reads slots one after another.
@usableFromInline
struct SlotReader {
    @usableFromInline let slots: CallSlots
    @usableFromInline var index = 0

    @inlinable init(slots: CallSlots) { self.slots = slots }

    @inlinable mutating func next<T: WasmValue>(_ type: T.Type) -> T {
        defer { index += 1 }
        return T(slot: slots[index])
    }
}

/// Types of numbers one after another: as a list, and as one number that is quick to compare.
@usableFromInline
struct NumberTypes {
    /// Two bits a type below a leading 1; 0 if there are more types than fit.
    @usableFromInline var code: UInt64 = 1

    @inlinable init() {}

    @inlinable mutating func append(_ type: NumberType) {
        code = code == 0 || code >> 62 != 0 ? 0 : code << 2 | UInt64(type.rawValue)
    }

    var list: [ValueType] {
        var types: [ValueType] = []
        var rest = code
        while rest > 1 {
            types.append((NumberType(rawValue: UInt8(rest & 3)) ?? .i32).valueType)
            rest >>= 2
        }
        return types.reversed()
    }

    /// The code of these types, or nil if they do not fit or are not all numbers.
    static func code(of types: [ValueType]) -> UInt64? {
        var numbers = NumberTypes()
        for type in types {
            switch type {
            case .i32: numbers.append(.i32)
            case .i64: numbers.append(.i64)
            case .f32: numbers.append(.f32)
            case .f64: numbers.append(.f64)
            default: return nil
            }
        }
        return numbers.code == 0 ? nil : numbers.code
    }
}

/// The value types of a list of Swift types.
@inlinable
func valueTypes<each T: WasmValue>(_ types: repeat (each T).Type) -> [ValueType] {
    var list: [ValueType] = []
    repeat list.append((each T).numberType.valueType)
    return list
}

extension HostFunction {
    /// A function with typed parameters and one result.
    @inlinable
    public convenience init<each Parameter: WasmValue, Result: WasmValue>(
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Result
    ) {
        let type = FunctionType(
            parameters: valueTypes(repeat (each Parameter).self),
            results: [Result.numberType.valueType])
        self.init(type) { caller, slots in
            var reader = SlotReader(slots: slots)
            slots[0] = try body(caller, repeat reader.next((each Parameter).self)).slot
        }
    }

    /// A function with typed parameters and no result.
    @inlinable
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
    @inlinable
    public func define<each Parameter: WasmValue, Result: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Result
    ) {
        define(module, name, HostFunction(body))
    }

    /// Gives a Swift function without result a name.
    @inlinable
    public func define<each Parameter: WasmValue>(
        _ module: Name, _ name: Name,
        _ body: @escaping (borrowing Caller, repeat each Parameter) throws -> Void
    ) {
        define(module, name, HostFunction(body))
    }
}

extension Function {
    /// Calls the function with Swift numbers, at most 31; allocates nothing.
    ///
    ///     let sum = try add(2 as Int32, 3 as Int32, returning: Int32.self)
    ///
    /// - Throws: `CallError.signature` if the types are not the function's, else as `call(_:)`.
    @inlinable
    public func callAsFunction<each Argument: WasmValue, Result: WasmValue>(
        _ arguments: repeat each Argument, returning: Result.Type = Result.self
    ) throws -> Result {
        var parameters = NumberTypes()
        repeat parameters.append((each Argument).numberType)
        var results = NumberTypes()
        results.append(Result.numberType)
        let slots = try beginCall(parameters, results)
        var index = 0
        for argument in repeat each arguments {
            slots[index] = argument.slot
            index += 1
        }
        try run()
        return Result(slot: slots[0])
    }

    /// Calls a function without results.
    ///
    /// - Throws: `CallError.signature` if the types are not the function's, else as `call(_:)`.
    @inlinable
    public func callAsFunction<each Argument: WasmValue>(
        _ arguments: repeat each Argument
    ) throws {
        var parameters = NumberTypes()
        repeat parameters.append((each Argument).numberType)
        let slots = try beginCall(parameters, NumberTypes())
        var index = 0
        for argument in repeat each arguments {
            slots[index] = argument.slot
            index += 1
        }
        try run()
    }

    /// Starts a call if the function has these types.
    @usableFromInline
    func beginCall(_ parameters: NumberTypes, _ results: NumberTypes) throws -> CallSlots {
        guard signature.parameterCode == parameters.code, signature.resultCode == results.code
        else {
            throw CallError.signature(
                expected: type,
                given: FunctionType(parameters: parameters.list, results: results.list))
        }
        return try beginCall()
    }
}
