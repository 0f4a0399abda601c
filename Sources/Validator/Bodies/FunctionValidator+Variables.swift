import WasmDecoder

/// Locals and globals (3.4.3, 3.4.4).
extension FunctionValidator {
    @inline(__always)
    mutating func localGet() throws(Stop) {
        let index = try unsigned32()
        guard let type = locals[index] else { throw fail(.unknown(.local, index)) }
        if !type.isDefaultable, !locals.isInitialized(index) {
            throw fail(.uninitializedLocal(index))
        }
        operands.push(type)
    }

    @inline(__always)
    mutating func localSet() throws(Stop) {
        let index = try unsigned32()
        guard let type = locals[index] else { throw fail(.unknown(.local, index)) }
        try pop(type)
        if !type.isDefaultable { locals.initialize(index) }
    }

    @inline(__always)
    mutating func localTee() throws(Stop) {
        let index = try unsigned32()
        guard let type = locals[index] else { throw fail(.unknown(.local, index)) }
        try pop(type)
        if !type.isDefaultable { locals.initialize(index) }
        operands.push(type)
    }

    @inline(__always)
    mutating func globalGet() throws(Stop) {
        let index = try unsigned32()
        guard module.globals.contains(index) else { throw fail(.unknown(.global, index)) }
        if let constantGlobals { try checkConstant(index, constantGlobals) }
        operands.push(module.globals[Int(index)].type)
    }

    /// Constant expressions use immutable globals that are initialized before.
    private mutating func checkConstant(_ index: UInt32, _ limit: UInt32) throws(Stop) {
        guard index < limit else { throw fail(.unknown(.global, index)) }
        if index >= module.importedGlobalCount { required |= Features.extendedConstants.rawValue }
        if module.globals[Int(index)].isMutable { throw fail(.constantExpressionRequired) }
    }

    @inline(__always)
    mutating func globalSet() throws(Stop) {
        let index = try unsigned32()
        guard module.globals.contains(index) else { throw fail(.unknown(.global, index)) }
        let global = module.globals[Int(index)]
        guard global.isMutable else { throw fail(.immutableGlobal(index)) }
        try pop(global.type)
    }
}
