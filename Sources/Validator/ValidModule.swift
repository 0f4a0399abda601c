import WasmDecoder

/// A module that is valid: nothing but `validate` makes one.
public struct ValidModule: Sendable {
    public let parsed: ParsedModule
    /// Where the types of the module are registered.
    public let types: TypeRegistry
    /// The canonical id of every type index, valid as long as this or a copy of it lives.
    public let typeIDs: [TypeID]
    /// Keeps the types.
    package let heldTypes: HeldTypes
    /// The features beyond WebAssembly 1.0 that the module uses; others may be off.
    public let requiredFeatures: Features
    /// The functions with bodies that something may refer to.
    package let declared: DeclaredFunctions

    fileprivate init(
        parsed: ParsedModule, types: TypeRegistry, held: HeldTypes, requiredFeatures: Features,
        declared: DeclaredFunctions
    ) {
        self.parsed = parsed
        self.declared = declared
        self.types = types
        typeIDs = held.ids
        heldTypes = held
        self.requiredFeatures = requiredFeatures
    }

    /// A type of this module with `TypeID`s in place of type indices. Indices that the module does
    /// not have stay as they are.
    public func canonical(_ type: ValueType) -> ValueType {
        type.mapIndex { index in
            Int(index) < typeIDs.count ? typeIDs[Int(index)] : index
        }
    }
}

/// Validates a module.
///
/// Cost: proportional to the size of the module. Large modules are validated by several threads.
///
/// - Parameters:
///   - module: what `decode` made.
///   - types: the registry of the engine that the module is for.
///   - threads: how many threads may work, this one included; nil leaves it to the size of the code
///     and the processors there are, 1 starts none.
///   - cancellation: asked by all threads, each after some tenths of a millisecond.
/// - Throws: the first error: of types, then definitions, exports, then the function with the
///   lowest index; but if any body is malformed, that error. `cancelled` if that was wanted.
///
/// Specification: 3.5 (modules).
public func validate(
    _ module: ParsedModule, types: TypeRegistry, threads: Int? = nil,
    cancellation: Cancellation? = nil
) throws(ValidationError) -> ValidModule {
    do throws(ValidationError) {
        let outside = try ModuleValidator(module, types, cancellation)
        let required = try validateBodies(
            of: module, outside.tables, types, threads: threads, cancellation: cancellation)
        return ValidModule(
            parsed: module, types: types, held: outside.held,
            requiredFeatures: outside.required.union(required),
            declared: DeclaredFunctions(
                outside.tables.view.declared, imported: module.importedFunctionCount))
    } catch {
        // The specification knows malformed modules and, among the others, invalid ones.
        if !error.isMalformed, error.reason != .cancelled,
            let malformed = firstMalformedBody(of: module, cancellation)
        {
            throw malformed
        }
        throw error
    }
}
