/// The name of a stored document: 12 bytes, written as 24 hexadecimal digits.
///
/// As clients know them: seconds since 1970, five random bytes of the process, and a counter. Ids of
/// one process grow, so that their order is that of creation.
public struct ObjectID: Hashable, Sendable {
    public let bytes: [UInt8]

    /// - Parameter bytes: 12; anything else is nil.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 12 else { return nil }
        self.bytes = Array(bytes)
    }

    /// Reads 24 hexadecimal digits of either case; nil for any other text.
    public init?(_ text: some Collection<UInt8>) {
        guard text.count == 24 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for byte in text {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        self.bytes = bytes
    }

    public init?(_ text: String) { self.init(Array(text.utf8)) }
}

extension ObjectID: CustomStringConvertible {
    /// 24 digits, with small letters.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self)
    }
}

/// Makes ids that nobody has.
public struct ObjectIDSource: Sendable {
    private let random: [UInt8]
    private var counter: UInt32
    private var second: UInt32 = 0

    public init() {
        // The ids are no secrets: they only must differ from those of other processes.
        let number = UInt64.random(in: 0...UInt64.max)
        random = stride(from: UInt64(32), through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: number >> $0)
        }
        // Half of the numbers are left before the counter overflows.
        counter = UInt32(truncatingIfNeeded: number >> 41)
    }

    /// Makes all further ids larger than one of another process.
    public mutating func pass(_ id: ObjectID) {
        let seconds = id.bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        second = max(second, seconds == .max ? .max : seconds + 1)
    }

    /// The next id: larger than all before it, also if the clock is set back.
    ///
    /// - Parameter now: seconds since 1970.
    public mutating func next(now: Int64) -> ObjectID {
        second = max(second, UInt32(clamping: now))
        counter = (counter &+ 1) & 0xff_ffff
        if counter == 0 { second &+= 1 }
        let head = stride(from: UInt32(24), through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: second >> $0)
        }
        let tail = stride(from: UInt32(16), through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: counter >> $0)
        }
        return ObjectID(exactly: head + random + tail)
    }
}

extension ObjectID {
    /// - Parameter bytes: 12.
    fileprivate init(exactly bytes: [UInt8]) { self.bytes = bytes }
}
