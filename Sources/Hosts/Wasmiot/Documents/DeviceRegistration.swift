import WasmdDocuments

/// How a supervisor tells an orchestrator that it is there; also what DNS-SD says about one.
public struct DeviceRegistration: Sendable, Equatable {
    public static let serviceType = "_webthing._tcp.local."

    public var name: String
    public var host: String?
    public var port: UInt16
    public var addresses: [String]
    public var scheme: String
    /// `path`, `tls` and `address`.
    public var properties: Document

    public init(
        name: String, host: String?, port: UInt16, addresses: [String], scheme: String = "http",
        properties: Document = .object([])
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.addresses = addresses
        self.scheme = scheme
        self.properties = properties
    }

    public var document: Document {
        var members: [Document.Member] = [
            .init("name", .string(name)), .init("type", .string(Self.serviceType)),
            .init("port", .integer(Int64(port))), .init("properties", properties),
            .init("addresses", .array(addresses.map { .string($0) })),
        ]
        if let host { members.append(.init("host", .string(host))) }
        return .object(members)
    }

    /// Reads a registration; the port is 5000 if it is missing, and may be a string.
    public init(_ document: Document) throws(DocumentFault) {
        let root = Reading(document)
        _ = try root.members()
        let place = try root.member("name")
        name = try place.string()
        guard !name.isEmpty else { throw place.fault("a name that is not empty") }
        host = try root.optional("host")?.string()
        port = 5000
        if let given = root.optional("port") {
            let number =
                given.document.integerValue
                ?? given.document.stringValue.flatMap { Int64($0, radix: 10) }
            let port = number.flatMap { UInt16(exactly: $0) }
            guard let port, port > 0 else { throw given.fault("a port") }
            self.port = port
        }
        addresses = []
        if let list = root.optional("addresses") {
            for element in try list.elements() { addresses.append(try element.string()) }
        }
        scheme = root.document["protocol"]?.stringValue == "https" ? "https" : "http"
        properties = root.optional("properties")?.document ?? .object([])
    }
}
