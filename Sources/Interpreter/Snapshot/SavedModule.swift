import WasmDecoder

/// How a saved module is laid out.
public enum SavedModuleLayout: Hashable, Sendable {
    /// As small as it can be: runs of 16 zeros and more are left out of data segments.
    case compact
    /// Large, but a change of a few bytes of state changes only these bytes of the module in most
    /// cases: data segments are whole pages of 4 KiB, and constants have a fixed width.
    case stable
}

/// Why the state of an instance cannot be said in a module.
public enum SavedModuleError: Error, Hashable, Sendable {
    /// The state cannot be read, or not without its store: guest code runs, a memory is shared, or
    /// something refers to a value of the host, to an exception or to a function of another
    /// instance.
    case snapshot(SnapshotError)
    /// A memory, table or mutable global is imported: what it holds is not the instance's own.
    case imported(ExternalKind, index: Int)
    /// A reference to a structure or array: no constant makes two references to one object.
    case object(SnapshotError.Place)
    /// The module would be larger than a module may be, in bytes.
    case tooLarge(limit: Int)
}

extension SavedModuleError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .snapshot(.running): "guest code of the store runs"
        case .snapshot(.sharedMemory(let index)):
            "memory \(index) is shared; the threads that use it are not part of a module"
        case .snapshot(.reference(let referent, let place)):
            "\(place) refers to \(referent), which a module cannot hold"
        case .snapshot(let error): error.description
        case .imported(.global, let index):
            "global \(index) is imported and mutable, so its value is not part of the module"
        case .imported(let kind, let index):
            "\(kind) \(index) is imported, so its contents are not part of the module"
        case .object(let place):
            "\(place) refers to a structure or array, which a module cannot hold"
        case .tooLarge(let limit): "the module would be larger than \(limit) bytes"
        }
    }
}

extension Snapshot {
    /// A module whose instances begin with the state of the snapshot, for any engine.
    ///
    ///     let template = try linker.instantiate(module, in: store)
    ///     try template.function("initialize")?.call()
    ///     let bytes = try template.snapshot().savedModule(removingExports: ["initialize"])
    ///
    /// Memories become data segments, values of globals initialisers, and tables element segments;
    /// memories and tables begin with the size that they have grown to. Segments that were dropped
    /// are empty. There is no start function: it has run. Types, imports, functions, exports, code
    /// and custom sections are those of the module; names of segments are left out.
    ///
    /// What an instance of the module imports is not held: functions of the host keep no state
    /// (open files for example), and immutable globals and tags are imported again.
    ///
    /// The result is valid and needs no features but those that the module uses already. Saving an
    /// instance of a saved module does not add to it.
    ///
    /// Cost: proportional to the module, the memories and the tables. The code is read once
    /// for each `Module`.
    ///
    /// - Parameters:
    ///   - layout: how the module is laid out.
    ///   - names: exports that the module is not to have.
    ///   - sections: custom sections to add, in place of those with the same names.
    /// - Throws: `SavedModuleError`; the first reason that is found.
    public func savedModule(
        _ layout: SavedModuleLayout = .compact, removingExports names: Set<Name> = [],
        addingSections sections: [(name: Name, content: [UInt8])] = []
    ) throws(SavedModuleError) -> [UInt8] {
        var saving = try ModuleSaving(self, layout, removedExports: names)
        try saving.save()
        for (name, content) in sections { saving.assembly.setCustom(name, content) }
        let bytes = saving.assembly.bytes()
        let limit = DecodingLimits.default.moduleSize
        guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
        return bytes
    }
}

extension Instance {
    /// The module of a snapshot that is made now: see `Snapshot.savedModule`.
    ///
    /// - Throws: `SavedModuleError`, also for what `snapshot()` throws.
    public func savedModule(
        _ layout: SavedModuleLayout = .compact, removingExports names: Set<Name> = [],
        addingSections sections: [(name: Name, content: [UInt8])] = []
    ) throws(SavedModuleError) -> [UInt8] {
        try ModuleSaving.check(module)
        let snapshot: Snapshot
        do throws(SnapshotError) {
            // Nothing is made from it, so its pages need no file.
            snapshot = Snapshot(
                module: module, state: try Capture(storage, sharesPages: false).state())
        } catch {
            throw .snapshot(error)
        }
        return try snapshot.savedModule(
            layout, removingExports: names, addingSections: sections)
    }
}
