import Synchronization
import WasmSystem
import WasmdGuests
import WasmdHTTP

/// Writes a line for each request.
///
///     {"time":"…","level":"info","message":"request","method":"POST","path":"/wasm/7d44…",
///      "status":200,"seconds":0.000412,"bytes":196,"surface":"executor","route":"/wasm/{id}",
///      "peer":"127.0.0.1","request":"8f0c…","run":"0193…"}
///
/// With `isAuditing`, requests that change something and those that were refused for want of rights
/// have a line with the message `audit`, whatever the log's level is, also if others have none.
///
/// The query of a request is not written: it may hold secrets, and tokens never are. Bytes of
/// clients are made harmless, and cut.
public final class AccessLog: ServingObserver {
    private let log: Log
    private let isOn: Atomic<Bool>
    private let audits: Atomic<Bool>

    /// Bytes of a path that are written.
    private static let longestPath = 512

    public init(_ log: Log, isOn: Bool = true, isAuditing: Bool = false) {
        self.log = log
        self.isOn = Atomic(isOn)
        audits = Atomic(isAuditing)
    }

    /// Whether lines are written; a reload may change it.
    public var isWriting: Bool {
        get { isOn.load(ordering: .relaxed) }
        set { isOn.store(newValue, ordering: .relaxed) }
    }

    /// Whether changes and refusals have lines; a reload may change it.
    public var isAuditing: Bool {
        get { audits.load(ordering: .relaxed) }
        set { audits.store(newValue, ordering: .relaxed) }
    }

    /// Whether a request is one that an audit asks for: who changed what, and who was not allowed to.
    private static func isAudited(_ request: borrowing ServedRequest) -> Bool {
        if request.status == 401 || request.status == 403 { return true }
        guard let scope = request.purpose.scope, !scope.isDisjoint(with: [.write, .admin]) else {
            return false
        }
        return request.head.method != .get && request.head.method != .head
    }

    public func began(_ purpose: Purpose) {}

    public func ended(_ request: borrowing ServedRequest) {
        let isAudit = isAuditing && Self.isAudited(request)
        guard isAudit || (isWriting && log.writes(.information)) else { return }
        let isJSON = log.form == .json
        var line = isJSON ? AccessLine(json: ()) : AccessLine(text: ())
        line.begin(
            Timestamp(nanoseconds: request.start &+ request.duration),
            isAudit ? "audit" : "request")
        line.add("method", text: request.head.method.name)
        line.add("path", bytes: request.head.target.path.prefix(Self.longestPath))
        line.add("status", number: UInt64(request.status))
        line.add("seconds", nanoseconds: request.duration)
        line.add("bytes", number: request.byteCount)
        line.add("surface", text: "\(request.purpose.surface)")
        line.add("route", text: request.purpose.route)
        let requester = request.requester
        if let address = requester.address {
            line.add("peer", text: String(decoding: address.bytes, as: UTF8.self))
        }
        if let token = requester.account.token { line.add("token", text: token) }
        if let tenant = requester.tenant { line.add("tenant", text: tenant.name) }
        line.add("request", text: requester.request.description)
        if let run = request.run { line.add("run", text: run.description) }
        if let trace = requester.context { line.add("trace", text: trace.trace) }
        if let error = request.error {
            line.add("error", bytes: "\(error)".utf8.prefix(Self.longestPath))
        }
        line.end()
        log.output.write(line.bytes)
    }
}

/// A line that is being made, in either form.
struct AccessLine {
    private(set) var bytes: [UInt8] = []
    private let isJSON: Bool

    init(json: Void) { isJSON = true }
    init(text: Void) { isJSON = false }

    mutating func begin(_ time: Timestamp, _ message: StaticString) {
        bytes.reserveCapacity(384)
        append(
            isJSON
                ? "{\"time\":\"\(time)\",\"level\":\"info\",\"message\":\"\(message)\""
                : "\(time) INFO \(message)")
    }

    mutating func end() {
        if isJSON { bytes.append(UInt8(ascii: "}")) }
        bytes.append(0x0a)
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func name(_ name: StaticString) {
        append(isJSON ? ",\"\(name)\":" : " \(name)=")
    }

    mutating func add(_ name: StaticString, number: UInt64) {
        self.name(name)
        append(String(number))
    }

    /// As seconds with six digits.
    mutating func add(_ name: StaticString, nanoseconds: UInt64) {
        self.name(name)
        let rest = String(nanoseconds / 1000 % 1_000_000)
        append("\(nanoseconds / 1_000_000_000).")
        append(String(repeating: "0", count: 6 - rest.utf8.count) + rest)
    }

    mutating func add(_ name: StaticString, text: String) { add(name, bytes: text.utf8) }

    /// Bytes that anybody may have chosen.
    mutating func add(_ name: StaticString, bytes value: some Sequence<UInt8>) {
        self.name(name)
        let value = Array(value)
        if isPlain(value) {
            if isJSON { bytes.append(UInt8(ascii: "\"")) }
            bytes.append(contentsOf: value)
            if isJSON { bytes.append(UInt8(ascii: "\"")) }
            return
        }
        bytes.append(UInt8(ascii: "\""))
        for byte in HarmlessText.text(value).utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x09: append("\\t")
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Whether a value may be written as it is: ASCII that no reader takes for something else.
    private func isPlain(_ value: [UInt8]) -> Bool {
        !value.isEmpty
            && value.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): false
                case 0x21...0x7e: isJSON || byte != UInt8(ascii: "=")
                case 0x20: isJSON
                default: false
                }
            }
    }
}

/// Tells several observers of requests.
public struct ServingObservers: ServingObserver {
    private let observers: [any ServingObserver]

    public init(_ observers: [any ServingObserver]) { self.observers = observers }

    public func began(_ purpose: Purpose) {
        for observer in observers { observer.began(purpose) }
    }

    public func ended(_ request: borrowing ServedRequest) {
        let request = copy request
        for observer in observers { observer.ended(request) }
    }

    public func span(under parent: TraceParent?) -> TraceParent? {
        for observer in observers {
            if let span = observer.span(under: parent) { return span }
        }
        return nil
    }
}
