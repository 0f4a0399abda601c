import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdStorage

/// Files as a form: `multipart/form-data`. Those that are blobs are read while they are sent.
struct FormWriter: Sendable {
    private enum Piece: Sendable {
        case bytes([UInt8])
        case blob(BlobReader)
    }

    private var pieces: [Piece] = []
    private var byteCount = 0
    private let boundary: String

    private static let readSize = 256 << 10

    /// Opens the files that are blobs.
    ///
    /// - Throws: `StorageError`
    init(_ files: [UploadedFile], _ store: RecordStore) throws {
        // Random, so that no file holds it but by purpose.
        boundary = "wasmd-\(UInt64.random(in: 0...UInt64.max))-\(UInt64.random(in: 0...UInt64.max))"
        for file in files {
            var head = Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"".utf8)
            head += Self.escaped(file.field) + Array("\"; filename=\"".utf8)
            head += Self.escaped(file.fileName) + Array("\"\r\nContent-Type: ".utf8)
            head += Array("\(file.mediaType)\r\n\r\n".utf8)
            add(head)
            switch file.content {
            case .memory(let bytes): add(bytes)
            case .blob(let pin, let size):
                pieces.append(.blob(try store.blobs.open(pin.digest)))
                byteCount += size
            }
            add([0x0d, 0x0a])
        }
        add(Array("--\(boundary)--\r\n".utf8))
    }

    private mutating func add(_ bytes: [UInt8]) {
        pieces.append(.bytes(bytes))
        byteCount += bytes.count
    }

    var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    func body(on loop: EventLoop) -> ClientRequest.Body {
        let pieces = pieces
        return .stream(.bytes(UInt64(clamping: byteCount))) { body in
            for piece in pieces {
                switch piece {
                case .bytes(let bytes): try await body.write(bytes)
                case .blob(let reader):
                    var offset = 0
                    while offset < reader.byteCount {
                        let start = offset
                        let bytes = try await loop.blocking {
                            try reader.read(at: start, Self.readSize)
                        }
                        guard !bytes.isEmpty else {
                            throw StorageError.blobDamaged(reader.digest)
                        }
                        try await body.write(bytes)
                        offset += bytes.count
                    }
                }
            }
        }
    }

    /// As forms of HTML escape names.
    private static func escaped(_ name: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case 0x0d: bytes += Array("%0D".utf8)
            case 0x0a: bytes += Array("%0A".utf8)
            case UInt8(ascii: "\""): bytes += Array("%22".utf8)
            default: bytes.append(byte)
            }
        }
        return bytes
    }
}
