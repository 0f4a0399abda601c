import Testing

@testable import WasmdBroker

/// Packets of MQTT 3.1.1 as bytes.
@Suite struct MQTTCodecTests {
    private func decode(
        _ bytes: [UInt8], limit: Int = 1 << 20
    ) -> Result<[MQTTPacket], MQTTFault> {
        var decoder = MQTTDecoder(limit: limit)
        decoder.append(bytes)
        var packets: [MQTTPacket] = []
        do throws(MQTTFault) {
            while let packet = try decoder.next() { packets.append(packet) }
        } catch {
            return .failure(error)
        }
        return .success(packets)
    }

    static let packets: [MQTTPacket] = [
        .connect(MQTTConnect(client: Array("c".utf8))),
        .connect(
            MQTTConnect(
                client: Array("größe".utf8), isClean: false, keepAlive: 65_535,
                will: .init(topic: [0x74], message: [0, 255], quality: 1, isRetained: true),
                user: Array("u".utf8), password: [0, 1])),
        .connack(hasSession: true, code: 0), .connack(hasSession: false, code: 5),
        .publish(MQTTPublish(topic: Array("a/b".utf8), payload: [])),
        .publish(
            MQTTPublish(
                topic: Array("a".utf8), payload: [UInt8](repeating: 7, count: 20_000), quality: 1,
                isRetained: true, isDuplicate: true, number: 65_535)),
        .publish(MQTTPublish(topic: [0x61], payload: [1], quality: 2, number: 1)),
        .puback(1), .pubrec(2), .pubrel(3), .pubcomp(4),
        .subscribe(
            9, [.init(pattern: Array("#".utf8), quality: 1), .init(pattern: [0x2b], quality: 0)]),
        .suback(9, [0, 1, 2, 0x80]), .unsubscribe(10, [[0x61], [0x62]]), .unsuback(10), .pingreq,
        .pingresp, .disconnect,
    ]

    @Test(arguments: packets) func roundTrip(_ packet: MQTTPacket) {
        #expect(decode(packet.bytes) == .success([packet]))
    }

    @Test func packetsInPiecesOfAnySize() throws {
        let bytes = Self.packets.flatMap(\.bytes)
        for size in [1, 2, 3, 7, 1000] {
            var decoder = MQTTDecoder(limit: 1 << 20)
            var packets: [MQTTPacket] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.append(bytes[start..<min(start + size, bytes.count)])
                while let packet = try decoder.next() { packets.append(packet) }
            }
            #expect(packets == Self.packets)
            #expect(decoder.count == 0)
        }
    }

    /// The bytes of the specification: 2.2.3, 3.1.2, 3.3.
    @Test func knownBytes() {
        #expect(MQTTPacket.pingreq.bytes == [0xc0, 0])
        #expect(MQTTPacket.puback(10).bytes == [0x40, 2, 0, 10])
        #expect(
            MQTTPacket.publish(
                MQTTPublish(topic: Array("a/b".utf8), payload: [], quality: 1, number: 10)
            ).bytes == [0x32, 7, 0, 3, 0x61, 0x2f, 0x62, 0, 10])
        #expect(
            MQTTPacket.connect(MQTTConnect(client: [], keepAlive: 10)).bytes
                == [0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 10, 0, 0])
        for (length, digits) in [
            (127, [0x7f]), (128, [0x80, 1]), (16_383, [0xff, 0x7f]), (16_384, [0x80, 0x80, 1]),
        ] as [(Int, [UInt8])] {
            let payload = [UInt8](repeating: 0, count: length - 3)
            let bytes = MQTTPacket.publish(MQTTPublish(topic: [0x61], payload: payload)).bytes
            #expect(bytes.dropFirst().prefix(digits.count).elementsEqual(digits))
            #expect(bytes.count == 1 + digits.count + length)
        }
    }

    @Test(
        arguments: [
            ([0x00, 0], MQTTFault.type(0)), ([0xf0, 0], .type(15)),
            ([0x11, 0], .flags(type: 1)), ([0x36, 0], .flags(type: 3)),
            ([0x38, 0], .flags(type: 3)),
            ([0x60, 2, 0, 1], .flags(type: 6)), ([0x80, 0], .flags(type: 8)),
            ([0x30, 0xff, 0xff, 0xff, 0xff, 1], .length),
            ([0x30, 0x80, 0x80, 0x80, 0x80], .length),
            ([0x30, 0xff, 0xff, 0xff, 0x7f], .tooLarge(268_435_455, limit: 1 << 20)),
            ([0x20, 1, 0], .content(type: 2)), ([0x20, 2, 2, 0], .content(type: 2)),
            ([0x20, 3, 0, 0, 0], .content(type: 2)), ([0x20, 0], .content(type: 2)),
            ([0x30, 0], .content(type: 3)), ([0x30, 2, 0, 0], .content(type: 3)),
            ([0x30, 3, 0, 2, 0x61], .content(type: 3)), ([0x30, 3, 0, 1, 0x23], .content(type: 3)),
            ([0x30, 3, 0, 1, 0x2b], .content(type: 3)), ([0x30, 3, 0, 1, 0xff], .content(type: 3)),
            ([0x30, 3, 0, 1, 0], .content(type: 3)), ([0x32, 3, 0, 1, 0x61], .content(type: 3)),
            ([0x32, 5, 0, 1, 0x61, 0, 0], .content(type: 3)),
            ([0x40, 2, 0, 0], .content(type: 4)), ([0x40, 3, 0, 1, 0], .content(type: 4)),
            ([0x82, 2, 0, 1], .content(type: 8)), ([0x82, 5, 0, 1, 0, 1, 0x61], .content(type: 8)),
            ([0x82, 6, 0, 1, 0, 1, 0x61, 3], .content(type: 8)),
            ([0x90, 2, 0, 1], .content(type: 9)),
            ([0x90, 3, 0, 1, 3], .content(type: 9)), ([0xa2, 2, 0, 1], .content(type: 10)),
            ([0xc0, 1, 0], .content(type: 12)),
            ([0x10, 8, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2], .version(5)),
            (
                [0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 3, 0, 10, 0, 0], .content(type: 1)
            ),
            (
                [0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 10, 0, 0], .content(type: 1)
            ),
        ] as [([UInt8], MQTTFault)])
    func damaged(_ bytes: [UInt8], _ fault: MQTTFault) {
        #expect(decode(bytes) == .failure(fault))
    }

    /// A large length is refused before its bytes come.
    @Test func lengthsAreLimited() {
        #expect(
            decode([0x30, 0x80, 0x80, 0x04], limit: 100) == .failure(.tooLarge(65_536, limit: 100)))
        #expect(decode([0x30, 100], limit: 100) == .success([]))
    }

    /// Random and changed packets: a fault or packets, each of which is the same again as bytes.
    @Test func fuzz() {
        var generator = SeededGenerator(seed: 311)
        var decoded = 0
        for _ in 0..<10_000 {
            var bytes: [UInt8]
            if Bool.random(using: &generator),
                let packet = Self.packets.filter({ $0.bytes.count < 100 })
                    .randomElement(using: &generator)
            {
                bytes = packet.bytes
                for _ in 0..<Int.random(in: 1..<4, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[index] = UInt8.random(in: 0...255, using: &generator)
                }
            } else {
                let count = Int.random(in: 0..<40, using: &generator)
                bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            }
            guard case .success(let packets) = decode(bytes, limit: 1000) else { continue }
            for packet in packets {
                decoded += 1
                #expect(decode(packet.bytes) == .success([packet]))
            }
        }
        #expect(decoded > 500)
    }
}
