// Soundness: buffers are those of arrays, and are filled within their length.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// Sends the files of a folder: regular files only, beneath the folder, without symbolic links.
/// `index.html` stands for its folder, and `404.html` of the folder is the page for paths that are
/// nothing. `/public/x` finds the same file as `/x`.
///
/// All calls that may block are made on threads of the pool. Files of up to `smallSize` bytes are
/// opened, read and compressed by one call.
struct StaticFiles: Sendable {
    /// Opens the folder; nil if it cannot be opened.
    private let open: @Sendable () -> OpenFolder?

    /// Bytes that are read at once.
    private static let smallSize = 65_536
    /// Files below are not worth compressing.
    private static let smallestCompressed: UInt64 = 256

    init(open: @escaping @Sendable () -> OpenFolder?) { self.open = open }

    /// A file that was found.
    private final class Found: Sendable {
        let descriptor: FileDescriptor
        let status: FileStatus
        let name: [UInt8]
        /// All bytes of a small file.
        let bytes: [UInt8]?
        /// Whether it is the page for paths that are nothing.
        let isErrorPage: Bool

        init(
            _ descriptor: consuming FileDescriptor, _ status: FileStatus, _ name: [UInt8],
            isErrorPage: Bool
        ) throws(SystemError) {
            bytes =
                status.byteCount <= StaticFiles.smallSize
                ? try StaticFiles.read(descriptor.number, 0..<max(Int(status.byteCount), 0)) : nil
            self.descriptor = descriptor
            self.status = status
            self.name = name
            self.isErrorPage = isErrorPage
        }
    }

    private enum Search: Sendable {
        case file(Found)
        /// A folder with an index, whose path was sent without a slash.
        case folderWithoutSlash
        case nothing
    }

    /// Answers a request for a file.
    ///
    /// - Parameter isAlone: whether nothing else serves the path.
    /// - Returns: false if there is no such file.
    func answer(
        _ request: ServerRequest, _ response: ServerResponse, _ path: Path, isAlone: Bool
    ) async throws -> Bool {
        guard path.isSafeForFiles else { return false }
        let isRead = request.method == .get || request.method == .head
        let search = try await request.loop.blocking { [open] in
            guard let folder = open() else { return Search.nothing }
            return Self.search(folder, path, allowsErrorPage: isAlone && isRead)
        }
        switch search {
        case .nothing: return false
        case .folderWithoutSlash: try await Self.redirect(path, request, response)
        case .file(let file):
            guard isRead else {
                var head = ResponseHead(request.method == .options ? .noContent : .methodNotAllowed)
                try head.fields.append("Allow", "GET, HEAD, OPTIONS")
                if request.method == .options {
                    try await response.respond(head)
                } else {
                    try head.fields.append("Content-Type", "text/plain; charset=utf-8")
                    try await response.respond(
                        head, Array("This is a file: only GET and HEAD are allowed.\n".utf8))
                }
                return true
            }
            try await send(file, request, response)
        }
        return true
    }

    /// Sends the client to the same path with a slash.
    static func redirect(
        _ path: Path, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        let isRead = request.method == .get || request.method == .head
        var head = ResponseHead(isRead ? .movedPermanently : .permanentRedirect)
        // Made of the segments: what was sent could begin with two slashes, and name a host then.
        var location = path.bytes + [UInt8(ascii: "/")]
        if let query = request.target.query { location += [UInt8(ascii: "?")] + query }
        try head.fields.append("Location", location)
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        try await response.respond(head, Array("This is a folder.\n".utf8))
    }

    // MARK: On a thread of the pool

    private static func search(
        _ folder: OpenFolder, _ path: Path, allowsErrorPage: Bool
    ) -> Search {
        let isHidden = path.segments.contains { segment in
            segment.first == UInt8(ascii: ".") && segment != Array(".well-known".utf8)
        }
        if !isHidden, path.segments.count <= 64 {
            if let found = search(folder, path.segments, isFolder: path.isFolder) { return found }
            // Links from one file to another may name the folder as it is on the disk.
            if path.segments.first == FolderScan.staticName,
                let found = search(
                    folder, Array(path.segments.dropFirst()), isFolder: path.isFolder)
            {
                return found
            }
        }
        if allowsErrorPage, let page = open(folder, [Array("404.html".utf8)], isErrorPage: true) {
            return .file(page)
        }
        return .nothing
    }

    private static func search(
        _ folder: OpenFolder, _ segments: [[UInt8]], isFolder: Bool
    ) -> Search? {
        let index = segments + [Array("index.html".utf8)]
        if isFolder { return open(folder, index).map { .file($0) } }
        if let file = open(folder, segments) { return .file(file) }
        return open(folder, index) != nil ? .folderWithoutSlash : nil
    }

    private static func open(
        _ folder: OpenFolder, _ path: [[UInt8]], isErrorPage: Bool = false
    ) -> Found? {
        do throws(SystemError) {
            let file = try folder.open(path)
            let status = try Kernel.status(file.number)
            guard status.kind == .regular else { return nil }
            return try Found(file, status, path.last ?? [], isErrorPage: isErrorPage)
        } catch {
            return nil
        }
    }

