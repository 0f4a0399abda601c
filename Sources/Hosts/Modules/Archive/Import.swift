// Soundness: paths are arrays that end with a NUL and outlive the call; arrays are lent to reads as a
// whole.

import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdStorage
import WasmdWasmiot

/// What an archive or an init folder has: documents by folder, and files by their path below
/// `files/`.
struct ImportedData: Sendable {
    struct Element: Sendable {
        let folder: String
        let document: Document
        /// About what it takes in memory.
        let byteCount: Int
    }

    private(set) var documents: [Element] = []
    private(set) var files: [[UInt8]: UploadedFile] = [:]
    /// About what documents and small files take in memory: all are there before one is stored.
    private var byteCount = 0
    private let memoryLimit: Int

    static let documentLimit = 100_000
    /// Bytes of one file with documents.
    static let byteLimit = 64 << 20

    /// - Parameter memory: bytes of documents and small files.
    init(memory: Int) { memoryLimit = memory }

    /// The documents of a file: one, or an array.
    static func elements(_ bytes: [UInt8], folder: String, place: String) throws -> [Element] {
        let document: Document
        do throws(JSONError) {
            document = try JSONReader.read(bytes, options: .stored)
        } catch {
            throw Failure(.badRequest, "the import is malformed", "\(place): \(error)")
        }
        return try (document.arrayValue ?? [document]).map { element throws -> Element in
            guard element.objectValue != nil else {
                throw Failure(
                    .badRequest, "the import is malformed", "\(place): expected objects")
            }
            return Element(
                folder: folder, document: element,
                byteCount: Collection.Entry.byteCount(element))
        }
    }

    mutating func add(_ elements: [Element], place: String) throws {
        guard documents.count + elements.count <= Self.documentLimit else {
            throw Failure(
                .badRequest, "the import is malformed",
                "\(place): an import has at most \(Self.documentLimit) documents")
        }
        for element in elements { try take(element.byteCount) }
        documents += elements
    }

    mutating func add(_ file: UploadedFile, _ path: [UInt8]) throws {
        var size = path.count + 1024
        if case .memory(let bytes) = file.content { size += bytes.count }
        try take(size)
        files[path] = file
    }

    private mutating func take(_ count: Int) throws {
        guard count <= memoryLimit - byteCount else {
            throw Failure(
                .contentTooLarge, "the import is too large",
                "its documents and small files take at most \(memoryLimit) bytes in memory")
        }
        byteCount += count
    }

    /// The file of a module's document, by its path, its name or its original name.
    func file(_ description: Document?) -> UploadedFile? {
        var names: [String] = []
        if let path = description?["path"]?.stringValue {
            let words = path.split(separator: "/").map(String.init)
            if let index = words.lastIndex(of: "files") {
                names.append(words[(index + 1)...].joined(separator: "/"))
            }
        }
        if let name = description?["fileName"]?.stringValue { names += ["wasm/\(name)", name] }
        if let name = description?["originalFilename"]?.stringValue { names.append(name) }
        for name in names {
            if let file = files[Array(name.utf8)] { return file }
        }
        return nil
    }

    static func newFile(_ name: [UInt8], _ content: UploadedFile.Content, _ beginning: [UInt8])
        -> UploadedFile
    {
        UploadedFile(
            field: "", fileName: String(decoding: name, as: UTF8.self),
            mediaType: "application/octet-stream", content: content, beginning: beginning)
    }

    // MARK: Archives

