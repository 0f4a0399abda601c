import WasmdDocuments
import WasmdHTTP
import WasmdHTTPServer
import WasmdStorage

/// Backups, compaction and checks of the store, while the server uses it.
struct DataAdministration: Sendable {
    private let house: Administration

    init(_ house: Administration) { self.house = house }

    private static func failure(_ error: StorageError) -> APIFailure {
        switch error {
        case .targetNotEmpty, .archiving: APIFailure(.conflict, "\(error)")
        case .full: APIFailure(.insufficientStorage, "\(error)")
        case .system(.acces, _), .system(.rofs, _), .readOnly(.disk):
            APIFailure(
                .forbidden,
                "\(error): a restricted server writes in its data folder only; download the backup "
                    + "by GET /admin/backup or 'wasmd ctl backup'")
        default: APIFailure(.serviceUnavailable, "\(error)")
        }
    }

    @Sendable func backUp(_ request: RoutedRequest) async throws {
        guard let text = try await request.json()?["folder"]?.stringValue, !text.isEmpty else {
            throw APIFailure(
                .badRequest, "name the new folder: {\"folder\": \"/backups/monday\"}")
        }
        let path = Array(text.utf8)
        guard !path.contains(0) else { throw APIFailure(.badRequest, "a path has no NUL") }
        let store = house.store
        do {
            let report = try await request.loop.blocking { try store.backup(to: path) }
            try await request.respond(report.document(target: text))
        } catch let error as StorageError {
            throw Self.failure(error)
        }
    }

    @Sendable func download(_ request: RoutedRequest) async throws {
        let store = house.store
        let loop = request.loop
        let archive: StoreArchive
        do {
            archive = try await loop.blocking { try store.archive() }
        } catch let error as StorageError {
            throw Self.failure(error)
        }
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "application/x-tar")
        try head.fields.append("Content-Disposition", "attachment; filename=\"wasmd-data.tar\"")
        try head.fields.append("Cache-Control", "no-store")
        try request.response.begin(head)
        while let piece = try await loop.blocking({ try archive.next() }) {
            try await request.response.write(piece)
        }
        try await request.response.end()
    }

    @Sendable func compact(_ request: RoutedRequest) async throws {
        let store = house.store
        do {
            let (blobs, saved) = try await request.loop.blocking {
                if let failure = store.writeFailure { throw failure }
                return (try store.blobs.collectGarbage(), try store.compact())
            }
            let statistics = store.statistics
            try await request.respond(
                .object([
                    .init("saved_bytes", .count(of: saved)),
                    .init("removed_blobs", .count(of: blobs)),
                    .init("log_bytes", .count(of: statistics.logBytes)),
                    .init("records", .count(of: statistics.records)),
                ]))
        } catch let error as StorageError {
            throw Self.failure(error)
        }
    }

    @Sendable func verify(_ request: RoutedRequest) async throws {
        let folder = house.folder
        do {
            let found = try await request.loop.blocking {
                try RecordStore.verify(folder: folder)
            }
            try await request.respond(found.document)
        } catch let error as StorageError {
            throw Self.failure(error)
        }
    }
}

extension CopyReport {
    func document(target: String) -> Document {
        .object([
            .init("target", .string(target)), .init("records", .count(of: records)),
            .init("blobs", .count(of: blobs)), .init("bytes", .count(of: byteCount)),
            .init("sound", .boolean(failures.isEmpty)),
            .init("failures", .array(failures.map { .string($0.description) })),
        ])
    }
}

extension Verification {
    var document: Document {
        .object([
            .init("sound", .boolean(isSound)), .init("records", .count(of: log.records)),
            .init("log_files", .count(of: log.segments)),
            .init("log_bytes", .count(of: log.logBytes)),
            .init("blobs", .count(of: blobs)), .init("blob_bytes", .count(of: blobBytes)),
            .init("unreferenced_blobs", .count(of: unreferencedBlobs)),
            .init(
                "damage",
                .array(
                    log.damage.map {
                        .object([
                            .init("file", .string($0.file)),
                            .init("offset", .count(of: $0.offset)),
                            .init("bytes", .count(of: $0.byteCount)),
                            .init("transactions", .number($0.transactions)),
                        ])
                    })),
            .init("missing_files", .count(of: log.missingSegments.reduce(0) { $0 + $1.count })),
            .init(
                "damaged_blobs", .array(damagedBlobs.map { .string($0.description) })),
            .init(
                "missing_blobs", .array(missingBlobs.map { .string($0.description) })),
            .init("set_aside", .array(log.setAside.map { .string($0) })),
        ])
    }
}
