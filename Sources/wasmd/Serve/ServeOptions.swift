import WasmWASI
import WasmdDocuments
import WasmdHTTP

/// The options of `wasmd serve`, as values.
struct ServeOptions {
    /// What the program may use, and its limits.
    let run: RunOptions
    let addresses: [SocketAddress]
    let requestLimit: Int?
    let waitingLimit: Int?
    let bodyLimit: Int?
    let trustedProxies: [IPNetwork]
    let loopCount: Int?
    /// Nil for `--no-sandbox`.
    let sandbox: Sandbox?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        let others: [Option] = [
            .config, .check, .data, .executor, .executorLegacy, .wess, .wessLog, .console,
            .othismo, .othismoImage,
        ]
        for option in others where arguments.has(option) {
            throw .unexpectedOperand(arguments.operands.first ?? "", .serve)
        }
        run = try RunOptions(arguments)
        sandbox = try arguments.servingSandbox(.serve)
        let listeners = try arguments.readAll(
            .listen, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH"
        ) { (word: Word) in SocketAddress(word.bytes) }
        addresses = listeners.isEmpty ? [.ipv4([127, 0, 0, 1], port: 8080)] : listeners
        requestLimit = try arguments.read(.maxRequests, expected: "a number above zero") { text in
            Quantity.count(text).flatMap { $0 > 0 ? Int(clamping: $0) : nil }
        }
        waitingLimit = try arguments.read(.maxWaiting, expected: "a number") { text in
            Quantity.count(text).map { Int(clamping: $0) }
        }
        bodyLimit = try arguments.read(.maxBody, expected: "a size, for example 8MiB") { text in
            Quantity.bytes(text).map { Int(clamping: $0) }
        }
        trustedProxies = try arguments.readAll(
            .trustProxy, expected: "an address or a network, for example 10.0.0.0/8"
        ) { (word: Word) in IPNetwork(word.bytes[...]) }
        loopCount = try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
            Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
        }
    }
}