    /// Reads an archive as it arrives; files that are not small are written to the store.
    static func read(
        _ request: ServerRequest, _ store: RecordStore, limit: UInt64, memory: Int
    ) async throws -> ImportedData {
        try request.limitBody(to: limit)
        var data = ImportedData(memory: memory)
        var reader = TarReader()
        var name: [UInt8] = []
        var text: [UInt8] = []
        var collector = FileCollector(store)
        do {
            while let piece = try await request.next() {
                for event in try reader.feed(piece) {
                    switch event {
                    case .begin(let begun, let size):
                        name = begun.starts(with: "./".utf8) ? Array(begun.dropFirst(2)) : begun
                        text = []
                        collector = FileCollector(store)
                        guard name.starts(with: "files/".utf8) || size <= byteLimit else {
                            throw TarReader.Fault(description: "a document is too large")
                        }
                    case .content(let bytes):
                        if name.starts(with: "files/".utf8) {
                            try await collector.add(bytes, on: request.loop)
                        } else {
                            text += bytes
                        }
                    case .end:
                        if name.starts(with: "files/".utf8) {
                            let path = Array(name.dropFirst(6))
                            let content = try await collector.finish(on: request.loop)
                            try data.add(newFile(path, content, collector.beginning), path)
                        } else if name.suffix(5).elementsEqual(".json".utf8),
                            let folder = name.split(separator: UInt8(ascii: "/")).first
                        {
                            let bytes = text
                            text = []
                            let place = String(decoding: name, as: UTF8.self)
                            let folder = String(decoding: folder, as: UTF8.self)
                            let elements = try await request.loop.computing(over: bytes.count) {
                                try ImportedData.elements(bytes, folder: folder, place: place)
                            }
                            try data.add(elements, place: place)
                        }
                    }
                }
            }
            try reader.finish()
        } catch let fault as TarReader.Fault {
            throw Failure(.badRequest, "the import is malformed", fault.description)
        }
        return data
    }

    // MARK: Init folders

    /// Reads `module/*.json`, `device/*.json`, other folders, and `files`; waits for the disk. A
    /// folder that is not there is empty.
    static func readBlocking(
        folder: [UInt8], _ store: RecordStore, memory: Int
    ) throws -> ImportedData {
        var data = ImportedData(memory: memory)
        let root = folder.last == UInt8(ascii: "/") ? folder : folder + [UInt8(ascii: "/")]
        for name in try names(root) where name != Array("files".utf8) {
            for file in (try? names(root + name)) ?? []
            where file.suffix(5).elementsEqual(".json".utf8) {
                let path = root + name + [UInt8(ascii: "/")] + file
                var bytes: [UInt8] = []
                try read(path) { piece in
                    bytes += piece
                    return bytes.count <= byteLimit
                }
                let place = String(decoding: path, as: UTF8.self)
                try data.add(
                    elements(bytes, folder: String(decoding: name, as: UTF8.self), place: place),
                    place: place)
            }
        }
        try data.readFiles(root + Array("files/".utf8), [], store, depth: 0)
        return data
    }

    private mutating func readFiles(
        _ root: [UInt8], _ path: [UInt8], _ store: RecordStore, depth: Int
    ) throws {
        guard depth < 4 else { return }
        for name in (try? Self.names(root + path)) ?? [] {
            let whole = path + name
            let status = try unsafe Kernel.status(CString(path: root + whole), followsLink: true)
            if status.kind == .directory {
                try readFiles(root, whole + [UInt8(ascii: "/")], store, depth: depth + 1)
                continue
            }
            guard status.kind == .regular else { continue }
            var bytes: [UInt8] = []
            var writer: BlobWriter?
            var beginning: [UInt8] = []
            var size = 0
            try Self.read(root + whole) { piece in
                if beginning.isEmpty { beginning = Array(piece.prefix(4)) }
                bytes += piece
                size += piece.count
                if bytes.count > StoredFile.smallSize {
                    let known = try writer ?? store.blobs.write()
                    try known.append(bytes)
                    writer = known
                    bytes = []
                }
                return true
            }
            if let writer {
                if !bytes.isEmpty { try writer.append(bytes) }
                let content = UploadedFile.Content.blob(try writer.finish(), size: size)
                try add(Self.newFile(name, content, beginning), whole)
            } else {
                try add(Self.newFile(name, .memory(bytes), beginning), whole)
            }
        }
    }

    private static func names(_ path: [UInt8]) throws -> [[UInt8]] {
        try unsafe Kernel.names(inFolder: CString(path: path)).sorted {
            $0.lexicographicallyPrecedes($1)
        }
    }

    /// Reads a file in pieces, until `body` returns false.
    private static func read(
        _ path: [UInt8], _ body: ([UInt8]) throws -> Bool
    ) throws {
        let file = FileDescriptor(owning: try unsafe Kernel.open(CString(path: path), [.readOnly]))
        let number = file.number
        var piece = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = try unsafe piece.withUnsafeMutableBytes {
                try unsafe Kernel.read(number, $0)
            }
            if count == 0 { return }
            guard try body(Array(piece.prefix(count))) else {
                throw Failure(
                    .badRequest, "the import is malformed",
                    "\(String(decoding: path, as: UTF8.self)) is too large")
            }
        }
    }
}
