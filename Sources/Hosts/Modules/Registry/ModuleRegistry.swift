import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdStorage
import WasmdWasmiot

/// Stores modules with their descriptions and data files.
public final class ModuleRegistry: Sendable {
    let modules: Collection
    let moduleLimit: Int
    private let cache: ModuleCache

    /// The module whose functions the orchestrator itself has.
    static let datalist = "core:Datalist"
    /// Runs when a module is deployed.
    static let initFunction = SignatureWarnings.initFunction

    /// Reads all documents of modules; blocks the thread.
    init(_ store: RecordStore, _ room: Room, moduleLimit: Int) throws {
        modules = try Collection(store, "module", room, references: ModuleRecord.blobs)
        self.moduleLimit = moduleLimit
        var options = ModuleCache.Options()
        options.moduleByteLimit = moduleLimit
        cache = ModuleCache(options)
    }

    // MARK: Reading

    /// All modules, the oldest first.
    func all() -> [ModuleRecord] { modules.all().map { ModuleRecord($0) } }

    /// The module with an id or name.
    ///
    /// - Throws: 404 if there is none; 500 if there are several.
    func one(_ text: String) throws -> ModuleRecord {
        let found = modules.find(text)
        guard let entry = found.first else {
            throw Failure(.notFound, "no matches for ID \(text)")
        }
        guard found.count == 1 else {
            throw Failure(
                .internalServerError, right: .conflict, "too many matches for ID \(text)")
        }
        return ModuleRecord(entry)
    }

    /// The oldest module with an id or name.
    func first(_ text: String) -> ModuleRecord? {
        modules.find(text).first.map { ModuleRecord($0) }
    }

    func bytes(_ file: StoredFile, of id: ObjectID, on loop: EventLoop) async throws -> [UInt8] {
        let store = modules.store
        return try await loop.blocking { try file.bytesBlocking(id, store) }
    }

    // MARK: Creating

    /// Stores a module, and its description if the body has one: all or nothing.
    ///
    /// - Returns: the record as it is stored, and whether it was described.
    func create(_ body: UploadBody, on loop: EventLoop) async throws -> (ModuleRecord, Bool) {
        guard body.kind == .multipart else {
            throw Failure(.badRequest, body: .text("file-submission missing"))
        }
        var files = body.files
        guard let index = files.firstIndex(where: \.isWasm) ?? files.indices.first else {
            throw Failure(
                .internalServerError, right: .badRequest, "unknown error",
                "the form has no file with the module")
        }
        let binary = files.remove(at: index)
        let name = try Self.name(body.document)
        let signatures = try await signatures(binary, on: loop)
        let others = files
        let describing = try await loop.computing(over: body.byteCount) {
            try Describing.read(body.document, files: others, creates: true)
        }

        let id = modules.newID()
        let (kept, bytes, pin) = try await StoredFile.keep(binary, modules.store, on: loop)
        var members: [Document.Member] = [.init("name", .string(name))]
        for member in body.document.objectValue ?? []
        where member.value.stringValue != nil && !Self.ownMembers.contains(member.name) {
            members.append(member)
        }
        members += [
            .init("_id", .string(id.description)), .init("wasm", kept.json),
            .init("requirements", signatures.requirements),
            .init("exports", signatures.exports), .init("imports", signatures.imports),
        ]
        var record = ModuleRecord(id: id, document: .object(members))
        record.setFiles(binary: kept, data: [])
        var attachments = Collection.Attachments()
        if let bytes { attachments.put.append((kept.key(id), bytes)) }
        var pins = [pin]
        if let describing {
            let data = try await keep(describing.files, id, &attachments, &pins, on: loop)
            describing.apply(to: &record, files: data)
        }
        try await modules.put(id, record.document, attachments, ifAbsent: true, on: loop)
        withExtendedLifetime(pins) {}
        return (record, describing != nil)
    }

    /// Members that a text field of the form cannot set.
    private static let ownMembers = [
        "name", "_id", "wasm", "requirements", "exports", "imports", "dataFiles", "mounts",
        "description", "warnings", "isCoreModule", "functions", "_stored",
    ]

