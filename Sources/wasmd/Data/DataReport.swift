import WasmdStorage

/// What `wasmd data` found or did, as text and as JSON.
enum DataReport {
    case verified(String, Verification)
    case copied(DataCommand.Action, String, String, CopyReport)
    case compacted(String, RecoveryReport, saved: Int, blobs: Int, RecordStore.Statistics)
    /// By the server that has the folder open.
    case compactedByServer(String, saved: Int, blobs: Int, logBytes: Int)

    /// Whether nothing is lost.
    var isSound: Bool {
        switch self {
        case .verified(_, let result): result.isSound
        case .copied(_, _, _, let result): result.failures.isEmpty
        case .compacted(_, let log, _, _, _): log.isComplete
        case .compactedByServer: true
        }
    }

    // MARK: Text

    var text: String { lines.map { $0 + "\n" }.joined() }

    private var lines: [String] {
        switch self {
        case .verified(let folder, let result):
            let folder = printable(folder)
            var lines = [
                "\(folder): \(counted(result.log.records, "record")) in "
                    + "\(counted(result.log.segments, "file")) of the log "
                    + "(\(grouped(result.log.logBytes)) bytes), "
                    + "\(counted(result.blobs, "blob")) (\(grouped(result.blobBytes)) bytes)"
            ]
            if result.unreferencedBlobs > 0 {
                lines.append(
                    "\(folder): \(counted(result.unreferencedBlobs, "blob")) without a record; "
                        + "'wasmd data compact' removes them")
            }
            if result.isHeld {
                let process = result.holder.map { " \($0)" } ?? ""
                lines.append("\(folder): in use by process\(process)")
            }
            lines += Self.lines(result.log, folder, isHeld: result.isHeld)
            lines += result.damagedBlobs.map { "\(folder)/blobs/\($0): damaged" }
            lines += result.missingBlobs.map { "\(folder)/blobs/\($0): missing" }
            if result.isSound { lines.append("\(folder): nothing is damaged") }
            return lines
        case .copied(let action, let folder, let target, let result):
            var lines = [
                "\(printable(target)): \(counted(result.records, "record")), "
                    + "\(counted(result.blobs, "blob")), \(grouped(result.byteCount)) bytes"
            ]
            for failure in result.failures {
                lines.append("\(printable(folder)): not copied: \(printable("\(failure)"))")
            }
            if action == .restore {
                lines.append(
                    "\(printable(target)): give it to the user of the server, then start the server"
                )
            }
            return lines
        case .compacted(let folder, let log, let saved, let blobs, let statistics):
            let folder = printable(folder)
            return Self.lines(log, folder, isHeld: false) + [
                Self.line(folder, saved: saved, blobs: blobs, statistics.logBytes)
            ]
        case .compactedByServer(let folder, let saved, let blobs, let size):
            let folder = printable(folder)
            return [
                "\(folder): in use; its server has compacted it",
                Self.line(folder, saved: saved, blobs: blobs, size),
            ]
        }
    }

    private static func line(
        _ folder: String, saved: Int, blobs: Int, _ size: Int
    ) -> String {
        let change =
            saved == 0
            ? "as many as before"
            : "\(grouped(Int(clamping: saved.magnitude))) \(saved > 0 ? "fewer" : "more") than before"
        return "\(folder): the log has \(grouped(size)) bytes, \(change); "
            + "\(counted(blobs, "blob")) removed"
    }

    private static func lines(
        _ log: RecoveryReport, _ folder: String, isHeld: Bool
    ) -> [String] {
        var lines = log.damage.map { damage in
            "\(folder)/\(damage.file): \(counted(damage.byteCount, "byte")) at \(damage.offset) "
                + (damage.byteCount > 0 ? "are damaged; " : "are missing; ")
                + "lost: \(counted(damage.transactions, "transaction"))"
        }
        for missing in log.missingSegments {
            lines.append(
                "\(folder)/log: \(counted(missing.count, "file")) missing from number "
                    + "\(missing.lowerBound) on")
        }
        if let tail = log.tail, !isHeld {
            lines.append(
                "\(folder)/\(tail.file): \(counted(tail.byteCount, "byte")) at \(tail.offset) were "
                    + "being written when the system stopped; opening the store cuts them off")
        }
        lines += log.setAside.map { "\(folder)/\($0): set aside by a compaction, has damage" }
        return lines
    }

    // MARK: JSON

    var json: JSON {
        switch self {
        case .verified(let folder, let result):
            .object(
                ("action", "verify"), ("folder", .string(folder)), ("sound", .boolean(isSound)),
                ("log", Self.json(result.log)),
                ("blobs", .count(result.blobs)), ("blobBytes", .count(result.blobBytes)),
                ("damagedBlobs", .strings(result.damagedBlobs.map(\.description))),
                ("missingBlobs", .strings(result.missingBlobs.map(\.description))),
                ("unreferencedBlobs", .count(result.unreferencedBlobs)),
                ("inUse", .boolean(result.isHeld)),
                ("process", result.holder.map { .count(Int($0)) }))
        case .copied(let action, let folder, let target, let result):
            .object(
                ("action", .string(action.rawValue)), ("folder", .string(folder)),
                ("target", .string(target)), ("sound", .boolean(isSound)),
                ("records", .count(result.records)), ("blobs", .count(result.blobs)),
                ("bytes", .count(result.byteCount)),
                ("failures", .strings(result.failures.map(\.description))))
        case .compacted(let folder, let log, let saved, let blobs, let statistics):
            .object(
                ("action", "compact"), ("folder", .string(folder)), ("sound", .boolean(isSound)),
                ("log", Self.json(log)), ("logBytes", .count(statistics.logBytes)),
                ("savedBytes", .count(saved)), ("removedBlobs", .count(blobs)))
        case .compactedByServer(let folder, let saved, let blobs, let size):
            .object(
                ("action", "compact"), ("folder", .string(folder)), ("sound", .boolean(isSound)),
                ("inUse", true), ("logBytes", .count(size)), ("savedBytes", .count(saved)),
                ("removedBlobs", .count(blobs)))
        }
    }

    private static func json(_ log: RecoveryReport) -> JSON {
        .object(
            ("files", .count(log.segments)), ("bytes", .count(log.logBytes)),
            ("records", .count(log.records)),
            (
                "damage",
                .array(
                    log.damage.map { damage in
                        .object(
                            ("file", .string(damage.file)), ("offset", .count(damage.offset)),
                            ("bytes", .count(damage.byteCount)),
                            ("transactions", .count(Int(clamping: damage.transactions))))
                    })
            ),
            (
                "missingFiles",
                .array(
                    log.missingSegments.map { missing in
                        .object(
                            ("first", .count(Int(missing.lowerBound))),
                            ("last", .count(Int(missing.upperBound))))
                    })
            ),
            (
                "cut",
                log.tail.map { tail in
                    .object(
                        ("file", .string(tail.file)), ("offset", .count(tail.offset)),
                        ("bytes", .count(tail.byteCount)))
                }
            ),
            ("setAside", .strings(log.setAside)))
    }
}
