import Synchronization
import WasmSystem
import WasmdDigests
import WasmdDocuments
import WasmdHTTP
import WasmdStorage

extension ControlCommand {
    /// Downloads the server's store into a new folder here, or lets the server copy it.
    func backUp(_ client: ControlClient, _ console: Console) throws(Refusal) -> Int32 {
        guard let folder = options.words.first else { return ExitCode.usage }
        if options.isOnServer {
            let body = JSONWriter.write(.object([.init("folder", .string(folder.text))]))
            let answer = try client.json(
                .post, "/admin/backup", body, type: "application/json")
            print(answer, console, ControlReport.copy)
            return answer["sound"] == true ? ExitCode.success : ExitCode.refused
        }
        let target = try BackupFolder(folder)
        do throws(Refusal) {
            let answer = try client.stream(.get, "/admin/backup", target.take)
            _ = try client.checked(answer)
            let report = try target.finish()
            print(report, console, ControlReport.copy)
            return report["sound"] == true ? ExitCode.success : ExitCode.refused
        } catch {
            target.discard()
            throw error
        }
    }
}

/// A data folder that is made of a downloaded archive. It appears under its name when it is
/// complete and checked.
final class BackupFolder: Sendable {
    private struct State: Sendable {
        var reader = ArchiveReader()
        var name: [UInt8] = []
        var file: Int32?
        var hash: SHA256?
        /// The report of the server.
        var report: [UInt8]?
        var isOver = false
        var failures: [String] = []
    }

    private let state = Mutex(State())
    private let target: Word
    private let partial: Word
    private let log: Word
    private let blobs: Word

    /// Makes the folder that is filled, and those on the way to it, as `wasmd data backup` does.
    ///
    /// - Throws: if something is there already.
    init(_ target: Word) throws(Refusal) {
        var bytes = target.bytes
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        self.target = Word(bytes: bytes)
        partial = Word(
            bytes: bytes + Array(".partial-\(CurrentProcess.identifier)".utf8))
        log = Word(bytes: partial.bytes + Array("/log".utf8))
        blobs = Word(bytes: partial.bytes + Array("/blobs".utf8))
        if (try? Kernel.status(self.target.cString, followsLink: false)) != nil {
            throw Refusal(
                file: target.text, reason: "there is something already",
                hint: "Name a folder that does not exist yet.")
        }
        try Self.makeParents(of: partial)
        for folder in [partial, log, blobs] {
            do throws(SystemError) {
                try Kernel.createDirectory(folder.cString, permissions: 0o700)
            } catch {
                throw Refusal(file: folder.text, reason: error.text)
            }
        }
    }

    private static func makeParents(of path: Word) throws(Refusal) {
        let slashes = path.bytes.indices.dropFirst().filter {
            path.bytes[$0] == UInt8(ascii: "/") && path.bytes[$0 - 1] != UInt8(ascii: "/")
        }
        for end in slashes {
            let folder = Word(bytes: Array(path.bytes[..<end]))
            do throws(SystemError) {
                try Kernel.createDirectory(folder.cString, permissions: 0o777)
            } catch {
                if (try? Kernel.status(folder.cString, followsLink: true))?.kind == .directory {
                    continue
                }
                throw Refusal(file: folder.text, reason: error.text)
            }
        }
    }

    @Sendable func take(_ bytes: [UInt8]) throws {
        try state.withLock { state in
            state.reader.feed(bytes)
            while let element = try state.reader.next() { try take(element, &state) }
        }
    }

    /// Bytes of the report: some lines.
    private static let reportLimit = 1 << 20

    private func take(_ element: ArchiveReader.Element, _ state: inout State) throws {
        switch element {
        case .folder: break
        case .file(let name, _):
            state.name = name
            try begin(name, &state)
        case .content(let bytes):
            state.hash?.update(bytes.span)
            guard let file = state.file else {
                if let report = state.report, report.count + bytes.count <= Self.reportLimit {
                    state.report?.append(contentsOf: bytes)
                }
                return
            }
            if let error = writeAll(bytes, to: file) {
                throw Refusal(file: target.text, reason: error.text)
            }
        case .fileEnd: try end(&state)
        case .end: state.isOver = true
        }
    }