    private static func name(_ document: Document) throws -> String {
        guard let name = document["name"]?.stringValue else {
            throw Failure(.badRequest, "malformed request", "the field 'name' is missing")
        }
        guard MountName.isSafe(name) else {
            throw Failure(
                .badRequest, "malformed request",
                "a name is 1 to 255 bytes, has no '/', and is not '.' or '..'")
        }
        guard !name.utf8.starts(with: "core:".utf8) else {
            throw Failure(
                .badRequest, "malformed request", "names that begin with 'core:' are reserved")
        }
        return name
    }

    /// Checks a module and reads its imports and exports.
    func signatures(_ binary: UploadedFile, on loop: EventLoop) async throws -> Signatures {
        let bytes = try await binary.bytes(
            modules.store, limit: moduleLimit, what: "the module", on: loop)
        let reason: String
        do {
            return try Signatures(try await cache.module(bytes, on: loop).module)
        } catch ModuleCacheError.tooLarge {
            throw Failure(
                .contentTooLarge, "the module is too large",
                "a module has at most \(moduleLimit) bytes")
        } catch let error as ModuleError {
            reason = "\(error)"
        } catch let error as ModuleCacheError {
            reason = "\(error)"
        }
        throw Failure(
            .internalServerError, right: .badRequest, "unknown error",
            "the module is not valid: \(reason)")
    }

    func keep(
        _ files: [UploadedFile], _ id: ObjectID, _ attachments: inout Collection.Attachments,
        _ pins: inout [BlobPin?], on loop: EventLoop
    ) async throws -> [(name: String, file: StoredFile)] {
        var kept: [(name: String, file: StoredFile)] = []
        for file in files {
            let (stored, bytes, pin) = try await StoredFile.keep(file, modules.store, on: loop)
            pins.append(pin)
            if let bytes { attachments.put.append((stored.key(id), bytes)) }
            kept.append((file.field, stored))
        }
        return kept
    }

    /// The record of a module of an import: imports and exports are read from its binary.
    func imported(
        _ document: Document, _ data: ImportedData, _ pins: inout [BlobPin?], on loop: EventLoop
    ) async throws -> (record: ModuleRecord, attachments: Collection.Attachments) {
        let name = try Self.name(document)
        let binary = data.file(document["wasm"])
        guard var binary else {
            throw Failure(
                .badRequest, "the import is malformed", "the binary of module '\(name)' is missing")
        }
        binary.fileName = document["wasm"]?["originalFilename"]?.stringValue ?? binary.fileName
        binary.mediaType = "application/wasm"
        let signatures = try await signatures(binary, on: loop)
        let id = Orchestrator.id(document) ?? modules.named(name).first?.id ?? modules.newID()
        let (kept, bytes, pin) = try await StoredFile.keep(binary, modules.store, on: loop)
        pins.append(pin)
        var attachments = Collection.Attachments()
        if let bytes { attachments.put.append((kept.key(id), bytes)) }
        var files: [UploadedFile] = []
        for member in document["dataFiles"]?.objectValue ?? [] {
            guard MountName.isSafe(member.name), var file = data.file(member.value) else {
                throw Failure(
                    .badRequest, "the import is malformed",
                    "the file '\(member.name)' of module '\(name)' is missing")
            }
            file.field = member.name
            file.fileName = member.value["originalFilename"]?.stringValue ?? file.fileName
            file.mediaType =
                Self.mediaType(member.name, document["mounts"]) ?? file.mediaType
            files.append(file)
        }
        let stored = try await keep(files, id, &attachments, &pins, on: loop)
        var record = ModuleRecord(id: id, document: document)
        record.document.set("_id", .string(id.description))
        record.document.set("wasm", kept.json)
        record.document.set("requirements", signatures.requirements)
        record.document.set("exports", signatures.exports)
        record.document.set("imports", signatures.imports)
        if document["dataFiles"] != nil {
            record.document.set("dataFiles", .object(stored.map { .init($0.name, $0.file.json) }))
        }
        record.document.set("isCoreModule", nil)
        record.setFiles(binary: kept, data: stored)
        return (record, attachments)
    }

