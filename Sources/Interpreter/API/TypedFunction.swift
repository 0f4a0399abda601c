// Invariant: a typed function's Swift types were compared with the function's type when it was
// made, so slots have the types that are read, and all used slots exist.

import WasmDecoder

/// A function that is called with Swift values. Its types were compared once, when this was made.
///
///     let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
///     let sum = try add(2, 3)
///
/// `Signature` is a Swift function type of `WasmValue`s: `() -> Void`, `(Double) -> Double`,
/// `(Int64) -> (quotient: Int64, remainder: Int64)` without the labels. A call allocates nothing.
public struct TypedFunction<Signature> {
    /// The same function without its Swift types.
    public let function: Function
    /// Whether some types are the embedder's, which may write bits that are not a value.
    @usableFromInline let isChecked: Bool

    init(_ function: Function, isChecked: Bool) {
        self.function = function
        self.isChecked = isChecked
    }
}

extension TypedFunction {
    /// Calls the function and waits until it returns.
    ///
    /// - Throws: `CallError` if an argument belongs to another store, `Trap`, `Exception`, or an
    ///   error of a host function, unchanged.
    @inlinable
    public func callAsFunction<each Parameter: WasmValue, each Result: WasmValue>(
        _ arguments: repeat each Parameter
    ) throws -> (repeat each Result)
    where Signature == (repeat each Parameter) -> (repeat each Result) {
        let slots = try function.beginCall()
        var index = 0
        do throws(ValueError) {
            repeat try (each arguments).write(to: slots, at: &index)
        } catch {
            function.endCall(slots)
            throw function.argumentError(error, slot: index)
        }
        if isChecked { try function.checkArguments(slots) }
        try function.run(slots)
        index = 0
        // No `defer`, which Swift cannot compile together with packs.
        let results = (repeat (each Result)(slots: slots, at: &index))
        function.endCall(slots)
        if isChecked { try function.checkSlotFault() }
        return results
    }

    /// The same for one result: Swift does not match a pack of one optional with the optional
    /// itself.
    @inlinable
    public func callAsFunction<each Parameter: WasmValue, Result: WasmValue>(
        _ arguments: repeat each Parameter
    ) throws -> Result where Signature == (repeat each Parameter) -> Result {
        let slots = try function.beginCall()
        var index = 0
        do throws(ValueError) {
            repeat try (each arguments).write(to: slots, at: &index)
        } catch {
            function.endCall(slots)
            throw function.argumentError(error, slot: index)
        }
        if isChecked { try function.checkArguments(slots) }
        try function.run(slots)
        index = 0
        let result = Result(slots: slots, at: &index)
        function.endCall(slots)
        if isChecked { try function.checkSlotFault() }
        return result
    }
}

extension Function {
    /// The function with Swift types.
    ///
    /// A reference type of Swift's may be wider than a result's and narrower than a parameter's: a
    /// function that returns a reference to a structure can be called as one that returns
    /// `AnyReference?`.
    ///
    ///     let log = try function.typed(as: ((UInt32, UInt32) -> Void).self)
    ///
    /// - Throws: `CallError.signature` if they are not those of the function.
    @inlinable
    public func typed<each Parameter: WasmValue, each Result: WasmValue>(
        as signature: ((repeat each Parameter) -> (repeat each Result)).Type
    ) throws(CallError) -> TypedFunction<(repeat each Parameter) -> (repeat each Result)> {
        let given = FunctionType(
            parameters: valueTypes(repeat (each Parameter).self),
            results: valueTypes(repeat (each Result).self))
        return try checked(
            given,
            isChecked: !areOurs(repeat (each Parameter).self)
                || !areOurs(repeat (each Result).self))
    }

    /// The same for one result: see `TypedFunction.callAsFunction`.
    @inlinable
    public func typed<each Parameter: WasmValue, Result: WasmValue>(
        as signature: ((repeat each Parameter) -> Result).Type
    ) throws(CallError) -> TypedFunction<(repeat each Parameter) -> Result> {
        let given = FunctionType(
            parameters: valueTypes(repeat (each Parameter).self), results: [Result.valueType])
        return try checked(
            given, isChecked: !areOurs(repeat (each Parameter).self) || !isOurs(Result.self))
    }

    /// - Parameter isChecked: some of the Swift types are the embedder's.
    @usableFromInline
    func checked<Signature>(
        _ given: FunctionType, isChecked: Bool
    ) throws(CallError) -> TypedFunction<Signature> {
        if given != type {
            let types = store.engine.types
            guard (given.parameters + given.results).allSatisfy({ store.holdsType(of: $0) }),
                given.parameters.count == type.parameters.count,
                given.results.count == type.results.count,
                zip(given.parameters, type.parameters).allSatisfy({ types.matches($0, $1) }),
                zip(type.results, given.results).allSatisfy({ types.matches($0, $1) })
            else { throw .signature(expected: type, given: given) }
        }
        return TypedFunction(self, isChecked: isChecked)
    }

    @usableFromInline
    func beginCall() throws -> CallSlots {
        CallSlots(
            try store.beginCall(signature), count: signature.headerIndex,
            of: store.exchange)
    }

    /// Checks that the bits that types of the embedder wrote are arguments.
    @usableFromInline
    func checkArguments(_ slots: borrowing CallSlots) throws {
        do {
            try store.checkSlotFault()
            try store.checkArguments(of: signature.type, in: slots.base)
        } catch {
            endCall(slots)
            throw error
        }
    }

    @usableFromInline
    func run(_ slots: borrowing CallSlots) throws {
        do {
            try store.run(record, slots.base)
        } catch {
            endCall(slots)
            throw error
        }
    }

    @usableFromInline
    func endCall(_ slots: borrowing CallSlots) { store.endCall(slots.base) }

    /// Checks that types of the embedder have read results only.
    @usableFromInline
    func checkSlotFault() throws { try store.checkSlotFault() }

    /// The error for the argument that starts at a slot.
    @usableFromInline
    func argumentError(_ error: ValueError, slot: Int) -> CallError {
        var next = 0
        let index = type.parameters.firstIndex { parameter in
            defer { next += parameter.slotCount }
            return next == slot
        }
        return .argument(index: index ?? 0, error)
    }
}

/// Single calls: the types are compared each time.
extension Function {
    /// Calls the function with Swift values.
    ///
    ///     let sum = try add(2 as Int32, 3 as Int32, returning: Int32.self)
    ///
    /// - Throws: `CallError.signature` if the types are not the function's, else as a typed
    ///   function.
    @inlinable
    public func callAsFunction<each Argument: WasmValue, Result: WasmValue>(
        _ arguments: repeat each Argument, returning: Result.Type = Result.self
    ) throws -> Result {
        try typed(as: ((repeat each Argument) -> Result).self)(repeat each arguments)
    }

    /// Calls a function without results.
    ///
    /// - Throws: `CallError.signature` if the types are not the function's, else as a typed
    ///   function.
    @inlinable
    public func callAsFunction<each Argument: WasmValue>(_ arguments: repeat each Argument) throws {
        try typed(as: ((repeat each Argument) -> Void).self)(repeat each arguments)
    }
}

/// The value types of a pack of Swift types.
@inlinable
func valueTypes<each T: WasmValue>(_ types: repeat (each T).Type) -> [ValueType] {
    var list: [ValueType] = []
    repeat list.append((each types).valueType)
    return list
}
