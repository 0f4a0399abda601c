/// What is known of a file or stored binary before it is read.
public struct FileFacts: Equatable, Sendable {
    public var size: UInt64
    /// When it was changed last; nil if that is not known.
    public var modified: HTTPDate?
    /// Its validator; nil if there is none.
    public var tag: EntityTag?

    public init(size: UInt64, modified: HTTPDate? = nil, tag: EntityTag? = nil) {
        self.size = size
        self.modified = modified
        self.tag = tag
    }
}

/// How a GET or HEAD of a file is answered: conditions (RFC 9110, section 13) before ranges
/// (section 14).
public enum FileAnswer: Equatable, Sendable {
    /// 200 with all bytes.
    case whole
    /// 206 with the bytes of one range.
    case range(Range<UInt64>)
    /// 206 with several ranges as `multipart/byteranges`, in the order in which they were asked
    /// for.
    case ranges([Range<UInt64>])
    /// 304 without a body.
    case notModified
    /// 412
    case preconditionFailed
    /// 416 with `Content-Range: bytes */size`.
    case notSatisfiable

    /// More ranges than these are answered with all bytes: nobody needs them but to make work.
    public static var maximumRanges: Int { 16 }

    /// Decides by the fields of a request.
    ///
    /// - Parameter now: the current time; dates in its future are no valid conditions.
    public init(_ request: RequestHead, _ file: FileFacts, now: HTTPDate) {
        if let answer = Self.conditions(request, file, now: now) {
            self = answer
            return
        }
        self = .whole
        guard request.method == .get, let specifiers = request.fields.ranges,
            Self.allowsRange(request, file, now: now)
        else { return }
        let ranges = specifiers.compactMap { $0.resolved(size: file.size) }
        if ranges.isEmpty {
            self = .notSatisfiable
        } else if ranges.count == 1 {
            self = .range(ranges[0])
        } else if specifiers.count <= Self.maximumRanges, !Self.overlap(ranges) {
            self = .ranges(ranges)
        }
    }

    /// RFC 9110 13.2.2, in its order; nil if the request is to be carried out.
    private static func conditions(_ request: RequestHead, _ file: FileFacts, now: HTTPDate)
        -> FileAnswer?
    {
        let fields = request.fields
        if let list = EntityTagList(fields.all("if-match")) {
            if !matches(list, file.tag, isStrong: true) { return .preconditionFailed }
        } else if let date = fields.date("if-unmodified-since", now: now),
            let modified = file.modified, modified > date
        {
            return .preconditionFailed
        }
        let isRead = request.method == .get || request.method == .head
        if let list = EntityTagList(fields.all("if-none-match")) {
            if matches(list, file.tag, isStrong: false) {
                return isRead ? .notModified : .preconditionFailed
            }
        } else if isRead, let date = fields.date("if-modified-since", now: now), date <= now,
            let modified = file.modified, modified <= date
        {
            return .notModified
        }
        return nil
    }

    private static func matches(_ list: EntityTagList, _ tag: EntityTag?, isStrong: Bool) -> Bool {
        switch list {
        case .any: true
        case .tags(let tags):
            tag.map { tag in
                tags.contains { isStrong ? $0.stronglyMatches(tag) : $0.weaklyMatches(tag) }
            } ?? false
        }
    }

    /// `If-Range`: the same strong tag, or exactly the date of a file that was not changed within
    /// the last second, whose date could still be that of two versions.
    private static func allowsRange(_ request: RequestHead, _ file: FileFacts, now: HTTPDate)
        -> Bool
    {
        let values = request.fields.all("if-range")
        if values.isEmpty { return true }
        guard values.count == 1 else { return false }
        if let tag = EntityTag(field: values[0]) { return file.tag?.stronglyMatches(tag) ?? false }
        guard let date = HTTPDate(values[0], now: now), let modified = file.modified else {
            return false
        }
        return date == modified && modified.seconds < now.seconds - 1
    }

    private static func overlap(_ ranges: [Range<UInt64>]) -> Bool {
        let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
        return zip(sorted, sorted.dropFirst()).contains { $0.upperBound > $1.lowerBound }
    }

