/// What comes over a WebSocket.
public enum WebSocketEvent: Equatable, Sendable {
    /// A whole text, of valid UTF-8.
    case text([UInt8])
    case binary([UInt8])
    /// To be answered by a pong with the same bytes.
    case ping([UInt8])
    case pong([UInt8])
    /// The peer closes. To be answered by a close, if none was sent before; nothing follows.
    case close(WebSocketCloseCode?, reason: [UInt8])
}

/// A status code of a close frame (RFC 6455, section 7.4).
public struct WebSocketCloseCode: Hashable, Sendable {
    public let code: UInt16

    /// Codes that may be in a frame: 1000 to 1003, 1007 to 1014 and 3000 to 4999; nil for others.
    public init?(_ code: UInt16) {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: self.code = code
        default: return nil
        }
    }

    private init(known code: UInt16) { self.code = code }

    public static let normal = WebSocketCloseCode(known: 1000)
    public static let goingAway = WebSocketCloseCode(known: 1001)
    public static let protocolError = WebSocketCloseCode(known: 1002)
    public static let unsupportedData = WebSocketCloseCode(known: 1003)
    public static let invalidData = WebSocketCloseCode(known: 1007)
    public static let policyViolation = WebSocketCloseCode(known: 1008)
    public static let tooLarge = WebSocketCloseCode(known: 1009)
    public static let internalError = WebSocketCloseCode(known: 1011)
}

/// Why a WebSocket has to be closed.
public enum WebSocketFault: Error, Equatable, Sendable {
    /// Reserved bits or an opcode without meaning.
    case reserved
    /// A client's frame is not masked, or a server's frame is.
    case masking
    /// A control frame is fragmented or longer than 125 bytes.
    case control
    /// A continuation without a beginning, or a beginning within a message.
    case fragmentation
    /// A length is not in its shortest form, or has 64 bits.
    case length
    case tooLarge
    case invalidUTF8
    /// The code or the length of a close frame.
    case close
    /// Frames after a close frame.
    case closed
    /// The connection ended without a close frame.
    case truncated

    /// The code to close with.
    public var code: WebSocketCloseCode {
        switch self {
        case .tooLarge: .tooLarge
        case .invalidUTF8: .invalidData
        default: .protocolError
        }
    }
}

/// Reads the frames of a peer from pieces of bytes and puts messages together (RFC 6455, section
/// 5).
///
/// Extensions are not negotiated, so reserved bits are faults. Texts are checked as they come;
/// memory is that of the message so far, at most `limit` bytes.
public struct WebSocketParser: Sendable {
    public enum Role: Sendable {
        /// Reads what clients send: masked frames.
        case server
        case client
    }

    private enum State: Sendable {
        case header
        case payload
        case closed
        case failed(WebSocketFault)
    }

    public let role: Role
    /// The most bytes of a message.
    public let limit: Int
    private var state = State.header
    /// The bytes of the header that is being read, at most 14.
    private var header: [UInt8] = []
    private var headerLength = 2

    private var isFinal = false
    private var opcode: UInt8 = 0
    private var rest: UInt64 = 0
    private var mask: UInt32 = 0
    private var isMasked = false

    /// The message so far, and its opcode: 0 if there is none.
    private var message: [UInt8] = []
    private var messageOpcode: UInt8 = 0
    private var checker = UTF8Checker()
    private var control: [UInt8] = []

    public init(role: Role, limit: Int = 1 << 20) {
        self.role = role
        self.limit = max(limit, 0)
    }

