import WasmWASI
import WasmdDocuments
import WasmdOperation

/// What `wasmd services` is asked for.
struct ServicesSettings {
    let root: Word
    let gatewayHosts: [String]
    let outbound: OutboundPolicy
    let address: SocketAddress?
    /// Whether the host takes the place of the server module.
    let isNative: Bool
    let sessions: Int
    let restartLimit: Int
    let memory: UInt64?
    let descriptors: Int?
    let loopCount: Int?
    /// Nil for `--no-sandbox`.
    let sandbox: Sandbox?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        root = arguments.word(of: .servicesRoot) ?? "."
        let hosts = arguments.values(of: .gatewayHost)
        if let bad = OutboundPolicy.malformed(allowing: hosts) {
            throw .invalidValue(
                bad, of: Option.gatewayHost.flag, expected: "a URL or a host, as http://HOST:PORT",
                .services)
        }
        gatewayHosts = hosts
        outbound = OutboundPolicy(allowing: hosts) ?? .nothing
        address = try arguments.read(
            .serverAddress, expected: "127.0.0.1:PORT, [::1]:PORT or 0.0.0.0:PORT"
        ) { text in
            switch SocketAddress(text) {
            case .ipv4(let bytes, let port)?: .ipv4(bytes, port: port)
            case .ipv6(let bytes, let port)?: .ipv6(bytes, port: port)
            default: nil
            }
        }
        isNative = arguments.has(.nativeServer)
        sandbox = try arguments.servingSandbox(.services)
        sessions =
            try arguments.read(.maxSessions, expected: "a number from 1 to 10000") { text in
                Quantity.count(text).flatMap { 1...10_000 ~= $0 ? Int($0) : nil }
            } ?? 42
        restartLimit =
            try arguments.read(.restartLimit, expected: "a number") { text in
                Quantity.count(text).map { Int(clamping: $0) }
            } ?? 100
        memory = try arguments.read(
            .serviceMemory, expected: "a size, for example 64MiB", Quantity.bytes)
        descriptors = try arguments.read(
            .serviceDescriptors, expected: "a number of descriptors"
        ) { text in Quantity.count(text).map { Int(clamping: $0) } }
        loopCount = try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
            Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
        }
    }
}
