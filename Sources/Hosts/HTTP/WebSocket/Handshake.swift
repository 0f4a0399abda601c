/// The opening handshake of WebSocket (RFC 6455, section 4).
public enum WebSocketHandshake {
    /// Why a request does not open a WebSocket.
    public enum Fault: Error, Equatable, Sendable {
        /// It does not ask for one: an ordinary request.
        case notAsked
        /// The method is not GET, the version of HTTP is 1.0, there is a body, or a field is
        /// missing or malformed: 400.
        case malformed
        /// Another version than 13: 426 with `Sec-WebSocket-Version: 13`.
        case version

        public var status: Status { self == .version ? .upgradeRequired : .badRequest }
    }

    /// The protocols that a client offers, in the order of its preference.
    public static func protocols(_ request: RequestHead) -> [[UInt8]] {
        request.fields.list("sec-websocket-protocol").map { Array($0) }
    }

    /// Checks a request, and makes the fields of `101 Switching Protocols`.
    ///
    /// - Parameter subprotocol: one that the client offered, or nil.
    public static func accept(_ request: RequestHead, subprotocol: [UInt8]? = nil)
        throws(Fault) -> Fields
    {
        guard request.fields.list("upgrade", contains: "websocket") else { throw .notAsked }
        guard request.method == .get, request.version == .http11, request.framing == .none,
            request.fields.list("connection", contains: "upgrade")
        else { throw .malformed }
        let versions = request.fields.all("sec-websocket-version")
        guard versions.count == 1 else { throw .malformed }
        guard versions[0].equals("13") else { throw .version }
        let keys = request.fields.all("sec-websocket-key")
        guard keys.count == 1, Base64.decode(keys[0])?.count == 16 else { throw .malformed }
        var fields = Fields()
        do throws(WritingFault) {
            try fields.append("Upgrade", "websocket")
            try fields.append("Connection", "Upgrade")
            try fields.append("Sec-WebSocket-Accept", acceptance(of: keys[0]))
            if let subprotocol { try fields.append("Sec-WebSocket-Protocol", subprotocol) }
        } catch {
            throw .malformed
        }
        return fields
    }

    /// What proves that the server understood a key.
    static func acceptance(of key: some Collection<UInt8>) -> [UInt8] {
        Base64.encode(
            SHA1.hash(Array(key) + [UInt8]("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
    }

    /// The fields of a client's request, beside `Host`.
    ///
    /// - Parameter nonce: 16 random bytes.
    public static func request(nonce: [UInt8], protocols: [[UInt8]] = []) throws(WritingFault)
        -> Fields
    {
        var fields = Fields()
        try fields.append("Upgrade", "websocket")
        try fields.append("Connection", "Upgrade")
        try fields.append("Sec-WebSocket-Key", Base64.encode(nonce))
        try fields.append("Sec-WebSocket-Version", "13")
        if !protocols.isEmpty {
            try fields.append(
                "Sec-WebSocket-Protocol", Array(protocols.joined(separator: [UInt8](", "))))
        }
        return fields
    }

    /// Whether a response opens the WebSocket that a request with a nonce asked for.
    public static func isAccepted(_ response: ResponseHead, nonce: [UInt8]) -> Bool {
        guard response.status == .switchingProtocols,
            response.fields.list("upgrade", contains: "websocket"),
            response.fields.list("connection", contains: "upgrade"),
            let value = response.fields.first("sec-websocket-accept"),
            !response.fields.contains("sec-websocket-extensions")
        else { return false }
        return value.elementsEqual(acceptance(of: Base64.encode(nonce)))
    }
}
