import WasmDecoder
import WasmInterpreter

/// A module as it is imported into an image: what it imports besides functions becomes its own, so
/// that all of its state is.
///
/// - Imported globals become defined ones that begin with zero, before all others, in their order:
///   the indices stay. Globals without an export get one, `othismo_global_0` and so on.
/// - An imported memory becomes a defined one. A memory without an export, and one that was
///   imported, gets the export `othismo_memory_0`.
public enum ImportedModule {
    public enum Failure: Error, Hashable, Sendable {
        /// The bytes are not a valid module.
        case invalid(String)
        /// The module cannot be changed as it must be; the name is that of the original.
        case unsupported(String)
    }

    /// The bytes of the module as the image holds it: those given, if there is nothing to change.
    public static func rewritten(_ bytes: [UInt8], engine: Engine) throws(Failure) -> [UInt8] {
        let module: Module
        do throws(ModuleError) {
            module = try Module(bytes, engine: engine)
        } catch {
            throw .invalid("\(error)")
        }
        let parsed = module.parsed
        guard parsed.memories.count <= 1 else { throw .unsupported("multiple_memories") }
        var assembly = ModuleAssembly(parsed)
        var isChanged = try rewriteImports(parsed, &assembly)
        if addExports(parsed, &assembly) { isChanged = true }
        return isChanged ? assembly.bytes() : bytes
    }

    private static func rewriteImports(
        _ parsed: ParsedModule, _ assembly: inout ModuleAssembly
    ) throws(Failure) -> Bool {
        guard parsed.importedGlobalCount + parsed.importedMemoryCount > 0 else { return false }
        var imports = BinaryWriter()
        var count = 0
        var globals = BinaryWriter()
        for entry in parsed.imports {
            switch entry.type {
            case .memory: continue
            case .global(let type):
                if type.value.isReference { throw .unsupported("reference_type_global") }
                if type.value.isVector { throw .unsupported("simd_global") }
                globals.globalType(type)
                globals.constant(type.value, low: 0)
                continue
            case .table: throw .unsupported("imported_table")
            case .function(let index):
                write(entry, .function, &imports)
                imports.index(index)
            case .tag(let index):
                write(entry, .tag, &imports)
                imports.byte(0)
                imports.index(index)
            }
            count += 1
        }
        assembly.replace(ModuleAssembly.importSection, count: count, entries: imports.bytes)
        for definition in parsed.globalDefinitions {
            globals.globalType(definition.type)
            globals.append(parsed.bytes[definition.initializer.range])
        }
        assembly.replace(
            ModuleAssembly.globalSection, count: parsed.globals.count, entries: globals.bytes)
        var memories = BinaryWriter()
        for type in parsed.memories { memories.memoryType(type) }
        assembly.replace(
            ModuleAssembly.memorySection, count: parsed.memories.count, entries: memories.bytes)
        return true
    }

    private static func write(
        _ entry: Import, _ kind: ExternalKind, _ writer: inout BinaryWriter
    ) {
        writer.vector(entry.module.utf8)
        writer.vector(entry.name.utf8)
        writer.byte(kind.rawValue)
    }

    /// Whether there was something to add.
    private static func addExports(
        _ parsed: ParsedModule, _ assembly: inout ModuleAssembly
    ) -> Bool {
        var exports = BinaryWriter()
        var count = 0
        var names: Set<Name> = []
        var exported: Set<UInt32> = []
        var hasMemory = false
        for export in parsed.exports {
            names.insert(export.name)
            if export.kind == .global { exported.insert(export.index) }
            if export.kind == .memory { hasMemory = true }
            add(export.name, export.kind, export.index)
        }
        let old = count
        func add(_ name: Name, _ kind: ExternalKind, _ index: UInt32) {
            exports.vector(name.utf8)
            exports.byte(kind.rawValue)
            exports.index(index)
            count += 1
        }
        for index in parsed.globals.indices {
            let index = UInt32(truncatingIfNeeded: index)
            let name = Name("othismo_global_\(index)")
            if !exported.contains(index), !names.contains(name) { add(name, .global, index) }
        }
        let memory: Name = "othismo_memory_0"
        if !parsed.memories.isEmpty, !hasMemory || parsed.importedMemoryCount > 0,
            !names.contains(memory)
        {
            add(memory, .memory, 0)
        }
        guard count > old else { return false }
        assembly.replace(ModuleAssembly.exportSection, count: count, entries: exports.bytes)
        return true
    }
}
