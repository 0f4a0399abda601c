import Glibc
import WasmInterpreter
import WasmText
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

/// Runs `body` on a loop with guests.
func onLoop<Success: Sendable>(
    _ body: sending @escaping (GuestLoop) async throws -> Success
) throws -> Success {
    try EventLoop().run { loop in try await body(try GuestLoop(loop)) }
}

func module(_ text: String) throws -> Module {
    try Module(try parseModule(Array(text.utf8)), engine: Engine())
}

/// Guests of v0 in the text format: `Tests/Transports/copier.wat` with parts that tests replace.
struct GuestText {
    var imports = part("imports")
    var initialise = part("initialise")
    /// Local 0 is the descriptor of the caller.
    var dial = part("dial")
    var accept = part("accept")
    var associate = part("associate")
    var worker = GuestText.copying
    var marker = part("marker")
    var others = part("others")

    /// Copies in both directions until an end or a cancellation: polls three subscriptions.
    static let copying = part("worker")

    private static let file: [String] = {
        let root = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        guard let stream = fopen(root + "/Transports/copier.wat", "r") else { return [] }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }()

    /// The lines between those that name a part.
    private static func lines(of name: String, in lines: [String]) -> Range<Int> {
        guard let start = lines.firstIndex(where: { $0.hasSuffix(";; part \(name)") }),
            let end = lines.firstIndex(where: { $0.hasSuffix(";; end \(name)") }), start < end
        else { return 0..<0 }
        return start + 1..<end
    }

    private static func part(_ name: String) -> String {
        file[lines(of: name, in: file)].joined(separator: "\n")
    }

    var text: String {
        let parts = [
            ("imports", imports), ("initialise", initialise), ("dial", dial), ("accept", accept),
            ("associate", associate), ("worker", worker), ("marker", marker), ("others", others),
        ]
        var lines = Self.file
        for (name, text) in parts {
            lines.replaceSubrange(Self.lines(of: name, in: lines), with: [text])
        }
        return lines.joined(separator: "\n")
    }

    func transport(_ options: TransportOptions = quiet()) throws -> Transport {
        try Transport(module(text), options)
    }
}

/// Options whose guests print nothing.
func quiet() -> TransportOptions {
    var options = TransportOptions()
    options.world.standardOutput = .null
    options.world.standardError = .null
    return options
}

/// Bytes without a pattern that a lost or doubled piece would keep.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// A server on a port of its own, which calls `body` with each connection.
final class TestServer: Sendable {
    let listener: Listener
    let address: TransportAddress

    init(
        on loop: EventLoop, _ body: @escaping @Sendable (ByteStream) async throws -> Void
    ) throws {
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
        self.listener = listener
        guard let address = listener.address else { throw LoopError.closed }
        self.address = .address(address)
        loop.spawn {
            while let stream = try? await listener.accept() {
                loop.spawn { try? await body(stream) }
            }
        }
    }

    /// Sends back what it gets.
    static func echo(on loop: EventLoop) throws -> TestServer {
        try TestServer(on: loop) { stream in
            var buffer = InputBuffer(capacity: 16 << 10)
            while try await stream.read(into: &buffer) > 0 { try await stream.write(buffer.take()) }
        }
    }
}

extension TransportConnection {
    /// Reads `count` bytes, or fewer at the end.
    func read(count: Int) async throws -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let bytes = try await read(upTo: count - all.count)
            if bytes.isEmpty { break }
            all += bytes
        }
        return all
    }
}

extension ByteStream {
    /// Reads `count` bytes, or fewer at the end.
    func read(count: Int) async throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = InputBuffer(capacity: 16 << 10)
        while all.count < count {
            let isOpen = try? await read(into: &buffer) > 0
            if isOpen != true { break }
            all += buffer.take()
        }
        return all
    }
}

extension GuestLoop {
    /// Waits until `condition`, for some seconds at most; false if it never holds.
    func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<5000 {
            if condition() { return true }
            try await loop.sleep(for: .milliseconds(2))
        }
        return false
    }
}
