import WasmSystem

/// An open file of the log.
final class Segment: Sendable {
    let number: UInt32
    let file: OpenFile

    init(number: UInt32, _ file: OpenFile) {
        self.number = number
        self.file = file
    }

    /// `log/0000001f.log`, as errors name it.
    var path: String { Self.path(number) }

    static func path(_ number: UInt32) -> String {
        "log/" + String(decoding: name(number), as: UTF8.self)
    }

    /// `0000001f.log`
    static func name(_ number: UInt32) -> [UInt8] {
        let digits = (0..<8).map { index in
            let digit = UInt8(truncatingIfNeeded: number >> UInt32(28 - 4 * index) & 15)
            return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
        return digits + Array(".log".utf8)
    }

    /// The name of a segment that is being made: it becomes `name` when its header is durable.
    static func newName(_ number: UInt32) -> [UInt8] { name(number) + Array(".new".utf8) }
    /// The name of a segment that compaction has set aside because a part of it is damaged.
    static func damagedName(_ number: UInt32) -> [UInt8] {
        name(number) + Array(".damaged".utf8)
    }

    /// The number in a name; nil for other names.
    static func number(_ name: [UInt8]) -> UInt32? {
        guard name.count == 12 else { return nil }
        var number: UInt32 = 0
        for byte in name.prefix(8) {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number << 4 | UInt32(truncatingIfNeeded: byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                number = number << 4 | UInt32(truncatingIfNeeded: byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return name.suffix(4).elementsEqual(".log".utf8) ? number : nil
    }
}
