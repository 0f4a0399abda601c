import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdStorage
import WasmdWasmiot

/// Adds what an archive or an init folder has.
extension Orchestrator {
    /// How many documents of each folder were added.
    typealias ImportCounts = [(folder: String, count: Int)]

    /// Everything is checked before anything is stored. Documents that are there with the same id
    /// are replaced, or kept.
    ///
    /// - Parameters:
    ///   - replacing: whether documents with the same id are replaced.
    ///   - clearing: whether all others that are there now are deleted. They are when all is stored:
    ///     until then a failure, or the end of the process, leaves them. Only a kind that has no room
    ///     for both is emptied before.
    func add(
        _ data: ImportedData, replacing: Bool, clearing: Bool, on loop: EventLoop
    ) async throws -> ImportCounts {
        var modules: [(record: ModuleRecord, attachments: Collection.Attachments)] = []
        // Kept until the documents reference them.
        var pins: [BlobPin?] = []
        // What they will take in memory.
        var sizes: [String: [ObjectID: Int]] = [:]
        for element in data.documents where element.folder == "module" {
            guard element.document["isCoreModule"] != .boolean(true) else { continue }
            let imported = try await registry.imported(element.document, data, &pins, on: loop)
            sizes[element.folder, default: [:]][imported.record.id] = element.byteCount
            modules.append(imported)
        }
        var others: [(collection: Collection, folder: String, id: ObjectID, document: Document)] =
            []
        let collections = exported
        for element in data.documents where element.folder != "module" {
            await loop.yieldIfSpent()
            let folder = element.folder
            var document = element.document
            guard
                let collection = collections.first(where: {
                    $0.folder.utf8.elementsEqual(folder.utf8)
                })?.collection
            else { continue }
            if folder == "device", document["name"]?.stringValue == Device.orchestrator { continue }
            guard let id = importID(document, folder, collection) else {
                throw Failure(
                    .badRequest, "the import is malformed",
                    "a document of '\(folder)' has an '_id' that is no id")
            }
            document.set("_id", .string(id.description))
            if folder == "deployment" { document = inactive(document) }
            if folder == "device", Device(id, document) == nil {
                throw Failure(
                    .badRequest, "the import is malformed", "a device has no name: \(id)")
            }
            sizes[folder, default: [:]][id] = element.byteCount
            others.append((collection, folder, id, document))
        }
        for (folder, collection) in collections {
            guard let added = sizes[folder] else { continue }
            try collection.check(added, replacing: replacing, clearing: clearing)
            if folder == "device" { try devices.check(Array(added.keys), clearing: clearing) }
        }
        // Nothing that comes meanwhile is deleted.
        var leaving = clearing ? existing : [:]
        for (folder, collection) in collections {
            guard let added = sizes[folder], let ids = leaving[folder] else { continue }
            if hasRoom(for: added, in: folder, collection) {
                leaving[folder] = ids.subtracting(added.keys)
            } else {
                leaving[folder] = nil
                try await delete(ids, from: folder, collection)
            }
        }
        var counts: ImportCounts = collections.map { ($0.folder, 0) }
        func count(_ folder: String) {
            for index in counts.indices where counts[index].folder == folder {
                counts[index].count += 1
            }
        }
        for (record, attachments) in modules
        where replacing || registry.modules[record.id] == nil {
            var attachments = attachments
            // Files that only the module has whose place it takes.
            let keys = Set(record.fileKeys)
            let known = registry.modules[record.id].map { ModuleRecord($0).fileKeys } ?? []
            attachments.deleted = known.filter { !keys.contains($0) }
            try await registry.modules.put(record.id, record.document, attachments, on: loop)
            count("module")
        }
        for (collection, folder, id, document) in others
        where replacing || collection[id] == nil {
            if folder == "device" {
                guard let device = Device(id, document) else { continue }
                try await devices.put(device, on: loop)
            } else {
                try await collection.put(id, document, on: loop)
            }
            count(folder)
        }
        withExtendedLifetime(pins) {}
        for (folder, collection) in collections {
            guard let ids = leaving[folder] else { continue }
            try await delete(ids, from: folder, collection)
        }
        return counts
    }

    /// The id of a document of an import; nil if it is malformed. A device is its name; documents
    /// without an id replace one of the same name.
    private func importID(
        _ document: Document, _ folder: String, _ collection: Collection
    ) -> ObjectID? {
        let name = document["name"]?.stringValue
        if folder == "device", let known = name.flatMap({ devices.named($0) }) { return known.id }
        if document["_id"] != nil { return Self.id(document) }
        return name.flatMap { collection.ids(named: $0).first } ?? collection.newID()
    }

