// A kit for guests of `wasmd othismo` in Embedded Swift, for the third generation of the interface.
//
//     var count: Int64 = 0
//
//     func receive(_ message: Message) {
//         guard let add = message["counter.add"]?.document else { return }
//         count += add["by"]?.integer ?? 1
//         message.reply { reply in
//             reply.document("counter.value") { $0.integer("value", count) }
//         }
//     }
//
// `Examples/othismo/build` says how it is compiled. A guest defines `receive`; its variables keep
// their values between messages and restarts.

// MARK: - Reading

/// A value of BSON.
enum Value {
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    case text(ArraySlice<UInt8>)
    case binary(ArraySlice<UInt8>)
    case document(Document)
    case other

    var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
    var document: Document? { if case .document(let value) = self { value } else { nil } }
    /// The bytes of a text or of binary.
    var bytes: ArraySlice<UInt8>? {
        switch self {
        case .text(let bytes), .binary(let bytes): bytes
        default: nil
        }
    }

    /// Whether this is a certain text.
    func isText(_ text: StaticString) -> Bool {
        guard case .text(let bytes) = self else { return false }
        return bytes.isEqual(text)
    }
}

extension ArraySlice<UInt8> {
    func isEqual(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { buffer in
            guard buffer.count == count else { return false }
            for index in 0..<buffer.count where buffer[index] != self[startIndex + index] {
                return false
            }
            return true
        }
    }

    fileprivate func word(_ offset: Int, bytes: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<bytes { value |= UInt64(self[startIndex + offset + index]) << (8 * index) }
        return value
    }
}

/// A document: members with names.
struct Document {
    let bytes: ArraySlice<UInt8>

    /// A member with its type and its bytes as they are.
    struct Member {
        let type: UInt8
        let name: ArraySlice<UInt8>
        let raw: ArraySlice<UInt8>

        var value: Value {
            switch type {
            case 1: .double(Double(bitPattern: raw.word(0, bytes: 8)))
            case 2: .text(raw.dropFirst(4).dropLast())
            case 3, 4: .document(Document(bytes: raw))
            case 5: .binary(raw.dropFirst(5))
            case 8: .boolean(raw.first == 1)
            case 16: .integer(Int64(Int32(truncatingIfNeeded: raw.word(0, bytes: 4))))
            case 18: .integer(Int64(bitPattern: raw.word(0, bytes: 8)))
            default: .other
            }
        }
    }

    /// Members in order. The host sends whole documents only.
    func forEach(_ body: (Member) -> Bool) {
        var position = bytes.startIndex + 4
        while position < bytes.endIndex, bytes[position] != 0 {
            let type = bytes[position]
            guard let zero = bytes[(position + 1)...].firstIndex(of: 0) else { return }
            let start = zero + 1
            let size: Int
            switch type {
            case 1, 9, 17, 18: size = 8
            case 2, 13, 14: size = 4 + Int(bytes[start...].word(0, bytes: 4))
            case 3, 4, 15: size = Int(bytes[start...].word(0, bytes: 4))
            case 5: size = 5 + Int(bytes[start...].word(0, bytes: 4))
            case 7: size = 12
            case 8: size = 1
            case 16: size = 4
            case 19: size = 16
            default: size = 0
            }
            let member = Member(
                type: type, name: bytes[(position + 1)..<zero], raw: bytes[start..<(start + size)])
            if !body(member) { return }
            position = start + size
        }
    }

    func member(_ name: StaticString) -> Member? {
        var found: Member?
        forEach { member in
            if member.name.isEqual(name) { found = member }
            return found == nil
        }
        return found
    }

    subscript(name: StaticString) -> Value? { member(name)?.value }
}

// MARK: - Writing

struct Writer {
    private(set) var bytes: [UInt8] = [0, 0, 0, 0]

    private mutating func name(_ type: UInt8, _ name: StaticString) {
        bytes.append(type)
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(0)
    }

    private mutating func word(_ value: UInt64, bytes count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }

    mutating func integer(_ name: StaticString, _ value: Int64) {
        self.name(18, name)
        word(UInt64(bitPattern: value), bytes: 8)
    }

    mutating func boolean(_ name: StaticString, _ value: Bool) {
        self.name(8, name)
        bytes.append(value ? 1 : 0)
    }

    mutating func text(_ name: StaticString, _ value: StaticString) {
        value.withUTF8Buffer { text(name, Array($0)[...]) }
    }

