import WasmdDigests
import WasmdDocuments
import WasmdWasmiot

/// A module's document with what is stored beside it.
///
/// The document is what clients get, and a last member `_stored` with the facts of its files.
struct ModuleRecord: Sendable {
    let id: ObjectID
    var document: Document

    private static let hidden = "_stored"

    init(_ entry: Collection.Entry) {
        id = entry.id
        document = entry.document
    }

    init(id: ObjectID, document: Document) {
        self.id = id
        self.document = document
    }

    var name: String { document["name"]?.stringValue ?? "" }
    var isCore: Bool { document["isCoreModule"] == .boolean(true) }

    /// As clients get it.
    var json: Document { document.without(Self.hidden) }

    var binary: StoredFile? { StoredFile(document[Self.hidden]?["wasm"]) }

    /// Data files by the names of their mounts.
    var dataFiles: [(name: String, file: StoredFile)] {
        (document[Self.hidden]?["data"]?.objectValue ?? []).compactMap { member in
            StoredFile(member.value).map { (member.name, $0) }
        }
    }

    func dataFile(_ name: String) -> StoredFile? {
        StoredFile(document[Self.hidden]?["data"]?[name])
    }

    /// The keys of all files that are records.
    var fileKeys: [[UInt8]] {
        ([binary].compactMap { $0 } + dataFiles.map(\.file)).filter { !$0.isBlob }
            .map { $0.key(id) }
    }

    /// The blobs of all files.
    static func blobs(_ document: Document) -> [SHA256.Digest] {
        let hidden = document[hidden]
        let files = [hidden?["wasm"]] + (hidden?["data"]?.objectValue ?? []).map(\.value)
        return files.compactMap { StoredFile($0) }.filter(\.isBlob).map(\.digest)
    }

    mutating func setFiles(
        binary: StoredFile?, data: [(name: String, file: StoredFile)]
    ) {
        var members: [Document.Member] = []
        if let binary { members.append(.init("wasm", binary.document)) }
        members.append(
            .init("data", .object(data.map { .init($0.name, $0.file.document) })))
        // At the end again: members that are set later are before it.
        document.set(Self.hidden, nil)
        document.set(Self.hidden, .object(members))
    }

    // MARK: What the module exports and needs

    func exports(_ function: String) -> Bool {
        document["exports"]?.arrayValue?.contains {
            $0["name"]?.stringValue?.utf8.elementsEqual(function.utf8) == true
        } == true
    }

    /// Names of imported functions.
    var requirements: [String] {
        document["requirements"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
    }
}