    /// Only names that a store has become files.
    private func begin(_ name: [UInt8], _ state: inout State) throws {
        let parts = name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.first?.elementsEqual(StoreArchive.folderName.utf8) == true else {
            throw Refusal(file: target.text, reason: "the archive has an unknown file")
        }
        if parts.count == 2, parts[1].elementsEqual(StoreArchive.reportName.utf8) {
            state.report = []
            return
        }
        guard parts.count == 3, parts[2].first != UInt8(ascii: "."), !parts[2].isEmpty else {
            throw Refusal(file: target.text, reason: "the archive has an unknown file")
        }
        let file = Array(parts[2])
        let isBlob = parts[1].elementsEqual("blobs".utf8)
        let isKnown =
            isBlob
            ? SHA256.Digest(hex: String(decoding: file, as: UTF8.self)) != nil
            : parts[1].elementsEqual("log".utf8)
                && file.allSatisfy { byte in
                    byte == UInt8(ascii: ".") || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                        || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                }
        guard isKnown else {
            throw Refusal(file: target.text, reason: "the archive has an unknown file")
        }
        let folder = isBlob ? blobs : log
        let path = Word(bytes: folder.bytes + [UInt8(ascii: "/")] + file)
        do throws(SystemError) {
            state.file = try Kernel.open(
                path.cString, [.writeOnly, .create, .exclusive, .noFollow], permissions: 0o600)
        } catch {
            throw Refusal(file: path.text, reason: error.text)
        }
        state.hash = isBlob ? SHA256() : nil
    }

    private func end(_ state: inout State) throws {
        guard let file = state.file else { return }
        state.file = nil
        defer { try? Kernel.close(file) }
        if let hash = state.hash {
            state.hash = nil
            let name = state.name.suffix(64)
            if !name.elementsEqual(hash.finish().description.utf8) {
                state.failures.append(
                    "blob \(String(decoding: name, as: UTF8.self)) is damaged")
                let path = Word(bytes: blobs.bytes + [UInt8(ascii: "/")] + name)
                try? Kernel.unlink(path.cString)
                return
            }
        }
        do throws(SystemError) {
            try Kernel.datasync(file)
        } catch {
            throw Refusal(file: target.text, reason: error.text)
        }
    }

    /// Checks what came, and gives the folder its name.
    func finish() throws(Refusal) -> Document {
        let (isOver, report, own) = state.withLock { ($0.isOver, $0.report, $0.failures) }
        guard isOver, let report else {
            throw Refusal(
                file: target.text, reason: "the server ended the backup early",
                hint: "Its log says why; try again.")
        }
        let checked: Verification
        do throws(StorageError) {
            checked = try RecordStore.verify(folder: partial.bytes)
        } catch {
            throw Refusal(storage: error, folder: target.text)
        }
        do throws(SystemError) {
            for folder in [log, blobs, partial] {
                let number = try Kernel.open(folder.cString, [.readOnly, .directory])
                defer { try? Kernel.close(number) }
                try Kernel.sync(number)
            }
            try Kernel.rename(
                partial.cString, to: Kernel.workingFolder, target.cString)
        } catch {
            throw Refusal(file: target.text, reason: error.text)
        }
        // The server's own list names what it could not read; the check finds the same blobs
        // missing.
        let said = String(decoding: report, as: UTF8.self).split(separator: "\n")
            .compactMap { line in
                line.hasPrefix("failure ") ? String(line.dropFirst(8)) : nil
            }
        let failures = said.isEmpty ? own : said
        return .object(
            ("target", .string(target.text)), ("records", .count(checked.log.records)),
            ("blobs", .count(checked.blobs)),
            ("bytes", .count(checked.blobBytes + checked.log.logBytes)),
            ("sound", .boolean(failures.isEmpty && checked.isSound)),
            ("failures", .strings(failures)))
    }

    /// Removes what was made.
    func discard() {
        if let file = state.withLock({ $0.file }) { try? Kernel.close(file) }
        for folder in [log, blobs] {
            for name in (try? Kernel.names(inFolder: folder.cString)) ?? [] {
                let path = Word(bytes: folder.bytes + [UInt8(ascii: "/")] + name)
                try? Kernel.unlink(path.cString)
            }
            try? Kernel.removeDirectory(folder.cString)
        }
        try? Kernel.removeDirectory(partial.cString)
    }
}
