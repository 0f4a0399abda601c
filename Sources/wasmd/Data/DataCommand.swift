import WasmSystem
import WasmText
import WasmdStorage

/// `wasmd data`: checks, compacts and copies data folders.
struct DataCommand {
    enum Action: String, CaseIterable {
        case verify, compact, backup, restore

        static let words = allCases.map(\.rawValue)
    }

    private let action: Action
    /// What is read.
    private let folder: Word
    /// Where a copy goes.
    private let target: Word?
    private let printsJSON: Bool

    init(_ arguments: ParsedArguments) throws(UsageError) {
        let words = arguments.words
        guard let first = words.first else { throw .missingOperand("ACTION", .data) }
        guard let action = Action(rawValue: first.text) else {
            throw .unknownAction(
                first.text, suggestion: Suggestion.best(for: first.text, in: Action.words))
        }
        guard words.count > 1 else { throw .missingOperand("FOLDER", .data) }
        self.action = action
        folder = words[1]
        switch action {
        case .verify, .compact:
            guard words.count == 2 else { throw .unexpectedOperand(words[2].text, .data) }
            target = nil
        case .backup, .restore:
            guard words.count > 2 else {
                throw .missingOperand(action == .restore ? "FOLDER" : "TARGET", .data)
            }
            guard words.count == 3 else { throw .unexpectedOperand(words[3].text, .data) }
            target = words[2]
        }
        for word in words where word.bytes.isEmpty {
            throw .invalidValue("", of: "FOLDER", expected: "the name of a folder", .data)
        }
        printsJSON = arguments.has(.json)
    }

    /// Does it, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        let progress = DataProgress(folder)
        do throws(StorageError) {
            let report = try report(progress)
            progress.end()
            console.output.write(printsJSON ? report.json.text + "\n" : report.text)
            return report.isSound ? ExitCode.success : ExitCode.refused
        } catch {
            progress.end()
            if printsJSON {
                let document = JSON.object(
                    ("action", .string(action.rawValue)), ("folder", .string(folder.text)),
                    ("error", refusal(error).json))
                console.output.writeLine(document.text)
            } else {
                console.complain(refusal(error).text)
            }
            return ExitCode.refused
        }
    }

    private func refusal(_ error: StorageError) -> Refusal {
        var refusal = Refusal(storage: error, folder: folder.text)
        if action == .restore, case .targetNotEmpty = error {
            refusal.hint =
                "A backup replaces nothing: stop the server that has this folder, move the folder "
                + "away, and restore again."
        }
        return refusal
    }

    private func report(_ progress: DataProgress) throws(StorageError) -> DataReport {
        switch action {
        case .verify:
            return .verified(
                folder.text, try RecordStore.verify(folder: folder.bytes, progress: progress.show))
        case .backup, .restore:
            let target = target ?? Word("")
            let copied = try RecordStore.copy(
                folder: folder.bytes, to: target.bytes, progress: progress.show)
            return .copied(action, folder.text, target.text, copied)
        case .compact:
            var options = RecordStore.Options()
            options.creates = false
            options.compactsAutomatically = false
            let store: RecordStore
            do throws(StorageError) {
                store = try RecordStore(folder: folder.bytes, options)
            } catch {
                guard case .held = error, let report = compactByServer() else { throw error }
                return report
            }
            defer { store.close() }
            if let failure = store.writeFailure { throw failure }
            let removed = try store.blobs.collectGarbage()
            let saved = try store.compact(progress: progress.show)
            return .compacted(
                folder.text, store.report, saved: saved, blobs: removed, store.statistics)
        }
    }
}

extension DataCommand {
    /// Lets the server that has the folder open compact it; nil if it has no socket, or this user
    /// may not use it.
    private func compactByServer() -> DataReport? {
        let socket = ControlServer.socket(DaemonOperations.socketPath(in: folder.bytes))
        guard let client = try? ControlClient(socket, tokenFile: nil),
            let answer = try? client.json(.post, "/admin/compact"),
            let saved = answer["saved_bytes"]?.integerValue,
            let blobs = answer["removed_blobs"]?.integerValue,
            let size = answer["log_bytes"]?.integerValue
        else { return nil }
        return .compactedByServer(
            folder.text, saved: Int(saved), blobs: Int(blobs), logBytes: Int(size))
    }
}

extension Refusal {
    /// An error of a store as text, with the next step.
    init(storage error: StorageError, folder: String) {
        let (file, reason) =
            switch error {
            case .held(let folder, let process?): (folder, "in use by process \(process)")
            case .held(let folder, nil): (folder, "in use by another process")
            case .noStore(let folder): (folder, "no store: there is no folder 'log' in it")
            case .targetNotEmpty(let target): (target, "there is something already")
            case .system(let error, let file): (Self.path(file, in: folder), error.description)
            default: (folder, error.description)
            }
        let hint: String? =
            switch error {
            case .held:
                "Stop that process first, or use 'verify' or 'backup', which only read; a server "
                    + "that this user started compacts its folder itself."
            case .noStore: "The folder of a server's data is the one that its --data names."
            case .targetNotEmpty: "Name a folder that does not exist yet."
            case .unknownVersion: "A newer version of wasmd may know it."
            case .full: "Make room on the disk; nothing that was stored is changed."
            default: nil
            }
        self.init(file: file, reason: printable(reason), hint: hint)
    }

    /// Files of a store are named from its folder on.
    private static func path(_ file: String, in folder: String) -> String {
        file.hasPrefix("log/") || file.hasPrefix("blobs/") ? folder + "/" + file : file
    }
}

/// A line on a terminal that says how far a long action is.
final class DataProgress {
    private let folder: String
    private let isShown = Kernel.isTerminal(Kernel.standardError)
    private var last: UInt64 = 0
    private var isThere = false

    /// Nanoseconds between two lines.
    private static let interval: UInt64 = 100_000_000

    init(_ folder: Word) { self.folder = printable(folder.text) }

    /// - Parameter total: 0 if it is not known.
    func show(_ done: Int, _ total: Int) {
        guard isShown else { return }
        let now = SystemClock.monotonic.now
        guard now &- last > Self.interval else { return }
        last = now
        isThere = true
        let amount =
            total > 0
            ? "\(done.multipliedReportingOverflow(by: 100).partialValue / total) %" : grouped(done)
        _ = writeAll(Array("\r\u{1b}[K\(folder): \(amount)".utf8), to: Kernel.standardError)
    }

    /// Removes the line.
    func end() {
        if isThere { _ = writeAll(Array("\r\u{1b}[K".utf8), to: Kernel.standardError) }
        isThere = false
    }
}
