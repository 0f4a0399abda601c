import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage
import WasmdWasmiot

/// A request with the way to answer it: responses get the fields that pages of other origins need.
struct Exchange: Sendable {
    let request: ServerRequest
    let response: ServerResponse
    let requester: Requester
    let cors: CORSPolicy

    var loop: EventLoop { request.loop }

    func respond(_ head: ResponseHead, _ body: [UInt8] = []) async throws {
        var head = head
        try addOrigin(to: &head)
        try await response.respond(head, body)
    }

    /// Adds the fields that pages of other origins need.
    func addOrigin(to head: inout ResponseHead) throws {
        let added = try cors.fields(for: request.head)
        for index in 0..<added.count {
            let field = added[index]
            try head.fields.append(name: field.name, value: field.value)
        }
    }

    /// Large documents are written in steps, and sent in pieces.
    func json(_ document: Document, _ status: Status = .ok) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "application/json; charset=utf-8")
        var writer = JSONWriter()
        var walk = JSONWalk(document)
        if walk.step(&writer, upTo: Self.stepSize) { return try await respond(head, writer.take()) }
        try addOrigin(to: &head)
        try response.begin(head)
        if request.method == .head { return try await response.end() }
        var isOver = false
        while !isOver {
            try await response.write(writer.take())
            await loop.yieldToOthers()
            isOver = walk.step(&writer, upTo: Self.stepSize)
        }
        try await response.write(writer.take())
        try await response.end()
    }

    /// An array whose elements are made while it is sent: a client that is slow holds one of them.
    ///
    /// - Parameters:
    ///   - next: the next element; nil after the last one.
    ///   - start: what is before the first element.
    ///   - end: what is after the last one.
    func list(
        _ next: () -> Document?, after start: String = "[", before end: String = "]"
    ) async throws {
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "application/json; charset=utf-8")
        var bytes = Array(start.utf8)
        var isFirst = true
        var hasBegun = false
        while let element = next() {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            bytes += await ClientJSON.write(element, on: loop)
            guard bytes.count >= Self.stepSize else { continue }
            if !hasBegun {
                try addOrigin(to: &head)
                try response.begin(head)
                if request.method == .head { return try await response.end() }
                hasBegun = true
            }
            try await response.write(bytes)
            bytes = []
            await loop.yieldToOthers()
        }
        bytes += Array(end.utf8)
        guard hasBegun else { return try await respond(head, bytes) }
        try await response.write(bytes)
        try await response.end()
    }

    private static let stepSize = 64 << 10

    func text(_ text: String, _ status: Status = .ok, type: StaticString) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "\(type)")
        try await respond(head, Array(text.utf8))
    }

    func empty(_ status: Status = .noContent) async throws {
        try await respond(ResponseHead(status))
    }

    func fail(_ failure: Failure, right: Bool) async throws {
        guard !response.hasBegun else { throw HTTPServerError.order }
        let status = right ? failure.rightStatus : failure.status
        switch failure.body {
        case .json(let document): try await json(document, status)
        case .text(let text):
            try await self.text(text, status, type: "text/html; charset=utf-8")
        }
    }

    /// A stored file, with conditions and ranges. Blobs are read while they are sent.
    func file(
        _ file: StoredFile, of module: ObjectID, _ store: RecordStore, type: String
    ) async throws {
        let facts = FileFacts(
            size: UInt64(clamping: file.size), tag: EntityTag(file.digest.description.utf8))
        let now = HTTPDate(seconds: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let answer = FileAnswer(request.head, facts, now: now)
        let boundary = Array(file.digest.description.utf8.prefix(32))
        var (head, parts) = try answer.response(
            facts, type: Array(type.utf8), boundary: boundary)
        try addOrigin(to: &head)
        guard !parts.isEmpty else { return try await response.respond(head) }
        let source = try await source(file, module, store)
        if case .memory(let bytes) = source, parts == [.file(0..<facts.size)] {
            return try await response.respond(head, bytes)
        }
        try response.begin(head, length: .bytes(parts.byteCount))
        if request.method != .head {
            for part in parts {
                switch part {
                case .bytes(let more): try await response.write(more)
                case .file(let range): try await send(range, of: source)
                }
            }
        }
        try await response.end()
    }

    /// A file of a page, with conditions and ranges.
    func file(_ file: WebFolder.File) async throws {
        let facts = FileFacts(size: UInt64(clamping: file.bytes.count), tag: file.tag)
        let now = HTTPDate(seconds: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let answer = FileAnswer(request.head, facts, now: now)
        var (head, parts) = try answer.response(
            facts, type: Array(file.mediaType.utf8), boundary: Array("wasmd-page".utf8))
        try addOrigin(to: &head)
        try head.fields.append("Cache-Control", "no-cache")
        guard !parts.isEmpty else { return try await response.respond(head) }
        if parts == [.file(0..<facts.size)] { return try await response.respond(head, file.bytes) }
        try response.begin(head, length: .bytes(parts.byteCount))
        if request.method != .head {
            for part in parts {
                switch part {
                case .bytes(let more): try await response.write(more)
                case .file(let range): try await send(range, of: .memory(file.bytes))
                }
            }
        }
        try await response.end()
    }

    /// Sends a stored file as a part of a body.
    func send(
        _ file: StoredFile, of module: ObjectID, _ store: RecordStore
    ) async throws {
        try await send(
            0..<UInt64(clamping: file.size), of: try await source(file, module, store))
    }

    private enum FileSource {
        case memory([UInt8])
        case blob(BlobReader)
    }

    private func source(
        _ file: StoredFile, _ module: ObjectID, _ store: RecordStore
    ) async throws -> FileSource {
        let size = file.size
        let source: FileSource = try await loop.blocking {
            file.isBlob
                ? .blob(try store.blobs.open(file.digest))
                : .memory(try file.bytesBlocking(module, store))
        }
        let count =
            switch source {
            case .memory(let bytes): bytes.count
            case .blob(let reader): reader.byteCount
            }
        guard count == size else {
            throw Failure(.internalServerError, "the stored file has another length")
        }
        return source
    }

    private func send(_ range: Range<UInt64>, of source: FileSource) async throws {
        var start = Int(clamping: range.lowerBound)
        let end = Int(clamping: range.upperBound)
        switch source {
        case .memory(let bytes):
            guard start <= end, end <= bytes.count else { return }
            try await response.write(Array(bytes[start..<end]))
        case .blob(let reader):
            while start < end {
                let (from, count) = (start, min(end - start, Self.pieceSize))
                let bytes = try await loop.blocking { try reader.read(at: from, count) }
                guard !bytes.isEmpty else { throw StorageError.blobDamaged(reader.digest) }
                try await response.write(bytes)
                start += bytes.count
            }
        }
    }

    private static let pieceSize = 256 << 10
}