    /// The next message or control frame; nil if all of the input was taken.
    public mutating func next(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(WebSocketFault) -> WebSocketEvent?
    {
        do throws(WebSocketFault) {
            return try advance(input, at: &position)
        } catch {
            state = .failed(error)
            message = []
            throw error
        }
    }

    /// Says that the connection ended.
    public func finish() throws(WebSocketFault) {
        switch state {
        case .closed: return
        case .failed(let fault): throw fault
        default: throw .truncated
        }
    }

    private mutating func advance(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(WebSocketFault) -> WebSocketEvent?
    {
        position = min(max(position, 0), input.count)
        while true {
            switch state {
            case .failed(let fault): throw fault
            case .closed:
                if position < input.count { throw .closed }
                return nil
            case .header:
                while header.count < headerLength {
                    guard position < input.count else { return nil }
                    header.append(input[position])
                    position &+= 1
                    if header.count == 2 { try readStart() }
                }
                try readLength()
                header.removeAll(keepingCapacity: true)
                headerLength = 2
                state = .payload
            case .payload:
                try readPayload(input, at: &position)
                guard rest == 0 else { return nil }
                state = .header
                if let event = try endFrame() { return event }
            }
        }
    }

    /// The first two bytes: they say how long the header is.
    private mutating func readStart() throws(WebSocketFault) {
        isFinal = header[0] & 0x80 != 0
        opcode = header[0] & 0x0f
        if header[0] & 0x70 != 0 { throw .reserved }
        isMasked = header[1] & 0x80 != 0
        if isMasked != (role == .server) { throw .masking }
        let short = header[1] & 0x7f
        switch opcode {
        case 0:
            if messageOpcode == 0 { throw .fragmentation }
        case 1, 2:
            if messageOpcode != 0 { throw .fragmentation }
        case 8, 9, 10:
            if !isFinal || short > 125 { throw .control }
        default:
            throw .reserved
        }
        headerLength = 2 + (isMasked ? 4 : 0) + (short == 126 ? 2 : short == 127 ? 8 : 0)
    }

    private mutating func readLength() throws(WebSocketFault) {
        let short = header[1] & 0x7f
        let extended = short == 126 ? 2 : short == 127 ? 8 : 0
        var length: UInt64 = extended == 0 ? UInt64(short) : 0
        for byte in header[2..<(2 + extended)] { length = length << 8 | UInt64(byte) }
        if extended == 2, length < 126 { throw .length }
        if extended == 8, length <= 0xffff || length >> 63 != 0 { throw .length }
        mask = 0
        if isMasked {
            // The first byte of the key is the lowest of the number.
            for byte in header.suffix(4).reversed() {
                mask = mask << 8 | UInt32(truncatingIfNeeded: byte)
            }
        }
        if opcode < 8 {
            let available = limit &- message.count
            if length > UInt64(max(available, 0)) { throw .tooLarge }
            if opcode != 0 {
                messageOpcode = opcode
                checker = UTF8Checker()
            }
        } else {
            control.removeAll(keepingCapacity: true)
        }
        rest = length
    }

    /// Takes payload bytes, without their mask.
    private mutating func readPayload(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(WebSocketFault)
    {
        let count = Int(truncatingIfNeeded: min(rest, UInt64(input.count &- position)))
        guard count > 0 else { return }
        if opcode >= 8 {
            Self.append(to: &control, input, position..<(position &+ count), &mask)
        } else {
            let start = message.count
            Self.append(to: &message, input, position..<(position &+ count), &mask)
            if messageOpcode == 1 {
                var checker = self.checker
                guard Self.check(message.span, from: start, &checker) else { throw .invalidUTF8 }
                self.checker = checker
            }
        }
        position &+= count
        rest &-= UInt64(count)
    }

    private static func check(
        _ bytes: borrowing Span<UInt8>, from start: Int, _ checker: inout UTF8Checker
    ) -> Bool {
        for index in start..<bytes.count where !checker.take(bytes[index]) { return false }
        return true
    }

    private static func append(
        to output: inout [UInt8], _ input: borrowing Span<UInt8>, _ range: Range<Int>,
        _ mask: inout UInt32
    ) {
        let start = output.count
        output.append(span: input, range)
        if mask == 0 { return }
        WebSocketMask.apply(&mask, to: &output, from: start)
    }

    private mutating func endFrame() throws(WebSocketFault) -> WebSocketEvent? {
        switch opcode {
        case 8: return try close()
        case 9: return .ping(control)
        case 10: return .pong(control)
        default: break
        }
        guard isFinal else { return nil }
        let isText = messageOpcode == 1
        if isText, !checker.isComplete { throw .invalidUTF8 }
        messageOpcode = 0
        var taken: [UInt8] = []
        swap(&taken, &message)
        return isText ? .text(taken) : .binary(taken)
    }

    private mutating func close() throws(WebSocketFault) -> WebSocketEvent {
        state = .closed
        if control.isEmpty { return .close(nil, reason: []) }
        guard control.count >= 2,
            let code = WebSocketCloseCode(
                UInt16(truncatingIfNeeded: control[0]) << 8
                    | UInt16(truncatingIfNeeded: control[1]))
        else { throw .close }
        var checker = UTF8Checker()
        for byte in control[2...] where !checker.take(byte) { throw .invalidUTF8 }
        if !checker.isComplete { throw .invalidUTF8 }
        return .close(code, reason: Array(control[2...]))
    }
}

/// The masking of clients' frames (RFC 6455 5.3).
enum WebSocketMask {
    /// Masks or unmasks bytes from an index on.
    ///
    /// - Parameter mask: the key with its next byte lowest; turned, so that it fits what follows.
    static func apply(_ mask: inout UInt32, to bytes: inout [UInt8], from start: Int) {
        let keys = (
            UInt8(truncatingIfNeeded: mask), UInt8(truncatingIfNeeded: mask >> 8),
            UInt8(truncatingIfNeeded: mask >> 16), UInt8(truncatingIfNeeded: mask >> 24)
        )
        let count = bytes.count
        var span = bytes.mutableSpan
        var index = start
        while count &- index >= 4 {
            span[index] ^= keys.0
            span[index &+ 1] ^= keys.1
            span[index &+ 2] ^= keys.2
            span[index &+ 3] ^= keys.3
            index &+= 4
        }
        while index < count {
            span[index] ^= UInt8(truncatingIfNeeded: mask)
            mask = mask >> 8 | mask << 24
            index &+= 1
        }
    }
}
