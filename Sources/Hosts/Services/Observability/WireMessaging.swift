import WasmSystem
import WasmdBroker
import WasmdEventLoop

/// Messages through a server that speaks the original's protocol on a TCP port: a module, or
/// another host.
///
/// The protocol has no frames: what one read returns is one command. So there is a connection for
/// each message, as the original's host makes it. What modules of this process publish reaches
/// subscribers of this process at once; the server cannot tell of other messages.
public struct WireMessaging: Messaging {
    private let address: SystemAddress
    private let note: @Sendable (String) -> Void
    /// For subscribers of this process.
    private let local: Broker

    /// Bytes of an answer; the rest is lost, as with the original.
    private static let answerLimit = 1000
    private static let connectTime = Duration.seconds(10)

    /// - Parameters:
    ///   - address: of the server.
    ///   - note: receives what the host says about its own doing.
    public init(_ address: SystemAddress, note: @escaping @Sendable (String) -> Void) {
        self.address = address
        self.note = note
        var options = Broker.Options()
        options.dynamic?.queue = 0
        local = Broker(options)
    }

    private func connect(_ loop: EventLoop) async throws(MessagingError) -> ByteStream {
        do throws(LoopError) {
            return try await ByteStream.connect(
                to: address, on: loop, deadline: .after(Self.connectTime))
        } catch {
            throw .notReachable("\(error)")
        }
    }

    public func publish(
        topic: String, message: [UInt8], _ share: TopicShare?, on loop: EventLoop
    ) async throws {
        // Which topics there are is the server's affair.
        let stream = try await connect(loop)
        defer { stream.close() }
        let payload = Array("\(topic) ".utf8) + message
        stream.deadline = .after(Self.connectTime)
        try await stream.write(payload)
        if let name = TopicName(topic) { try? await local.publish(message, to: name) }
        let text = String(decoding: payload, as: UTF8.self)
        note(
            "Publishing message '\(text)' to topic '\(topic)' on the messaging layer via host func."
        )
    }

    public func read(topic: String, on loop: EventLoop) async throws -> [UInt8] {
        let stream = try await connect(loop)
        defer { stream.close() }
        let command = "read \(topic)"
        note("Sending cmd '\(command)' on the messaging layer via host func.")
        try await stream.write(Array(command.utf8))
        var buffer = InputBuffer(capacity: Self.answerLimit)
        let count = try await stream.read(into: &buffer)
        let text = String(decoding: buffer.take().prefix(Self.answerLimit), as: UTF8.self)
        note("Received response from pubsub module: '\(text)'.")
        if count > 0 { note("Response stream dropped, no more data to read.") }
        return Array(text.utf8)
    }

    public func subscribe(topic: String, on loop: EventLoop) throws -> any MessageSubscription {
        guard let name = TopicName(topic) else { throw MessagingError.malformedTopic(topic) }
        return try BrokerMessaging.subscribe(name, to: local, as: .all, wantsRetained: false)
    }
}
