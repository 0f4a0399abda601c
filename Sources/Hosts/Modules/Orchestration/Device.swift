import WasmdDocuments
import WasmdWasmiot

/// A device with a supervisor, as the orchestrator knows it.
struct Device: Sendable {
    enum Status: String, Sendable { case active, inactive }

    let id: ObjectID
    var name: String
    var addresses: [String]
    var port: UInt16
    /// What the device says about itself; nil until it was asked.
    var description: Document? {
        didSet { descriptionSize = description?.heapSize ?? 0 }
    }
    /// About the bytes of the description in memory.
    private(set) var descriptionSize = 0
    var status = Status.active
    /// The newest change first.
    var statusLog: [Document] = []
    var isBlacklisted: Bool?
    // Not stored: what the last checks found.
    var health: Document?
    var failedChecks = 0
    var passedChecks = 0

    /// The name of the orchestrator among its devices.
    static let orchestrator = "orchestrator"
    private static let logLimit = 100

    var isOrchestrator: Bool { name == Self.orchestrator }

    init(id: ObjectID, name: String, addresses: [String], port: UInt16) {
        self.id = id
        self.name = name
        self.addresses = addresses
        self.port = port
    }

    /// Reads what `stored` is.
    init?(_ id: ObjectID, _ document: Document) {
        guard let name = document["name"]?.stringValue else { return nil }
        self.id = id
        self.name = name
        let communication = document["communication"]
        addresses = communication?["addresses"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let number =
            communication?["port"]?.integerValue
            ?? communication?["port"]?.stringValue.flatMap { Int64($0, radix: 10) }
        port = number.flatMap { UInt16(exactly: $0) } ?? 5000
        description = document["description"]
        descriptionSize = description?.heapSize ?? 0
        status = document["status"]?.stringValue.flatMap { Status(rawValue: $0) } ?? .active
        statusLog = document["statusLog"]?.arrayValue ?? []
        if case .boolean(let value)? = document["blacklisted"] { isBlacklisted = value }
    }

    /// As clients get it. The orchestrator's own port is a string, as they know it.
    var json: Document {
        let port: Document =
            isOrchestrator ? .string(String(port)) : .integer(Int64(port))
        var members: [Document.Member] = [
            .init("name", .string(name)),
            .init(
                "communication",
                .object([
                    .init("addresses", .array(addresses.map { .string($0) })),
                    .init("port", port),
                ])),
            .init("description", description ?? .object([])),
            .init("status", .string(status.rawValue)),
            .init("failedHealthCheckCount", .integer(Int64(failedChecks))),
            .init("okHealthCheckCount", .integer(Int64(passedChecks))),
            .init("statusLog", .array(statusLog)), .init("_id", .string(id.description)),
        ]
        if let health { members.append(.init("health", health)) }
        if let isBlacklisted { members.append(.init("blacklisted", .boolean(isBlacklisted))) }
        return .object(members)
    }

    /// As it is stored: without what changes with each check.
    var stored: Document {
        var document = json
        for name in ["failedHealthCheckCount", "okHealthCheckCount", "health"] {
            document.set(name, nil)
        }
        return document
    }

    mutating func note(_ status: Status, reason: String? = nil) {
        self.status = status
        var members: [Document.Member] = [
            .init("status", .string(status.rawValue)), .init("time", Clock.text),
        ]
        if let reason { members.append(.init("reason", .string(reason))) }
        statusLog.insert(.object(members), at: 0)
        if statusLog.count > Self.logLimit { statusLog.removeLast() }
    }

    /// Names of functions that its supervisor gives to modules.
    var interfaces: [String] {
        description?["supervisorInterfaces"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    /// Whether its supervisor says what types its functions have, and so knows extensions.
    var isExtended: Bool { description?[OfferedFunctions.member] != nil }

    /// `http://ADDRESS:PORT` of an address; IPv6 in brackets.
    func url(_ address: String) -> String {
        address.utf8.contains(UInt8(ascii: ":")) && address.utf8.first != UInt8(ascii: "[")
            ? "http://[\(address)]:\(port)" : "http://\(address):\(port)"
    }

    var url: String? { addresses.first.map { url($0) } }
}
