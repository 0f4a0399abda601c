extension MQTTPacket {
    /// The largest remaining length: 2.2.3.
    static let maximumLength = 268_435_455

    /// Appends the packet's bytes.
    ///
    /// Texts of more than 65,535 bytes are cut, and packets that would be too long are left out:
    /// callers have limits below that.
    func append(to bytes: inout [UInt8]) {
        var body: [UInt8] = []
        var flags: UInt8 = 0
        switch self {
        case .connect(let connect): Self.append(connect, to: &body)
        case .connack(let hasSession, let code): body = [hasSession ? 1 : 0, code]
        case .publish(let publish):
            flags = publish.quality << 1 | (publish.isRetained ? 1 : 0)
            if publish.isDuplicate { flags |= 8 }
            body.append(text: publish.topic)
            if publish.quality > 0 { body.append(short: publish.number) }
            body += publish.payload
        case .puback(let number), .pubrec(let number), .pubcomp(let number), .unsuback(let number):
            body.append(short: number)
        case .pubrel(let number):
            flags = 2
            body.append(short: number)
        case .subscribe(let number, let filters):
            flags = 2
            body.append(short: number)
            for filter in filters {
                body.append(text: filter.pattern)
                body.append(filter.quality)
            }
        case .suback(let number, let codes):
            body.append(short: number)
            body += codes
        case .unsubscribe(let number, let patterns):
            flags = 2
            body.append(short: number)
            for pattern in patterns { body.append(text: pattern) }
        case .pingreq, .pingresp, .disconnect: break
        }
        guard body.count <= Self.maximumLength else { return }
        bytes.append(type << 4 | flags)
        var length = body.count
        repeat {
            let digit = UInt8(truncatingIfNeeded: length & 0x7f)
            length >>= 7
            bytes.append(length > 0 ? digit | 0x80 : digit)
        } while length > 0
        bytes += body
    }

    private static func append(_ connect: MQTTConnect, to body: inout [UInt8]) {
        body.append(text: Array("MQTT".utf8))
        body.append(4)
        var flags: UInt8 = connect.isClean ? 2 : 0
        if let will = connect.will {
            flags |= 4 | will.quality << 3
            if will.isRetained { flags |= 0x20 }
        }
        if connect.password != nil { flags |= 0x40 }
        if connect.user != nil { flags |= 0x80 }
        body.append(flags)
        body.append(short: connect.keepAlive)
        body.append(text: connect.client)
        if let will = connect.will {
            body.append(text: will.topic)
            body.append(text: will.message)
        }
        if let user = connect.user { body.append(text: user) }
        if let password = connect.password { body.append(text: password) }
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append(short number: UInt16) {
        append(UInt8(truncatingIfNeeded: number >> 8))
        append(UInt8(truncatingIfNeeded: number))
    }

    /// A text or data with its length: 1.5.3.
    fileprivate mutating func append(text: [UInt8]) {
        let part = text.prefix(0xffff)
        append(short: UInt16(truncatingIfNeeded: part.count))
        self += part
    }
}
