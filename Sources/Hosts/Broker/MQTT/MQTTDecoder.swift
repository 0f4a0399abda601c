/// Finds packets in the bytes of a connection, which come in any pieces.
struct MQTTDecoder: Sendable {
    /// The most bytes of a packet after its length.
    let limit: Int
    private var bytes: [UInt8] = []
    private var start = 0

    init(limit: Int) { self.limit = limit }

    /// Bytes that are kept: at most those of one packet and of the last piece.
    var count: Int { bytes.count - start }

    mutating func append(_ piece: some Collection<UInt8>) {
        if start > 0 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: piece)
    }

    /// The next packet; nil if it is not complete. After a fault there is no next one.
    mutating func next() throws(MQTTFault) -> MQTTPacket? {
        guard let (body, first) = try frame() else { return nil }
        defer { start = body.upperBound }
        return try Self.packet(first, bytes[body])
    }

    /// The place of the next packet's content, and its first byte. What is wrong with these is told
    /// before the content is there.
    private func frame() throws(MQTTFault) -> (Range<Int>, UInt8)? {
        guard start < bytes.count else { return nil }
        let first = bytes[start]
        try Self.check(first)
        var length = 0
        var position = start + 1
        var shift = 0
        while true {
            guard position < bytes.count else { return nil }
            let digit = bytes[position]
            position += 1
            length |= Int(digit & 0x7f) << shift
            if digit & 0x80 == 0 { break }
            shift += 7
            guard shift < 28 else { throw .length }
        }
        guard length <= limit else { throw .tooLarge(length, limit: limit) }
        guard bytes.count - position >= length else { return nil }
        return (position..<(position + length), first)
    }

    /// Type and flags: 2.2.
    private static func check(_ first: UInt8) throws(MQTTFault) {
        let (type, flags) = (first >> 4, first & 15)
        switch type {
        case 3:
            // Quality 3 is none; a message of quality 0 is no duplicate.
            guard flags & 6 != 6, flags & 6 != 0 || flags & 8 == 0 else {
                throw .flags(type: type)
            }
        case 6, 8, 10: guard flags == 2 else { throw .flags(type: type) }
        case 1...14: guard flags == 0 else { throw .flags(type: type) }
        default: throw .type(type)
        }
    }

    private static func packet(
        _ first: UInt8, _ content: ArraySlice<UInt8>
    ) throws(MQTTFault) -> MQTTPacket {
        let type = first >> 4
        var reader = MQTTReader(content)
        guard
            let packet = try content.isEmpty && type < 12
                ? nil : read(type, first & 15, &reader), reader.isAtEnd
        else { throw .content(type: type) }
        return packet
    }

    /// Nil if the content is malformed.
    private static func read(
        _ type: UInt8, _ flags: UInt8, _ reader: inout MQTTReader
    ) throws(MQTTFault) -> MQTTPacket? {
        switch type {
        case 1: return try connect(&reader)
        case 2:
            guard let flags = reader.byte(), let code = reader.byte(), flags <= 1 else {
                return nil
            }
            return .connack(hasSession: flags == 1, code: code)
        case 3: return publish(flags, &reader)
        case 4: return reader.number().map { .puback($0) }
        case 5: return reader.number().map { .pubrec($0) }
        case 6: return reader.number().map { .pubrel($0) }
        case 7: return reader.number().map { .pubcomp($0) }
        case 8: return subscribe(&reader)
        case 9:
            guard let number = reader.number() else { return nil }
            let codes = reader.rest()
            guard !codes.isEmpty, codes.allSatisfy({ $0 <= 2 || $0 == 0x80 }) else { return nil }
            return .suback(number, codes)
        case 10: return unsubscribe(&reader)
        case 11: return reader.number().map { .unsuback($0) }
        case 12: return .pingreq
        case 13: return .pingresp
        case 14: return .disconnect
        default: return nil
        }
    }

    private static func connect(_ reader: inout MQTTReader) throws(MQTTFault) -> MQTTPacket? {
        guard let name = reader.text(), let version = reader.byte() else { return nil }
        guard name == Array("MQTT".utf8), version == 4 else { throw .version(version) }
        guard let flags = reader.byte(), flags & 1 == 0, let keepAlive = reader.short(),
            let client = reader.text()
        else { return nil }
        var connect = MQTTConnect(
            client: client, isClean: flags & 2 != 0, keepAlive: keepAlive)
        let quality = flags >> 3 & 3
        if flags & 4 != 0 {
            guard quality < 3, let topic = reader.text(), !topic.isEmpty,
                let message = reader.data()
            else { return nil }
            connect.will = MQTTConnect.Will(
                topic: topic, message: message, quality: quality, isRetained: flags & 0x20 != 0)
        } else if quality != 0 || flags & 0x20 != 0 {
            return nil
        }
        if flags & 0x80 != 0 {
            guard let user = reader.text() else { return nil }
            connect.user = user
        }
        if flags & 0x40 != 0 {
            guard flags & 0x80 != 0, let password = reader.data() else { return nil }
            connect.password = password
        }
        // Without an id there is no session: 3.1.3.1.
        if client.isEmpty, !connect.isClean { return nil }
        return .connect(connect)
    }

    private static func publish(_ flags: UInt8, _ reader: inout MQTTReader) -> MQTTPacket? {
        guard let topic = reader.text(), !topic.isEmpty,
            !topic.contains(where: { $0 == TopicName.plus || $0 == TopicName.hash })
        else { return nil }
        let quality = flags >> 1 & 3
        var number: UInt16 = 0
        if quality > 0 {
            guard let read = reader.number() else { return nil }
            number = read
        }
        return .publish(
            MQTTPublish(
                topic: topic, payload: reader.rest(), quality: quality,
                isRetained: flags & 1 != 0, isDuplicate: flags & 8 != 0, number: number))
    }

    private static func subscribe(_ reader: inout MQTTReader) -> MQTTPacket? {
        guard let number = reader.number() else { return nil }
        var filters: [MQTTFilter] = []
        repeat {
            guard let pattern = reader.text(), !pattern.isEmpty, let quality = reader.byte(),
                quality < 3
            else { return nil }
            filters.append(MQTTFilter(pattern: pattern, quality: quality))
        } while !reader.isAtEnd
        return .subscribe(number, filters)
    }

    private static func unsubscribe(_ reader: inout MQTTReader) -> MQTTPacket? {
        guard let number = reader.number() else { return nil }
        var patterns: [[UInt8]] = []
        repeat {
            guard let pattern = reader.text(), !pattern.isEmpty else { return nil }
            patterns.append(pattern)
        } while !reader.isAtEnd
        return .unsubscribe(number, patterns)
    }
}

