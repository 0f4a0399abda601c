import WasmSystem
import WasmdEventLoop

/// One connection of a bridge. All its tasks run on one loop.
final class MQTTConnection: @unchecked Sendable {
    // Soundness: used by tasks of one loop, between whose waits nothing else runs.
    private let bridge: MQTTBridge
    private let stream: ByteStream
    private let subscription: Subscription?
    private let numbers: MQTTNumbers
    private let gate = LoopGate()
    /// Packets that wait to be written, beside messages.
    private var control: [UInt8] = []
    /// Sent messages that were not acknowledged, in order, and when they were sent.
    private var open: [(number: UInt16, delivery: Delivery, time: LoopInstant)] = []
    /// Messages of quality 2 that were received, whose release has not come: 4.3.3.
    private var received: Set<UInt16> = []
    /// Messages of quality 1 and 2 that the broker had no room for, in order, and their bytes. Another
    /// task tries again, so that acknowledgements behind them are read: the broker may be full of the
    /// messages that wait for those.
    private var held: [MQTTPublish] = []
    private var heldBytes = 0
    private let heldGate = LoopGate()
    private var decoder: MQTTDecoder
    private var problem: (any Error)?
    private var isWriting = false
    private var hasLeft = false

    private var options: MQTTBridgeOptions { bridge.options }
    private var loop: EventLoop { stream.loop }

    /// Bytes of answers that wait while the server does not read; then it is read no more.
    private static let controlLimit = 64 << 10
    /// Messages that are held, and their bytes; then the server is read no more. Servers send fewer
    /// without an acknowledgement, unless they are told otherwise.
    private static let heldLimit = 1024
    private static let heldByteLimit = 16 << 20
    /// Bytes of messages that are written at once.
    private static let writeSize = 64 << 10

    init(
        _ bridge: MQTTBridge, _ stream: ByteStream, _ subscription: Subscription?,
        _ numbers: MQTTNumbers
    ) {
        self.bridge = bridge
        self.stream = stream
        self.subscription = subscription
        self.numbers = numbers
        decoder = MQTTDecoder(limit: bridge.options.packetLimit)
    }

    /// Until the connection ends: returns if the server has closed it, or the task was cancelled.
    func run() async throws {
        let retrying = loop.spawn { await self.ending { try await self.retry() } }
        do {
            try await begin()
        } catch {
            retrying.cancel()
            await retrying.value
            throw error
        }
        bridge.connected()
        subscription?.onReady { [gate] in gate.open() }
        defer { subscription?.onReady(nil) }
        let writing = loop.spawn { await self.ending { try await self.write() } }
        let living = loop.spawn { await self.ending { try await self.live() } }
        await withTaskCancellationHandler {
            await ending { try await self.read() }
        } onCancel: {
            // The server is told: it publishes no will then.
            self.loop.onLoop { self.leave() }
        }
        if !waitsForServer || !Task.isCancelled { stream.close() }
        writing.cancel()
        living.cancel()
        retrying.cancel()
        await writing.value
        await living.value
        await retrying.value
        if waitsForServer, Task.isCancelled {
            // Not a part of this task, whose waits end at once.
            await loop.spawn { await self.awaitEnd() }.value
            stream.close()
        }
        if let problem, !Task.isCancelled { throw problem }
    }