    mutating func text(_ name: StaticString, _ value: ArraySlice<UInt8>) {
        self.name(2, name)
        word(UInt64(value.count + 1), bytes: 4)
        bytes.append(contentsOf: value)
        bytes.append(0)
    }

    mutating func binary(_ name: StaticString, _ value: [UInt8]) {
        self.name(5, name)
        word(UInt64(value.count), bytes: 4)
        bytes.append(0)
        bytes.append(contentsOf: value)
    }

    mutating func document(_ name: StaticString, _ body: (inout Writer) -> Void) {
        self.name(3, name)
        var inner = Writer()
        body(&inner)
        bytes.append(contentsOf: inner.finished())
    }

    /// A member of another document, with another name.
    mutating func copy(_ name: StaticString, _ member: Document.Member) {
        self.name(member.type, name)
        bytes.append(contentsOf: member.raw)
    }

    func finished() -> [UInt8] {
        var whole = bytes
        whole.append(0)
        let count = whole.count
        for index in 0..<4 { whole[index] = UInt8(truncatingIfNeeded: count >> (8 * index)) }
        return whole
    }
}

// MARK: - Messages

/// Where an answer goes.
struct Asker {
    fileprivate let path: Document.Member?
    fileprivate let request: Document.Member?

    func reply(_ body: (inout Writer) -> Void) {
        guard let path else { return }
        var writer = Writer()
        writer.document("othismo") { routing in
            routing.copy("send_to", path)
            if let request { routing.copy("response_id", request) }
        }
        body(&writer)
        _ = othismoSend(writer.finished())
    }

    /// Answers a request of HTTP.
    func respond(_ status: Int64, type: StaticString, _ body: [UInt8]) {
        reply { reply in
            reply.document("othismo.http.request.response") { response in
                response.integer("status", status)
                response.document("headers") { $0.text("content-type", type) }
                response.binary("body", body)
            }
        }
    }

    /// Answers a request of HTTP with another place.
    func redirect(to location: StaticString) {
        reply { reply in
            reply.document("othismo.http.request.response") { response in
                response.integer("status", 303)
                response.document("headers") { $0.text("location", location) }
            }
        }
    }
}

struct Message {
    let document: Document
    /// The handle of the request that this answers; 0 for a message that answers none.
    let answered: UInt32

    subscript(name: StaticString) -> Value? { document[name] }

    var asker: Asker {
        let routing = document["othismo"]?.document
        return Asker(path: routing?.member("reply_to"), request: routing?.member("request_id"))
    }

    func reply(_ body: (inout Writer) -> Void) { asker.reply(body) }

    /// The request of HTTP that this is.
    var http: Request? { self["othismo.http.request"]?.document.map { Request(fields: $0) } }
}

struct Request {
    let fields: Document

    func isMethod(_ method: StaticString, _ endpoint: StaticString) -> Bool {
        fields["method"]?.isText(method) == true && fields["endpoint"]?.isText(endpoint) == true
    }

    var body: ArraySlice<UInt8> { fields["body"]?.bytes ?? [] }
}

/// Sends a message to an object; returns its handle, which the answer has as `answered`.
func send(_ path: StaticString, _ body: (inout Writer) -> Void) -> UInt32 {
    var writer = Writer()
    writer.document("othismo") { $0.text("send_to", path) }
    body(&writer)
    return othismoSend(writer.finished())
}

// MARK: - The interface

@_extern(wasm, module: "othismo", name: "_send_message")
@_extern(c)
func othismoSendMessage(_ bytes: UnsafeRawPointer, _ count: Int32) -> UInt32

private func othismoSend(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { buffer in
        guard let start = buffer.baseAddress else { return 0 }
        return othismoSendMessage(start, Int32(buffer.count))
    }
}

nonisolated(unsafe) private var inbox: UnsafeMutableRawPointer?
nonisolated(unsafe) private var inboxCount = 0
nonisolated(unsafe) private var inboxRequest: UInt32 = 0

@_expose(wasm, "_allocate_message")
@_cdecl("_allocate_message")
func allocateMessage(_ handle: UInt32, _ count: Int32, _ request: UInt32)
    -> UnsafeMutableRawPointer?
{
    inbox = UnsafeMutableRawPointer.allocate(byteCount: Int(count), alignment: 8)
    inboxCount = Int(count)
    inboxRequest = request
    return inbox
}

@_expose(wasm, "_run")
@_cdecl("_run")
func run() {
    guard let start = inbox else { return }
    inbox = nil
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: inboxCount))
    start.deallocate()
    receive(Message(document: Document(bytes: bytes[...]), answered: inboxRequest))
}