/// Reads the fields of a packet's content; nil where there are too few bytes.
private struct MQTTReader {
    private var left: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { left = bytes }

    var isAtEnd: Bool { left.isEmpty }

    mutating func byte() -> UInt8? { left.popFirst() }

    mutating func short() -> UInt16? {
        guard let high = left.popFirst(), let low = left.popFirst() else { return nil }
        return UInt16(truncatingIfNeeded: high) << 8 | UInt16(truncatingIfNeeded: low)
    }

    /// A packet identifier, which is not 0: 2.3.1.
    mutating func number() -> UInt16? { short().flatMap { $0 == 0 ? nil : $0 } }

    mutating func data() -> [UInt8]? {
        guard let count = short(), left.count >= Int(count) else { return nil }
        defer { left = left.dropFirst(Int(count)) }
        return Array(left.prefix(Int(count)))
    }

    /// UTF-8 without NUL: 1.5.3.
    mutating func text() -> [UInt8]? {
        guard let bytes = data(), !bytes.contains(0),
            bytes.allSatisfy({ $0 < 0x80 }) || String(validating: bytes, as: UTF8.self) != nil
        else { return nil }
        return bytes
    }

    mutating func rest() -> [UInt8] {
        defer { left = [] }
        return Array(left)
    }
}
