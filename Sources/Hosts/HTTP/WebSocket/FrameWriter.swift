/// Writes frames of a WebSocket (RFC 6455, section 5.2).
public enum WebSocketWriter {
    /// Appends a message as one frame.
    ///
    /// - Parameters:
    ///   - isText: the bytes are UTF-8; the caller sees to that.
    ///   - mask: the key of 32 random bits of a client's frame; nil on a server.
    public static func message(
        _ payload: borrowing Span<UInt8>, isText: Bool, mask: UInt32? = nil,
        to output: inout [UInt8]
    ) {
        frame(payload, opcode: isText ? 1 : 2, isFinal: true, mask: mask, to: &output)
    }

    /// Appends a part of a message whose end is not known yet.
    ///
    /// - Parameters:
    ///   - isFirst: the part that says what the message is.
    ///   - isFinal: the last part, which may be empty.
    public static func fragment(
        _ payload: borrowing Span<UInt8>, isText: Bool, isFirst: Bool, isFinal: Bool,
        mask: UInt32? = nil, to output: inout [UInt8]
    ) {
        let opcode: UInt8 = isFirst ? (isText ? 1 : 2) : 0
        frame(payload, opcode: opcode, isFinal: isFinal, mask: mask, to: &output)
    }

    /// Appends a ping; of its bytes at most 125 are sent.
    public static func ping(_ payload: [UInt8], mask: UInt32? = nil, to output: inout [UInt8]) {
        control(payload, opcode: 9, mask: mask, to: &output)
    }

    /// Appends the answer to a ping; of its bytes at most 125 are sent.
    public static func pong(_ payload: [UInt8], mask: UInt32? = nil, to output: inout [UInt8]) {
        control(payload, opcode: 10, mask: mask, to: &output)
    }

    /// Appends a close frame.
    ///
    /// - Parameter reason: a text; cut to 123 bytes at the start of a character.
    public static func close(
        _ code: WebSocketCloseCode?, reason: String = "", mask: UInt32? = nil,
        to output: inout [UInt8]
    ) {
        guard let code else { return control([], opcode: 8, mask: mask, to: &output) }
        var payload = [
            UInt8(truncatingIfNeeded: code.code >> 8), UInt8(truncatingIfNeeded: code.code),
        ]
        var text = Array(reason.utf8)
        if text.count > 123 {
            var end = 123
            while end > 0, text[end] & 0xc0 == 0x80 { end -= 1 }
            text.removeSubrange(end...)
        }
        payload.append(contentsOf: text)
        control(payload, opcode: 8, mask: mask, to: &output)
    }

    private static func control(
        _ payload: [UInt8], opcode: UInt8, mask: UInt32?, to output: inout [UInt8]
    ) {
        let cut = payload.count > 125 ? Array(payload[..<125]) : payload
        frame(cut.span, opcode: opcode, isFinal: true, mask: mask, to: &output)
    }

    private static func frame(
        _ payload: borrowing Span<UInt8>, opcode: UInt8, isFinal: Bool, mask: UInt32?,
        to output: inout [UInt8]
    ) {
        let count = payload.count
        output.append(opcode | (isFinal ? 0x80 : 0))
        let masked: UInt8 = mask == nil ? 0 : 0x80
        if count < 126 {
            output.append(UInt8(truncatingIfNeeded: count) | masked)
        } else if count <= 0xffff {
            output.append(126 | masked)
            output.append(UInt8(truncatingIfNeeded: count >> 8))
            output.append(UInt8(truncatingIfNeeded: count))
        } else {
            output.append(127 | masked)
            for shift in [56, 48, 40, 32, 24, 16, 8, 0] {
                output.append(UInt8(truncatingIfNeeded: count >> shift))
            }
        }
        guard var mask else { return output.append(span: payload, 0..<count) }
        for shift: UInt32 in [0, 8, 16, 24] {
            output.append(UInt8(truncatingIfNeeded: mask >> shift))
        }
        let start = output.count
        output.append(span: payload, 0..<count)
        WebSocketMask.apply(&mask, to: &output, from: start)
    }
}