    /// Bytes of a file; fewer if it became shorter.
    private static func read(
        _ descriptor: Int32, _ range: Range<Int>
    ) throws(SystemError) -> [UInt8] {
        guard !range.isEmpty else { return [] }
        _ = try Kernel.seek(descriptor, Int64(range.lowerBound), from: .start)
        var fault: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            count = 0
            do throws(SystemError) {
                while count < range.count {
                    let rest = unsafe UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[count..<range.count])
                    let length = unsafe try Kernel.read(descriptor, rest)
                    if length == 0 { break }
                    count += length
                }
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        return bytes
    }

    // MARK: Sending

    private func send(
        _ file: Found, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        let type = ContentTypes.type(ofFile: file.name)
        let isCompressible =
            ContentTypes.isCompressible(type)
            && UInt64(clamping: file.status.byteCount) >= Self.smallestCompressed
        let isCompressed =
            isCompressible && request.fields.prefersGzip && !request.fields.contains("range")
        let facts = Self.facts(file.status, isCompressed: isCompressed)
        let now = HTTPDate(
            seconds: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let answer = file.isErrorPage ? .whole : FileAnswer(request.head, facts, now: now)
        var (head, parts) = try answer.response(
            facts, type: Array(String(describing: type).utf8), boundary: Self.boundary())
        if file.isErrorPage { head = ResponseHead(.notFound, fields: head.fields) }
        if isCompressible { try head.fields.append("Vary", "Accept-Encoding") }
        if isCompressed, answer == .whole {
            try head.fields.append("Content-Encoding", "gzip")
            return try await sendCompressed(file, head, request, response)
        }
        if request.method == .get, let bytes = file.bytes {
            return try await response.respond(head, Self.join(parts, bytes))
        }
        let length = parts.byteCount
        try response.begin(head, length: .bytes(length))
        if request.method == .head { parts = [] }
        for part in parts {
            switch part {
            case .bytes(let bytes): try await response.write(bytes)
            case .file(let range): try await Self.send(file, range, request, response)
            }
        }
        try await response.end()
    }

    /// The body of a response with a small file.
    private static func join(_ parts: [FileBodyPart], _ bytes: [UInt8]) -> [UInt8] {
        var body: [UInt8] = []
        for part in parts {
            switch part {
            case .bytes(let bytes): body += bytes
            case .file(let range):
                // The file may have become shorter since its status was read.
                let start = min(Int(clamping: range.lowerBound), bytes.count)
                let end = min(Int(clamping: range.upperBound), bytes.count)
                body += bytes[start..<max(start, end)]
            }
        }
        return body
    }

    private static func send(
        _ file: Found, _ range: Range<UInt64>, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        var position = Int(clamping: range.lowerBound)
        let end = Int(clamping: range.upperBound)
        while position < end {
            let piece = position..<min(position + 4 * smallSize, end)
            let bytes = try await request.loop.blocking {
                try read(file.descriptor.number, piece)
            }
            // A file that became shorter: the announced length cannot be kept.
            if bytes.isEmpty { throw HTTPServerError.disconnected }
            try await response.write(bytes)
            position += bytes.count
        }
    }

    private func sendCompressed(
        _ file: Found, _ head: ResponseHead, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        if request.method == .head {
            try response.begin(head)
            return try await response.end()
        }
        var encoder = GzipEncoder()
        if let bytes = file.bytes {
            let start = encoder
            let body = try await request.loop.blocking {
                var encoder = start
                var body: [UInt8] = []
                encoder.compress(bytes.span, flush: .finish, to: &body)
                return body
            }
            return try await response.respond(head, body)
        }
        try response.begin(head)
        var position = 0
        while true {
            let (start, piece) = (encoder, position..<(position + Self.smallSize))
            let (next, count, output) = try await request.loop.blocking {
                var encoder = start
                let bytes = try Self.read(file.descriptor.number, piece)
                var output: [UInt8] = []
                encoder.compress(
                    bytes.span, flush: bytes.isEmpty ? .finish : .none, to: &output)
                return (encoder, bytes.count, output)
            }
            if !output.isEmpty { try await response.write(output) }
            if count == 0 { break }
            encoder = next
            position += count
        }
        try await response.end()
    }

    /// Validators of a file. The tag is weak for a second after a change: the file may be changed
    /// again without another time or size.
    private static func facts(_ status: FileStatus, isCompressed: Bool) -> FileFacts {
        var tag = String(status.modificationTime, radix: 16) + "-"
        tag += String(status.byteCount, radix: 16)
        if isCompressed { tag += "-gzip" }
        let now = SystemClock.realtime.now
        let isFresh = now < status.modificationTime &+ 1_000_000_000
        return FileFacts(
            size: UInt64(clamping: status.byteCount),
            modified: HTTPDate(
                seconds: Int64(clamping: status.modificationTime / 1_000_000_000)),
            tag: EntityTag(Array(tag.utf8), isWeak: isFresh))
    }

    /// 16 random bytes in hexadecimal, for multipart bodies.
    private static func boundary() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let digits = String(generator.next() as UInt64, radix: 16)
        return Array((digits + String(generator.next() as UInt64, radix: 16)).utf8)
    }
}
