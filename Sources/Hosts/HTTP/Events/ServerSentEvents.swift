/// One event of `text/event-stream` (HTML standard, 9.2).
public struct ServerSentEvent: Equatable, Sendable {
    /// `message` if the stream says nothing.
    public var type: [UInt8]
    /// Lines end with LF.
    public var data: [UInt8]
    /// The last event id when this event came; nil if there was none.
    public var id: [UInt8]?

    public init(type: [UInt8] = [], data: [UInt8], id: [UInt8]? = nil) {
        self.type = type.isEmpty ? [UInt8]("message") : type
        self.data = data
        self.id = id
    }
}

/// Writes an event stream.
public enum ServerSentEventWriter {
    /// Appends an event.
    ///
    /// - Throws: `.fieldValue` if type or id hold a line end, or the id NUL: such a line would be
    ///   read as another one. Line ends in the data make several data lines.
    public static func write(_ event: ServerSentEvent, to output: inout [UInt8])
        throws(WritingFault)
    {
        let isLine = { (bytes: [UInt8]) in
            !bytes.contains { $0 == ASCII.lineFeed || $0 == ASCII.carriageReturn }
        }
        guard isLine(event.type) else { throw .fieldValue }
        if let id = event.id {
            guard isLine(id), !id.contains(0) else { throw .fieldValue }
            output.append(text: "id: ")
            output.append(contentsOf: id)
            output.append(ASCII.lineFeed)
        }
        if !event.type.isEmpty, !event.type.equals("message") {
            output.append(text: "event: ")
            output.append(contentsOf: event.type)
            output.append(ASCII.lineFeed)
        }
        output.append(text: "data: ")
        var previous: UInt8 = 0
        for byte in event.data {
            let isSecondOfPair = byte == ASCII.lineFeed && previous == ASCII.carriageReturn
            if byte == ASCII.carriageReturn || (byte == ASCII.lineFeed && !isSecondOfPair) {
                output.append(text: "\ndata: ")
            } else if !isSecondOfPair {
                output.append(byte)
            }
            previous = byte
        }
        output.append(text: "\n\n")
    }

    /// Appends a comment, which keeps proxies from closing a silent stream. Bytes that end lines
    /// become spaces.
    public static func comment(_ text: some Collection<UInt8>, to output: inout [UInt8]) {
        output.append(text: ": ")
        for byte in text {
            let isEnd = byte == ASCII.lineFeed || byte == ASCII.carriageReturn
            output.append(isEnd ? ASCII.space : byte)
        }
        output.append(text: "\n\n")
    }

    /// Appends the time after which a client connects again.
    public static func retry(milliseconds: UInt64, to output: inout [UInt8]) {
        output.append(text: "retry: ")
        output.append(decimal: milliseconds)
        output.append(text: "\n\n")
    }
}

/// Reads an event stream from pieces of bytes.
public struct ServerSentEventParser: Sendable {
    public enum Fault: Error, Equatable, Sendable {
        /// An event, or a line of one, has more bytes than the limit.
        case tooLarge
    }

    /// The most bytes of an event's data, and of a line.
    public let limit: Int
    /// What `retry` said last, in milliseconds.
    public private(set) var retry: UInt64?
    /// The id to send as `Last-Event-ID` after the connection was lost.
    public private(set) var lastID: [UInt8]?

    private var line: [UInt8] = []
    private var isAfterCarriageReturn = false
    private var isAtStart = true
    private var type: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false

    public init(limit: Int = 1 << 20) { self.limit = limit }

    /// The next event; nil if all of the input was taken.
    public mutating func next(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(Fault) -> ServerSentEvent?
    {
        while position >= 0, position < input.count {
            let byte = input[position]
            position &+= 1
            let isSecondOfPair = byte == ASCII.lineFeed && isAfterCarriageReturn
            isAfterCarriageReturn = byte == ASCII.carriageReturn
            if isSecondOfPair { continue }
            if byte != ASCII.lineFeed, byte != ASCII.carriageReturn {
                if line.count >= limit { throw .tooLarge }
                line.append(byte)
                continue
            }
            if isAtStart {
                isAtStart = false
                if line.starts(with: [0xef, 0xbb, 0xbf]) { line.removeFirst(3) }
            }
            let event = try endLine()
            line.removeAll(keepingCapacity: true)
            if let event { return event }
        }
        return nil
    }

    private mutating func endLine() throws(Fault) -> ServerSentEvent? {
        if line.isEmpty {
            defer {
                type = []
                data = []
                hasData = false
            }
            guard hasData else { return nil }
            return ServerSentEvent(type: type, data: Array(data.dropLast()), id: lastID)
        }
        let colon = line.firstIndex(of: ASCII.colon) ?? line.endIndex
        let name = line[..<colon]
        var value = line[colon...].dropFirst()
        if value.first == ASCII.space { value = value.dropFirst() }
        if name.equals("data") {
            if data.count &+ value.count >= limit { throw .tooLarge }
            data.append(contentsOf: value)
            data.append(ASCII.lineFeed)
            hasData = true
        } else if name.equals("event") {
            type = Array(value)
        } else if name.equals("id") {
            if !value.contains(0) { lastID = Array(value) }
        } else if name.equals("retry"), let number = decimal(value) {
            retry = number
        }
        return nil
    }
}
