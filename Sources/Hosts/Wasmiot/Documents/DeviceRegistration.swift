import WasmdDocuments

/// How a supervisor tells an orchestrator that it is there; also what DNS-SD says about one.
public struct DeviceRegistration: Sendable, Equatable {
    public static let serviceType = "_webthing._tcp.local."
    /// Bytes of a name, and of an address.
    public static let textLimit = 255
    /// Addresses of one device.
    public static let addressLimit = 64

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
        guard name.utf8.count <= Self.textLimit else {
            throw place.fault("a name of at most \(Self.textLimit) bytes")
        }
        host = nil
        if let given = root.optional("host") { host = try Self.address(given) }
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
            let elements = try list.elements()
            guard elements.count <= Self.addressLimit else {
                throw list.fault("at most \(Self.addressLimit) addresses")
            }
            for element in elements { addresses.append(try Self.address(element)) }
        }
        scheme = root.document["protocol"]?.stringValue == "https" ? "https" : "http"
        properties = root.optional("properties")?.document ?? .object([])
    }

    private static func address(_ reading: Reading) throws(DocumentFault) -> String {
        let text = try reading.string()
        guard text.utf8.count <= textLimit else {
            throw reading.fault("an address of at most \(textLimit) bytes")
        }
        return text
    }
}
