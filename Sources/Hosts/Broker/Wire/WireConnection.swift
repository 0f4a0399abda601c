import Synchronization
import WasmdEventLoop

/// A client of the wire protocol.
struct WireConnection {
    private let stream: ByteStream
    private let server: WireServer
    private let publication: Broker.Publication
    private let unwritten = UnwrittenMessages()

    init(_ stream: ByteStream, _ server: WireServer) {
        self.stream = stream
        self.server = server
        publication = Broker.Publication(share: server.makeShare())
    }

    /// Bytes of a command beside its value: the topic and a space.
    private static let headSize = TopicName.maximumSize + 1

    func run() async {
        defer { stream.close() }
        var nonsense = 0
        let loop = stream.loop
        do throws(LoopError) {
            while true {
                // A connection that waits needs no buffer.
                try await stream.readable()
                let limit = server.broker.messageLimit + Self.headSize
                var buffer = loop.takeBuffer()
                let (count, isWhole) = try await fill(&buffer, limit)
                let command = isWhole ? WireCommand(buffer.bytes[buffer.range]) : nil
                _ = buffer.take()
                loop.giveBack(buffer)
                // Data that came with the end of the connection was read before.
                if count == 0 { return }
                guard let command else {
                    nonsense += count
                    server.count { $0.ignored &+= 1 }
                    if nonsense > server.options.nonsense { break }
                    await loop.yieldIfSpent()
                    continue
                }
                nonsense = 0
                try await carryOut(command)
            }
        } catch {
            // Otherwise the client is gone.
            guard error == .timedOut else { return }
        }
        server.count { $0.cutOff &+= 1 }
    }

    /// Reads what is there as one command. What is longer than the limit is read in pieces, of which
    /// none is a command.
    ///
    /// - Returns: the bytes that were read, 0 at the end, and whether they are within the limit.
    private func fill(
        _ buffer: inout InputBuffer, _ limit: Int
    ) async throws(LoopError) -> (count: Int, isWhole: Bool) {
        var count = try await stream.read(into: &buffer)
        guard count > 0, buffer.count == buffer.capacity else { return (count, count <= limit) }
        // The command may be longer than the loop's buffers.
        var whole = InputBuffer(capacity: limit + 1)
        whole.append(buffer.bytes[buffer.range])
        while whole.count <= limit, let more = try stream.tryRead(into: &whole), more > 0 {
            count += more
        }
        let isWhole = whole.count <= limit
        swap(&buffer, &whole)
        return (count, isWhole)
    }

    private func carryOut(_ command: WireCommand) async throws(LoopError) {
        let options = server.options
        var answer: [UInt8]?
        do throws(BrokerError) {
            switch command {
            case .publish(let topic, let value):
                if let token = unwritten.begin() {
                    let server = server
                    server.broker.publish(
                        value, to: topic, publication, as: options.permissions
                    ) { error in
                        token.end()
                        server.count {
                            if error == nil { $0.commands &+= 1 } else { $0.ignored &+= 1 }
                        }
                    }
                    return await stream.loop.yieldIfSpent()
                }
                try await server.broker.publish(
                    value, to: topic, publication, as: options.permissions)
            case .read(let topic):
                // The client may read what it has published.
                if unwritten.isSome { try await server.broker.flush() }
                let message = try server.broker.read(topic, as: options.permissions)
                answer = WireCommand.answer(topic, message?.payload)
            }
            server.count { $0.commands &+= 1 }
        } catch {
            // The protocol has no answer for what is refused.
            server.count { $0.ignored &+= 1 }
        }
        guard let answer else { return await stream.loop.yieldIfSpent() }
        stream.writeDeadline = .after(options.writeTime)
        try await stream.write(answer)
        stream.writeDeadline = .never
    }
}

/// How many messages of a connection are not on the disk yet. The connection is read meanwhile, so
/// that its messages share the waits for the disk, and what follows does not run together.
private final class UnwrittenMessages: Sendable {
    private static let limit = 64
    private let count = Atomic(0)

    var isSome: Bool { count.load(ordering: .relaxed) > 0 }

    /// Counts one more, until `end`; nil if there are too many.
    func begin() -> UnwrittenMessages? {
        guard count.load(ordering: .relaxed) < Self.limit else { return nil }
        count.add(1, ordering: .relaxed)
        return self
    }

    func end() { count.subtract(1, ordering: .relaxed) }
}
