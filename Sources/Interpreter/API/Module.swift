import Synchronization
import WasmDebugInfo
import WasmMachine
import WasmValidator

/// A decoded and validated module. Immutable: any number of stores and threads can share it.
public final class Module: Sendable {
    public let engine: Engine
    /// The decoded module and the proof that it is valid.
    public let valid: ValidModule
    let layout: ContextLayout
    let code: CodeTable
    /// Offsets in the context block of own globals that can refer to objects of the heap.
    let tracedGlobals: [Int]
    /// Element segments with references to such objects.
    let tracedSegments: [Int]
    /// Fields of all structure types: a store keeps where those are that refer to objects.
    let fieldCount: Int

    private let exportTables = Mutex(ExportTables())
    private let nameSection = Mutex<NameSection??>(nil)
    private let debugInformation = Mutex<DebugInfo??>(nil)
    private let knownFingerprint = Mutex<ModuleFingerprint?>(nil)
    private let knownSegmentUse = Mutex<SegmentUse?>(nil)
    private let knownTypeRecords = Mutex<FunctionTypeRecords??>(nil)

    /// Decodes and validates.
    ///
    ///     let module = try Module(bytes, engine: engine, cancellation: .after(.now + .seconds(2)))
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - engine: the module's engine; its configuration sets the features.
    ///   - cancellation: checked about every tenth of a millisecond, in all threads that validate;
    ///     also while functions are translated if the engine does that early.
    /// - Throws: `ModuleError` with the reason and the position in the file; `cancelled` if
    ///   `cancellation` ended the work.
    public convenience init(
        _ bytes: ModuleBytes, engine: Engine, cancellation: Cancellation? = nil
    ) throws(ModuleError) {
        let parsed: ParsedModule
        do throws(DecodingError) {
            parsed = try decode(
                bytes, features: engine.configuration.features, cancellation: cancellation)
        } catch {
            throw error.reason == .cancelled ? .cancelled : .malformed(error)
        }
        try self.init(parsed, engine: engine, cancellation: cancellation)
    }

    /// Validates a module that was decoded with the features of `engine`.
    package init(
        _ parsed: ParsedModule, engine: Engine, cancellation: Cancellation? = nil
    ) throws(ModuleError) {
        do throws(ValidationError) {
            valid = try validate(
                parsed, types: engine.types, threads: engine.configuration.validationThreads,
                cancellation: cancellation)
        } catch {
            throw error.reason == .cancelled ? .cancelled : .invalid(error)
        }
        self.engine = engine
        fieldCount = parsed.types.reduce(0) { count, type in
            guard case .structure(let fields) = type.composite else { return count }
            return count + fields.count
        }
        layout = ContextLayout(
            importedFunctions: parsed.importedFunctionCount,
            importedGlobals: parsed.importedGlobalCount,
            ownGlobalSlots: parsed.globalDefinitions.map { $0.type.value.slotCount })
        let isTraced = { [valid] (type: ValueType) in engine.types.isTraced(valid.canonical(type)) }
        tracedGlobals = zip(
            parsed.globalDefinitions, layout.globalOffsets.dropFirst(parsed.importedGlobalCount)
        ).filter { isTraced($0.0.type.value) }.map(\.1)
        tracedSegments = parsed.elementSegments.indices.filter {
            isTraced(ValueType(parsed.elementSegments[$0].type))
        }
        code = CodeTable(valid, layout: layout, options: CodeOptions(engine.configuration))
        // A function that cannot be translated traps when it is called, also with early
        // translation.
        if engine.configuration.eagerTranslation,
            code.translateAll(cancellation: cancellation) == nil
        {
            throw .cancelled
        }
    }

    /// Copies, decodes and validates `bytes`.
    public convenience init(
        _ bytes: [UInt8], engine: Engine, cancellation: Cancellation? = nil
    ) throws(ModuleError) {
        try self.init(ModuleBytes(bytes), engine: engine, cancellation: cancellation)
    }