    /// Runs a task of the connection; the first failure ends all.
    private func ending(_ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            // The first reason counts; the other tasks end because of it.
            let reason = error as? LoopError
            if problem == nil, reason != .closed, reason != .cancelled { problem = error }
            if reason != .cancelled || !waitsForServer { stream.close() }
        }
    }

    private var waitsForServer: Bool { options.leaveTime > .zero }

    private func leave() {
        // Inside another packet it would be a part of that.
        if !isWriting { _ = try? stream.tryWrite(MQTTPacket.disconnect.bytes) }
        hasLeft = true
        if isWriting || !waitsForServer { stream.close() }
    }

    /// Until the server has closed the connection, or its time is over.
    private func awaitEnd() async {
        stream.deadline = .after(options.leaveTime)
        var buffer = InputBuffer(capacity: 1024)
        while let count = try? await stream.read(into: &buffer), count > 0 { _ = buffer.take() }
    }

    // MARK: The beginning

    private func begin() async throws {
        stream.deadline = .after(options.timeout)
        var connect = MQTTConnect(client: options.client)
        connect.isClean = options.isClean || options.client.isEmpty
        connect.keepAlive = UInt16(clamping: options.keepAlive.components.seconds)
        connect.user = options.user
        connect.password = options.password
        connect.will = options.will.map {
            MQTTConnect.Will(
                topic: $0.topic.bytes, message: $0.message, quality: options.quality,
                isRetained: $0.isRetained)
        }
        try await stream.write(MQTTPacket.connect(connect).bytes)
        guard case .connack(let hasSession, let code) = try await nextPacket() else {
            throw MQTTFault.unexpected(type: 0)
        }
        guard code == 0 else { throw MQTTFault.refused(code: code) }
        // A server that has forgotten the session knows no numbers. Those of messages that were
        // dropped meanwhile must not fill the table.
        if !hasSession || numbers.count > 4 * options.window { numbers.removeAll() }
        if !options.into.isEmpty {
            let filters = options.into.map {
                MQTTFilter(pattern: options.remotePrefix + $0.bytes, quality: options.quality)
            }
            try await stream.write(MQTTPacket.subscribe(1, filters).bytes)
            try await awaitSuback(filters)
        }
        stream.deadline = .never
    }

    /// Messages of the session may come before the answer.
    private func awaitSuback(_ filters: [MQTTFilter]) async throws {
        while true {
            let packet = try await nextPacket()
            guard case .suback(1, let codes) = packet else {
                guard case .publish = packet else {
                    try await take(packet)
                    continue
                }
                try await take(packet)
                // What was accepted is acknowledged now: nobody else writes yet.
                var output: [UInt8] = []
                swap(&output, &control)
                if !output.isEmpty { try await stream.write(output) }
                continue
            }
            guard codes.count == filters.count else { throw MQTTFault.content(type: 9) }
            for (code, filter) in zip(codes, filters) where code == 0x80 {
                throw MQTTFault.filter(filter.pattern)
            }
            return
        }
    }

    // MARK: Reading

    private func nextPacket() async throws -> MQTTPacket {
        while true {
            if let packet = try decoder.next() { return packet }
            try await stream.readable()
            var buffer = loop.takeBuffer()
            let count = try await stream.read(into: &buffer)
            decoder.append(buffer.bytes[buffer.range])
            _ = buffer.take()
            loop.giveBack(buffer)
            if count == 0 { throw LoopError.closed }
        }
    }

    private func read() async throws {
        while true { try await take(try await nextPacket()) }
    }

    private func take(_ packet: MQTTPacket) async throws {
        switch packet {
        case .publish(let publish): try await take(publish)
        case .puback(let number): acknowledged(number)
        case .pubrel(let number):
            received.remove(number)
            answer(.pubcomp(number))
        case .pingresp, .suback, .unsuback: break
        // Answers to quality 2, which is never sent, and packets of clients.
        case .pubrec, .pubcomp, .connect, .connack, .subscribe, .unsubscribe, .pingreq,
            .disconnect:
            throw MQTTFault.unexpected(type: packet.type)
        }
        lastSign = .now
    }

    private var lastSign = LoopInstant.now

    private func answer(_ packet: MQTTPacket) {
        packet.append(to: &control)
        gate.open()
    }

    private func take(_ publish: MQTTPublish) async throws {
        // A server that does not read its answers waits.
        while control.count > Self.controlLimit { try await pause() }
        if publish.quality == 2 {
            if received.contains(publish.number) { return answer(.pubrec(publish.number)) }
            // It is answered when the broker has it.
            if held.contains(where: { $0.quality == 2 && $0.number == publish.number }) { return }
        }
        if publish.quality == 0 || held.isEmpty, try await bring(publish) {
            return accepted(publish)
        }
        // The last one may be more than the limit, so that any message fits.
        while held.count >= Self.heldLimit || heldBytes > Self.heldByteLimit { try await pause() }
        held.append(publish)
        heldBytes += publish.byteCount
        heldGate.open()
    }

    /// Waits a moment; the time of the beginning counts also here.
    private func pause() async throws {
        if LoopInstant.now >= stream.deadline { throw LoopError.timedOut }
        try await loop.sleep(for: .milliseconds(10))
    }

    private func accepted(_ publish: MQTTPublish) {
        switch publish.quality {
        case 0: break
        case 1: answer(.puback(publish.number))
        default:
            received.insert(publish.number)
            answer(.pubrec(publish.number))
        }
    }

    /// Publishes what is held as soon as the broker has room, in order.
    private func retry() async throws {
        var pause = Duration.milliseconds(10)
        while true {
            if Task.isCancelled { throw LoopError.cancelled }
            guard let first = held.first else {
                await heldGate.wait()
                continue
            }
            if try await bring(first) {
                held.removeFirst()
                heldBytes -= first.byteCount
                accepted(first)
                pause = .milliseconds(10)
            } else {
                try await loop.sleep(for: pause)
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    /// Publishes a message of the server here. What the broker can never take is counted, and that of
    /// quality 0 which it cannot take now.
    ///
    /// - Returns: false if there is no room now.
    private func bring(_ publish: MQTTPublish) async throws -> Bool {
        let bytes = MQTTBridgeOptions.replacing(
            options.remotePrefix, by: options.localPrefix, in: publish.topic)
        guard let bytes, let topic = TopicName(bytes) else {
            bridge.count { $0.refused &+= 1 }
            return true
        }
        let publication = Broker.Publication(
            isRetained: publish.isRetained, origin: options.name)
        do throws(BrokerError) {
            try await bridge.broker.publish(publish.payload, to: topic, publication)
            bridge.count { $0.received &+= 1 }
        } catch {
            switch error {
            case .full where publish.quality > 0, .storage where publish.quality > 0: return false
            case .ended: throw error
            default: bridge.count { $0.refused &+= 1 }
            }
        }
        return true
    }

    private func acknowledged(_ number: UInt16) {
        guard let index = open.firstIndex(where: { $0.number == number }) else { return }
        let one = open.remove(at: index)
        _ = numbers.remove(number)
        if subscription?.acknowledge(one.delivery) == true { bridge.count { $0.sent &+= 1 } }
        gate.open()
    }

    // MARK: Writing

    private func write() async throws {
        while true {
            var output: [UInt8] = []
            swap(&output, &control)
            try addMessages(&output)
            if output.isEmpty {
                await gate.wait()
                if Task.isCancelled { throw LoopError.cancelled }
                continue
            }
            // Nothing follows the last packet.
            if hasLeft { throw LoopError.cancelled }
            stream.writeDeadline = .after(options.timeout)
            isWriting = true
            try await stream.write(output)
            isWriting = false
            stream.writeDeadline = .never
            await loop.yieldIfSpent()
        }
    }

    private func addMessages(_ output: inout [UInt8]) throws {
        guard let subscription else { return }
        // What is taken and cannot be sent would wait for the next connection.
        while output.count < Self.writeSize, open.count < options.window,
            options.quality == 0 || numbers.hasRoom,
            let delivery = try subscription.nextNow()
        {
            if delivery.lost > 0 { bridge.count { $0.dropped &+= delivery.lost } }
            let message = delivery.message
            guard
                let topic = MQTTBridgeOptions.replacing(
                    options.localPrefix, by: options.remotePrefix, in: message.topic.bytes)
            else {
                subscription.acknowledge(delivery)
                continue
            }
            var publish = MQTTPublish(topic: topic, payload: message.payload)
            publish.isRetained = message.isRetained || delivery.isRetained
            if options.quality > 0 {
                guard let number = numbers.number(of: message.sequence) else { return }
                publish.quality = 1
                publish.number = number
                publish.isDuplicate = delivery.attempt > 1
                open.append((number, delivery, .now))
            } else {
                bridge.count { $0.sent &+= 1 }
            }
            MQTTPacket.publish(publish).append(to: &output)
        }
    }

    // MARK: Signs of life

    private func live() async throws {
        let interval = max(options.keepAlive, .milliseconds(10))
        lastSign = .now
        while true {
            try await loop.sleep(for: interval / 2)
            let now = LoopInstant.now
            if now.since(lastSign) > interval * 3 / 2 { throw LoopError.timedOut }
            if let first = open.first, now.since(first.time) > options.timeout {
                throw LoopError.timedOut
            }
            answer(.pingreq)
        }
    }
}
