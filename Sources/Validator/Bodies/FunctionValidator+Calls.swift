import WasmDecoder

/// Calls and tail calls (3.4.2).
extension FunctionValidator {
    @inline(__always)
    mutating func call() throws(Stop) {
        let type = try calledFunction()
        try pop(module.parameters(type))
        try push(module.results(type))
    }

    mutating func callIndirect() throws(Stop) {
        let type = try indirectlyCalledType()
        try pop(module.parameters(type))
        try push(module.results(type))
    }

    mutating func callRef() throws(Stop) {
        let type = try referredType()
        try pop(module.parameters(type))
        try push(module.results(type))
    }

    mutating func returnCall() throws(Stop) { try tailCall(try calledFunction()) }
    mutating func returnCallIndirect() throws(Stop) { try tailCall(try indirectlyCalledType()) }
    mutating func returnCallRef() throws(Stop) { try tailCall(try referredType()) }

    private mutating func tailCall(_ type: TypeIndex) throws(Stop) {
        try pop(module.parameters(type))
        guard matches(module.results(type), results(of: frames.base)) else {
            throw mismatch(.calleeResults)
        }
        markUnreachable()
    }

    /// Reads a function index; returns the type of the function.
    @inline(__always)
    private mutating func calledFunction() throws(Stop) -> TypeIndex {
        let index = try unsigned32()
        guard module.functions.contains(index) else { throw fail(.unknown(.function, index)) }
        return module.functions[Int(index)]
    }

    /// Reads a type and a table, and pops the index in the table.
    private mutating func indirectlyCalledType() throws(Stop) -> TypeIndex {
        let typeIndex = try unsigned32()
        let tableIndex: UInt32
        do { tableIndex = try reader.tableIndexOfCall() } catch { throw malformed(error) }
        guard module.tables.contains(tableIndex) else {
            throw fail(.unknown(.table, tableIndex))
        }
        if tableIndex != 0 { required |= Features.referenceTypes.rawValue }
        let table = module.tables[Int(tableIndex)]
        if table.element != .funcref, !registry.matches(table.element, .funcref) {
            throw mismatch(.tableOfFunctionsExpected)
        }
        try checkFunction(typeIndex)
        try pop(table.address)
        return typeIndex
    }

    /// Reads a type and pops a reference to a function of it.
    private mutating func referredType() throws(Stop) -> TypeIndex {
        let type = try unsigned32()
        try checkFunction(type)
        try pop(.ref(module.types[Int(type)].heapType, nullable: true))
        return type
    }

    private mutating func checkFunction(_ type: TypeIndex) throws(Stop) {
        guard module.types.contains(type) else { throw fail(.unknown(.type, type)) }
        guard module.types[Int(type)].kind == .function else {
            throw mismatch(.kindOfType(type))
        }
    }
}
