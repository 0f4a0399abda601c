import WasmSystem
import WasmWASI
import WasmdDocuments

/// The options of `wasmd serve` without a path, as values.
struct DaemonOptions {
    let data: Word
    let executor: [SocketAddress]
    let wess: [SocketAddress]
    let wessLog: Word?
    let loopCount: Int?
    let requestLimit: Int?
    let waitingLimit: Int?
    let timeout: Duration?
    let memory: UInt64?
    let fuel: UInt64?
    let sandbox: Sandbox?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        data = arguments.word(of: .data) ?? Word(bytes: Array("wasmd-data".utf8))
        wessLog = arguments.word(of: .wessLog)
        func addresses(_ option: Option) throws(UsageError) -> [SocketAddress] {
            try arguments.readAll(option, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH") {
                (word: Word) in SocketAddress(word.bytes)
            }
        }
        wess = try addresses(.wess)
        let executor = try addresses(.executor) + addresses(.listen)
        self.executor =
            executor.isEmpty && wess.isEmpty ? [.ipv4([127, 0, 0, 1], port: 8080)] : executor
        for address in self.executor + wess
        where !address.isLocal && !arguments.has(.insecure) {
            throw .invalidValue(
                "\(address)", of: "--executor, --wess",
                expected: "an address of this machine, or --insecure: everybody who reaches it "
                    + "could store and run modules",
                .serve)
        }
        loopCount = try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
            Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
        }
        requestLimit = try arguments.read(.maxRequests, expected: "a number above zero") { text in
            Quantity.count(text).flatMap { $0 > 0 ? Int(clamping: $0) : nil }
        }
        waitingLimit = try arguments.read(.maxWaiting, expected: "a number") { text in
            Quantity.count(text).map { Int(clamping: $0) }
        }
        timeout = try arguments.read(.runTimeout, expected: "a duration, for example 500ms") {
            text in Quantity.nanoseconds(text).map { .nanoseconds($0) }
        }
        memory = try arguments.read(
            .runMaxMemory, expected: "a size, for example 64MiB", Quantity.bytes)
        fuel = try arguments.read(.fuel, expected: "a number", Quantity.count)
        sandbox = arguments.has(.noSandbox) ? nil : .asFarAsPossible
    }
}

extension SocketAddress {
    /// Whether only this machine can reach it.
    fileprivate var isLocal: Bool {
        switch self {
        case .ipv4(let bytes, _): bytes.first == 127
        case .ipv6(let bytes, _): bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        case .unix, .unixBytes: true
        }
    }
}