    /// The id of a document, also as extended JSON of MongoDB writes it.
    static func id(_ document: Document) -> ObjectID? {
        let value = document["_id"]
        return (value?.stringValue ?? value?["$oid"]?.stringValue).flatMap { ObjectID($0) }
    }

    /// The ids of all documents, by folder.
    private var existing: [String: Set<ObjectID>] {
        var ids: [String: Set<ObjectID>] = [:]
        for (folder, collection) in exported { ids[folder] = Set(collection.ids) }
        ids["device", default: []].formUnion(devices.all().map(\.id))
        return ids
    }

    /// Whether documents have room beside all that are there.
    private func hasRoom(
        for added: [ObjectID: Int], in folder: String, _ collection: Collection
    ) -> Bool {
        guard collection.hasRoom(for: added) else { return false }
        guard folder == "device" else { return true }
        return (try? devices.check(Array(added.keys), clearing: false)) != nil
    }

    /// Deletes documents, but nothing that the orchestrator itself needs.
    private func delete(
        _ ids: Set<ObjectID>, from folder: String, _ collection: Collection
    ) async throws {
        switch folder {
        case "module": try await registry.delete(ids)
        case "device":
            let own = devices.all().filter(\.isOrchestrator).map(\.id)
            _ = try await devices.delete(Array(ids.subtracting(own)))
        default: try await collection.delete(Array(ids))
        }
    }

    /// A deployment that must be sent again before it runs, with URLs of this server.
    private func inactive(_ document: Document) -> Document {
        var document = document
        document.set("active", .boolean(false))
        document.set("deployError", nil)
        let nodes = document["fullManifest"]?.objectValue ?? []
        document.set(
            "fullManifest",
            .object(
                nodes.map { member in
                    var node = member.value
                    let modules = node["modules"]?.arrayValue ?? []
                    node.set("modules", .array(modules.map(withOwnURLs)))
                    return .init(member.name, node)
                }))
        return document
    }

    private func withOwnURLs(_ module: Document) -> Document {
        guard let urls = module["urls"]?.objectValue else { return module }
        let base = options.publicURL.map(Self.trimmed) ?? listenerURL
        func own(_ value: Document) -> Document {
            guard let text = value.stringValue else { return value }
            let bytes = Array(text.utf8)
            let mark = Array("/file/module/".utf8)
            guard bytes.count >= mark.count else { return value }
            for start in 0...(bytes.count - mark.count) where bytes[start...].starts(with: mark) {
                return .string(base + String(decoding: bytes[start...], as: UTF8.self))
            }
            return value
        }
        var module = module
        module.set(
            "urls",
            .object(
                urls.map { member in
                    let inner = member.value.objectValue
                    return .init(
                        member.name,
                        inner.map { .object($0.map { .init($0.name, own($0.value)) }) }
                            ?? own(member.value))
                }))
        return module
    }

    /// Adds what an init folder has and the store has not.
    ///
    /// - Returns: what was added, as a sentence.
    public func addInitFolder(_ path: [UInt8], on loop: EventLoop) async throws -> String {
        let store = store
        do {
            let memory = importMemory
            let data = try await loop.blocking {
                try ImportedData.readBlocking(folder: path, store, memory: memory)
            }
            let counts = try await add(data, replacing: false, clearing: false, on: loop)
            let added = counts.filter { $0.count > 0 }.map { "\($0.count) of \($0.folder)" }
            return added.isEmpty ? "nothing new" : added.joined(separator: ", ")
        } catch let failure as Failure {
            throw ImportFault(description: failure.reason)
        }
    }
}

/// Why an init folder is not imported.
public struct ImportFault: Error, CustomStringConvertible {
    public let description: String
}

extension OrchestratorSurface {
    private static let importLimit: UInt64 = 16 << 30

    /// `POST /import`: an archive that `/export` made, or that has an init folder.
    func importAll(_ exchange: Exchange) async throws {
        let counts = try await addImport(exchange)
        try await exchange.json(
            .object(counts.map { .init($0.folder, .integer(Int64($0.count))) }))
    }

    private func addImport(_ exchange: Exchange) async throws -> Orchestrator.ImportCounts {
        guard orchestrator.beginImport() else {
            throw Failure(
                .serviceUnavailable, "the server is busy", "another import has not ended")
        }
        defer { orchestrator.endImport() }
        let data = try await ImportedData.read(
            exchange.request, orchestrator.store, limit: Self.importLimit,
            memory: orchestrator.importMemory)
        let query = Query(exchange.request.target.query)["replace"]
        let clears = query.map { $0.elementsEqual("true".utf8) } ?? false
        return try await orchestrator.add(
            data, replacing: true, clearing: clears, on: exchange.loop)
    }
}
