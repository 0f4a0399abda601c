// Soundness: the bytes of a piece are lent for the length of a call.

import WasmSystem
import WasmdDocuments
import WasmdOthismo

/// Copies files into an object of blobs.
struct BlobCopy {
    private let session: any ImageSession
    private let object: [UInt8]

    /// Bytes of one message, files, and folders within each other.
    private static let pieceBytes = 4 << 20
    private static let fileLimit = 100_000
    private static let depthLimit = 32

    private struct File {
        let path: Word
        let name: [UInt8]
    }

    init(_ session: any ImageSession, _ object: [UInt8]) {
        self.session = session
        self.object = object
    }

    /// Copies a file, or all files of a folder, under their names in it; symbolic links inside are
    /// left out. Returns how many there were.
    func copy(_ path: Word) throws(OthismoFailure) -> Document {
        var files: [File] = []
        try find(path, name: [], depth: 0, &files)
        var count: Int64 = 0
        for file in files { count += try copy(file) }
        return .object([
            .init(
                "othismo.blobs.cp.response",
                .object([
                    .init("files", .integer(Int64(files.count))), .init("bytes", .integer(count)),
                ]))
        ])
    }

    private func find(
        _ path: Word, name: [UInt8], depth: Int, _ files: inout [File]
    ) throws(OthismoFailure) {
        let names: [[UInt8]]
        do throws(SystemError) {
            switch try Kernel.status(path.cString, followsLink: depth == 0).kind {
            case .regular:
                guard files.count < Self.fileLimit else {
                    throw SystemError.nfile
                }
                files.append(
                    File(
                        path: path,
                        name: name.isEmpty ? (path.lastComponent ?? path).bytes : name))
                return
            case .directory where depth < Self.depthLimit:
                names = try Kernel.names(inFolder: path.cString)
            default: return
            }
        } catch {
            throw .text("\(printable(path.text)): \(error.text)")
        }
        let slash = UInt8(ascii: "/")
        let folder = path.bytes.last == slash ? path.bytes : path.bytes + [slash]
        for entry in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            try find(
                Word(bytes: folder + entry), name: name.isEmpty ? entry : name + [slash] + entry,
                depth: depth + 1, &files)
        }
    }

    /// Returns how many bytes the file has.
    private func copy(_ file: File) throws(OthismoFailure) -> Int64 {
        guard let name = String(validating: file.name, as: UTF8.self) else {
            throw .text("\(printable(file.path.text)): names of blobs are UTF-8")
        }
        let descriptor: FileDescriptor
        do throws(SystemError) {
            descriptor = FileDescriptor(
                owning: try unsafe Kernel.open(file.path.cString, [.readOnly]))
        } catch {
            throw .text("\(printable(file.path.text)): \(error.text)")
        }
        var total: Int64 = 0
        while true {
            let piece = try read(descriptor.number, file.path)
            if piece.isEmpty, total > 0 { return total }
            var fields: [Document.Member] = [
                .init("name", .string(name)), .init("content", .bytes(piece)),
            ]
            if total > 0 { fields.append(.init("append", true)) }
            try put(.init("othismo.blobs.put", .object(fields)))
            total += Int64(piece.count)
            if piece.count < Self.pieceBytes { return total }
        }
    }

    private func read(_ descriptor: Int32, _ path: Word) throws(OthismoFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        do {
            while bytes.count < Self.pieceBytes {
                let count = try unsafe buffer.withUnsafeMutableBytes {
                    try unsafe Kernel.read(descriptor, $0)
                }
                if count == 0 { break }
                bytes += buffer[..<count]
            }
        } catch {
            let text = (error as? SystemError)?.text ?? "\(error)"
            throw .text("\(printable(path.text)): \(text)")
        }
        return bytes
    }

    private func put(_ request: Document.Member) throws(OthismoFailure) {
        var answers: [Document] = []
        let waiting = try session.send(
            Envelope(sendTo: object, payload: [request]), for: 60_000_000_000
        ) { answers.append($0) }
        if let error = OthismoFailure(answer: answers.first) { throw error }
        guard waiting == nil, !answers.isEmpty else {
            throw .text("the object of blobs did not answer")
        }
    }
}