    /// The media type that a document says of a mount.
    private static func mediaType(_ mount: String, _ mounts: Document?) -> String? {
        for function in mounts?.objectValue ?? [] {
            if let type = function.value[mount]?["mediaType"]?.stringValue { return type }
        }
        return nil
    }

    /// Makes the core modules that are missing.
    func addCore(on loop: EventLoop) async throws {
        guard modules.named(Self.datalist).isEmpty else { return }
        let id = modules.newID()
        let functions = Datalist.functions
        let empty = UploadedFile(
            field: "wasm", fileName: "datalist.wasm", mediaType: "application/wasm",
            bytes: [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
        let (kept, bytes, _) = try await StoredFile.keep(empty, modules.store, on: loop)
        var record = ModuleRecord(
            id: id,
            document: .object([
                .init("name", .string(Self.datalist)), .init("_id", .string(id.description)),
                .init("wasm", kept.json), .init("requirements", .array([])),
                .init("exports", .array([])), .init("isCoreModule", .boolean(true)),
            ]))
        record.setFiles(binary: kept, data: [])
        Describing(core: functions).apply(to: &record, files: [])
        record.document.set("warnings", nil)
        var attachments = Collection.Attachments()
        if let bytes { attachments.put.append((kept.key(id), bytes)) }
        try await modules.put(id, record.document, attachments, ifAbsent: true, on: loop)
    }

    // MARK: Describing

    /// Sets description and data files of a module; what was there before is replaced.
    func describe(
        _ text: String, _ body: UploadBody, on loop: EventLoop
    ) async throws -> ModuleRecord {
        guard let known = modules.find(text).first, modules.find(text).count == 1 else {
            let isKnown = !modules.find(text).isEmpty
            throw Failure(
                .internalServerError, right: isKnown ? .conflict : .notFound, "unknown error",
                "\(isKnown ? "too many" : "no") matches for ID \(text)")
        }
        guard !ModuleRecord(known).isCore else {
            throw Failure(.badRequest, "malformed request", "a core module cannot be changed")
        }
        guard
            let describing = try await loop.computing(
                over: body.byteCount,
                { try Describing.read(body.document, files: body.files, creates: false) })
        else { throw Failure(.badRequest, "malformed request", "the description is missing") }
        var attachments = Collection.Attachments()
        var pins: [BlobPin?] = []
        let data = try await keep(describing.files, known.id, &attachments, &pins, on: loop)
        let put = attachments.put
        let document = try await modules.update(known.id, on: loop) { document in
            var record = ModuleRecord(id: known.id, document: document)
            let before = record.fileKeys
            describing.apply(to: &record, files: data)
            document = record.document
            let after = record.fileKeys
            var attachments = Collection.Attachments()
            attachments.put = put
            attachments.deleted = before.filter { !after.contains($0) }
            return attachments
        }
        withExtendedLifetime(pins) {}
        guard let document else { throw Failure(.notFound, "no matches for ID \(text)") }
        return ModuleRecord(id: known.id, document: document)
    }

    // MARK: Deleting

    /// Deletes the modules with an id or name.
    func delete(_ text: String) async throws {
        try await delete(modules.find(text).map { ModuleRecord($0) })
    }

    /// Deletes modules that are no core modules.
    func delete(_ ids: Set<ObjectID>) async throws {
        try await delete(all().filter { ids.contains($0.id) })
    }

    /// Deletes all but the core modules.
    func deleteAll() async throws -> Int { try await delete(all()) }

    @discardableResult
    private func delete(_ records: [ModuleRecord]) async throws -> Int {
        try await modules.delete(records.filter { !$0.isCore }.map(\.id)) { document in
            guard let id = document["_id"]?.stringValue.flatMap({ ObjectID($0) }) else {
                return []
            }
            return ModuleRecord(id: id, document: document).fileKeys
        }
    }

    /// Forgets compiled modules that were not used for long.
    func trim() { cache.trim() }
}
