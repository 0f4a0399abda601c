import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

extension Orchestrator {
    /// What is exported, by the folders of an archive: those of the original's init folder.
    var exported: [(folder: String, collection: Collection)] {
        [
            ("module", registry.modules), ("device", devices.collection),
            ("deployment", deployments), ("modulecards", cards[.module]),
            ("nodecards", cards[.node]), ("datasourcecards", cards[.dataSource]),
            ("zones", zones), ("deploymentcertificates", certificates),
            ("datalist", datalist.entries), ("execution", executions.stored),
        ].compactMap { folder, collection in collection.map { (folder, $0) } }
    }
}

extension OrchestratorSurface {
    /// `GET /export`: everything but logs as one archive of tar, with the layout of an init folder.
    func exportAll(_ exchange: Exchange) async throws {
        let response = exchange.response
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "application/x-tar")
        try head.fields.append("Content-Disposition", "attachment; filename=\"wasmiot.tar\"")
        try exchange.addOrigin(to: &head)
        try response.begin(head)
        guard exchange.request.method != .head else { return try await response.end() }
        let seconds = Int64(clamping: SystemClock.realtime.now / 1_000_000_000)
        // Documents first, so that an import knows what their files are for.
        for (folder, collection) in orchestrator.exported {
            for entry in collection.all() {
                var document = ModuleRecord(entry).json
                if document["_id"] == nil { document.set("_id", .string(entry.id.description)) }
                let bytes = JSONWriter.write(document)
                let name = Array("\(folder)/\(entry.id).json".utf8)
                guard let block = TarHeader.block(name, size: bytes.count, seconds: seconds) else {
                    continue
                }
                try await response.write(block + bytes + TarHeader.padding(bytes.count))
            }
        }
        var written: Set<String> = []
        for record in orchestrator.registry.all() {
            for file in [record.binary].compactMap({ $0 }) + record.dataFiles.map(\.file) {
                try await write(file, of: record.id, seconds, &written, exchange)
            }
        }
        try await response.write(TarHeader.end)
        try await response.end()
    }

    /// Writes a file under its digest, and a link by its original name for programs that look for
    /// that.
    private func write(
        _ file: StoredFile, of module: ObjectID, _ seconds: Int64, _ written: inout Set<String>,
        _ exchange: Exchange
    ) async throws {
        let name = Array("files/wasm/\(file.digest)".utf8)
        if written.insert(file.digest.description).inserted {
            guard let block = TarHeader.block(name, size: file.size, seconds: seconds) else {
                return
            }
            try await exchange.response.write(block)
            try await exchange.send(file, of: module, orchestrator.store)
            try await exchange.response.write(TarHeader.padding(file.size))
        }
        let original = file.originalName
        guard MountName.isSafe(original), written.insert("name \(original)").inserted,
            let link = TarHeader.block(
                Array("files/\(original)".utf8), size: 0, link: name, seconds: seconds)
        else { return }
        try await exchange.response.write(link)
    }
}