    /// The status of the response.
    public var status: Status {
        switch self {
        case .whole: .ok
        case .range, .ranges: .partialContent
        case .notModified: .notModified
        case .preconditionFailed: .preconditionFailed
        case .notSatisfiable: .rangeNotSatisfiable
        }
    }

    /// The head of the response and the parts of its body.
    ///
    /// - Parameters:
    ///   - type: the media type of the file.
    ///   - boundary: separates the ranges of a multipart body; must not occur in the file, so 16
    ///     random bytes in hexadecimal. Only for `.ranges`.
    /// - Returns: The head, and what the body consists of, in order: bytes that are sent as they
    ///   are, and ranges of the file.
    public func response(_ file: FileFacts, type: [UInt8], boundary: [UInt8]) throws(WritingFault)
        -> (head: ResponseHead, body: [FileBodyPart])
    {
        var head = ResponseHead(status)
        if let tag = file.tag { try head.fields.append("ETag", tag.bytes) }
        if let modified = file.modified {
            try head.fields.append("Last-Modified", modified.bytes)
        }
        switch self {
        case .notModified, .preconditionFailed:
            return (head, [])
        case .notSatisfiable:
            var value = [UInt8]("bytes */")
            value.append(decimal: file.size)
            try head.fields.append("Content-Range", value)
            return (head, [])
        case .whole:
            try head.fields.append("Accept-Ranges", "bytes")
            try head.fields.append("Content-Type", type)
            return (head, file.size == 0 ? [] : [.file(0..<file.size)])
        case .range(let range):
            try head.fields.append("Content-Type", type)
            try head.fields.append("Content-Range", Self.contentRange(range, file.size))
            return (head, [.file(range)])
        case .ranges(let ranges):
            try head.fields.append(
                "Content-Type", [UInt8]("multipart/byteranges; boundary=") + boundary)
            var parts: [FileBodyPart] = []
            for (index, range) in ranges.enumerated() {
                var start = [UInt8](index == 0 ? "--" : "\r\n--")
                start.append(contentsOf: boundary)
                start.append(text: "\r\nContent-Type: ")
                start.append(contentsOf: type)
                start.append(text: "\r\nContent-Range: ")
                start.append(contentsOf: Self.contentRange(range, file.size))
                start.append(text: "\r\n\r\n")
                parts.append(.bytes(start))
                parts.append(.file(range))
            }
            var end = [UInt8]("\r\n--")
            end.append(contentsOf: boundary)
            end.append(text: "--\r\n")
            parts.append(.bytes(end))
            return (head, parts)
        }
    }

    /// `bytes first-last/size`
    private static func contentRange(_ range: Range<UInt64>, _ size: UInt64) -> [UInt8] {
        var value = [UInt8]("bytes ")
        value.append(decimal: range.lowerBound)
        value.append(ASCII.minus)
        value.append(decimal: range.upperBound &- 1)
        value.append(ASCII.slash)
        value.append(decimal: size)
        return value
    }
}

/// A part of a response's body.
public enum FileBodyPart: Equatable, Sendable {
    case bytes([UInt8])
    /// Bytes of the file, at least one.
    case file(Range<UInt64>)
}

extension [FileBodyPart] {
    /// The body, from the whole content of the file; nil if that is shorter than a range.
    public func body(from content: [UInt8]) -> [UInt8]? {
        if self == [.file(0..<UInt64(content.count))] { return content }
        var body: [UInt8] = []
        for part in self {
            switch part {
            case .bytes(let bytes): body += bytes
            case .file(let range):
                guard let start = Int(exactly: range.lowerBound),
                    let end = Int(exactly: range.upperBound), end <= content.count
                else { return nil }
                body += content[start..<end]
            }
        }
        return body
    }

    /// The length of the body.
    public var byteCount: UInt64 {
        reduce(0) { sum, part in
            switch part {
            case .bytes(let bytes): sum &+ UInt64(bytes.count)
            case .file(let range): sum &+ (range.upperBound &- range.lowerBound)
            }
        }
    }
}