    /// Decodes and validates the file at `path`, which may change afterwards. It must be in the
    /// binary format; for one in the text format there is `Module(textPath:engine:)`.
    public convenience init(path: String, engine: Engine) throws(ModuleError) {
        let bytes: ModuleBytes
        do throws(FileError) {
            bytes = try ModuleBytes(path: path)
        } catch {
            throw .file(error)
        }
        try self.init(bytes, engine: engine)
    }

    /// The module's sections.
    public var parsed: ParsedModule { valid.parsed }
    /// Imports in the order of the module; type indices in them are the module's own.
    public var imports: [Import] { valid.parsed.imports }
    /// Exports in the order of the module.
    public var exports: [Export] { valid.parsed.exports }
    /// The name section; nil if there is none or it is malformed. Decoded on first use.
    public var names: NameSection? {
        nameSection.withLock { cached in
            if let known = cached { return known }
            let names = valid.parsed.names()
            cached = .some(names)
            return names
        }
    }

    /// The module's DWARF; nil if there is none. Read on first use.
    public var debugInfo: DebugInfo? {
        debugInformation.withLock { cached in
            if let known = cached { return known }
            let info = DebugInfo(valid.parsed)
            cached = .some(info)
            return info
        }
    }

    /// A function's name in the name section, or the first name that it is exported by.
    public func name(ofFunction index: FunctionIndex) -> String? {
        if let name = names?.functions[index] { return name.description }
        let name = exportTables.withLock { tables in
            if let names = tables.names { return names[index] }
            let functions = exports.lazy.filter { $0.kind == .function }
            let made = [FunctionIndex: Name](functions.map { ($0.index, $0.name) }) { first, _ in
                first
            }
            tables.names = made
            return made[index]
        }
        return name?.description
    }

    /// The hash of the module's bytes. Computed on first use.
    public var fingerprint: ModuleFingerprint {
        knownFingerprint.withLock { known in
            if let known { return known }
            let made = valid.parsed.bytes.withUnsafeBytes { ModuleFingerprint(hashing: $0) }
            known = made
            return made
        }
    }

    /// What the code says of segments. Read on first use.
    var segmentUse: SegmentUse {
        knownSegmentUse.withLock { known in
            if let known { return known }
            let made = SegmentUse(parsed)
            known = made
            return made
        }
    }

    /// The records of the module's types, if stores can share them. Made on first use.
    var typeRecords: FunctionTypeRecords? {
        knownTypeRecords.withLock { known in
            if let known { return known }
            let made = FunctionTypeRecords(valid, of: engine.types)
            known = .some(made)
            return made
        }
    }

    /// The module's export with this name.
    public func export(_ name: Name) -> Export? {
        let exports = valid.parsed.exports
        // A few names are compared faster than hashed, and small modules need no dictionary.
        if exports.count <= 8 { return exports.first { $0.name == name } }
        let index = exportTables.withLock { tables in
            if let indices = tables.indices { return indices[name] }
            var made: [Name: Int] = [:]
            made.reserveCapacity(exports.count)
            for (index, export) in exports.enumerated() { made[export.name] = index }
            tables.indices = made
            return made[name]
        }
        return index.map { exports[$0] }
    }
}

/// Exports by name, and the first name of each exported function: made on first use.
private struct ExportTables {
    var indices: [Name: Int]?
    var names: [FunctionIndex: Name]?
}

/// Why a module was refused.
public enum ModuleError: Error {
    /// The file could not be read.
    case file(FileError)
    /// The bytes are not a module.
    case malformed(DecodingError)
    /// The module breaks a rule of validation.
    case invalid(ValidationError)
    /// The work was cancelled before it was finished; no fault was found.
    case cancelled
}

extension ModuleError: CustomStringConvertible {
    /// `offset 0x1f: illegal opcode ff`
    public var description: String {
        switch self {
        case .file(let error): error.description
        case .malformed(let error): error.description
        case .invalid(let error): "\(error)"
        case .cancelled: "loading was cancelled"
        }
    }
}
