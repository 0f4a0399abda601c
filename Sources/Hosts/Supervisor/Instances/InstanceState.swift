import WasmInterpreter
import WasmdDigests
import WasmdDocuments
import WasmdGuests

/// What an instance is between two runs, as it is stored and given to other devices: its snapshot,
/// and the files that it has written beside its mounts.
///
/// | member | what |
/// |---|---|
/// | `module` | the SHA-256 of the module's binary |
/// | `snapshot` | docs/snapshots.md |
/// | `files` | objects with `path` and `bytes` |
///
/// As bytes it is BSON.
struct InstanceState: Sendable {
    struct File: Sendable {
        let path: [UInt8]
        let bytes: [UInt8]
    }

    let module: SHA256.Digest
    let snapshot: [UInt8]
    let files: [File]

    init(module: SHA256.Digest, snapshot: [UInt8], files: [File]) {
        self.module = module
        self.snapshot = snapshot
        self.files = files
    }

    /// - Throws: `StateFault.malformed`.
    init(_ bytes: [UInt8]) throws(StateFault) {
        guard let document = try? BSON.read(bytes) else { throw .malformed("it is no BSON") }
        guard case .bytes(let digest)? = document["module"],
            let module = SHA256.Digest(bytes: digest.span)
        else { throw .malformed("'module' is no digest") }
        guard case .bytes(let snapshot)? = document["snapshot"] else {
            throw .malformed("'snapshot' is missing")
        }
        var files: [File] = []
        for element in document["files"]?.arrayValue ?? [] {
            guard case .bytes(let path)? = element["path"],
                case .bytes(let content)? = element["bytes"]
            else { throw .malformed("a file has no path or no bytes") }
            files.append(File(path: path, bytes: content))
        }
        self.init(module: module, snapshot: snapshot, files: files)
    }

    /// - Throws: `StateFault.tooLarge` above the 2 GiB of a BSON document.
    func encoded() throws(StateFault) -> [UInt8] {
        let document = Document.object([
            .init("module", .bytes(module.bytes)), .init("snapshot", .bytes(snapshot)),
            .init(
                "files",
                .array(
                    files.map {
                        .object([.init("path", .bytes($0.path)), .init("bytes", .bytes($0.bytes))])
                    })),
        ])
        do {
            return try BSON.write(document)
        } catch {
            throw .tooLarge("\(error)")
        }
    }
}

/// A state that was taken between two runs, before it is bytes.
struct TakenState: Sendable {
    let module: SHA256.Digest
    let snapshot: Snapshot
    let files: [InstanceState.File]

    /// Copies the pages that are not zero: on a thread of the pool for large memories.
    func encoded() throws(StateFault) -> [UInt8] {
        try InstanceState(module: module, snapshot: snapshot.encoded(), files: files).encoded()
    }
}

/// Why a state cannot be taken, or be used.
enum StateFault: Error, Sendable {
    case snapshot(SnapshotError)
    case openFiles(Int)
    case malformed(String)
    case tooLarge(String)
    case otherModule
    case file(String)
    /// Another one holds the instance.
    case held
    case notHeld
    /// The runs of the instance did not end in time.
    case busy
}

extension StateFault: CustomStringConvertible {
    var description: String {
        switch self {
        case .snapshot(let error): "the state cannot be saved: \(error)"
        case .openFiles(let count):
            "the state cannot be saved: the module has \(count) open files"
        case .malformed(let text): "the state is malformed: \(text)"
        case .tooLarge(let text): "the state is too large: \(text)"
        case .otherModule: "the state is that of another module"
        case .file(let text): "a file of the state cannot be written: \(text)"
        case .held: "the instance is held already: release it first"
        case .notHeld: "the instance is not held: ask for its state with 'hold' first"
        case .busy: "the instance's runs did not end in time"
        }
    }
}

extension DeployedModule {
    /// What the instance is now, in a task of its home that has the instance's place; nil before its
    /// first run.
    ///
    /// - Parameter excluded: files of a run that goes on.
    /// - Throws: `StateFault`. Open files are refused only if `isMoving`: a state that is saved beside
    ///   the instance is better without them than none.
    func takeState(
        isMoving: Bool, without excluded: [[UInt8]] = []
    ) throws(StateFault) -> TakenState? {
        guard let kept, kept.instance != nil else { return nil }
        if isMoving, kept.openedCount > 0 { throw .openFiles(kept.openedCount) }
        let snapshot: Snapshot
        do throws(SnapshotError) {
            guard let taken = try kept.snapshot() else { return nil }
            snapshot = taken
        } catch {
            throw .snapshot(error)
        }
        var files: [InstanceState.File] = []
        if folder.byteCount > 0 {
            for path in folder.filePaths
            where !mountPaths.contains(path) && !excluded.contains(path) {
                guard let bytes = try? folder.read(path) else { continue }
                files.append(.init(path: path, bytes: bytes))
            }
        }
        return TakenState(module: digest, snapshot: snapshot, files: files)
    }

    /// Puts the files of a state into the folder.
    func restoreFiles(_ state: InstanceState) throws(StateFault) {
        for file in state.files where !mountPaths.contains(file.path) {
            do {
                try folder.write(file.bytes, to: file.path)
            } catch {
                throw .file("\(error)")
            }
        }
    }
}
