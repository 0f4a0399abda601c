import WasmSystem

/// The name of a stored module: a random UUID (version 4, RFC 9562 5.4).
public struct ModuleID: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    /// A new one.
    ///
    /// - Throws: `SystemError` if the system has no random numbers.
    public static func make() throws -> ModuleID {
        var bytes = [UInt8](repeating: 0, count: 16)
        try unsafe bytes.withUnsafeMutableBytes { try unsafe Kernel.random($0) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        return ModuleID(bytes: bytes[...])
    }

    /// - Parameter bytes: 16; missing ones are zero.
    init(bytes: ArraySlice<UInt8>) {
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends the 16 bytes.
    func append(to bytes: inout [UInt8]) {
        for index in 0..<16 { bytes.append(byte(index)) }
    }

    @inline(__always)
    private func byte(_ index: Int) -> UInt8 {
        let word = index < 8 ? high : low
        return UInt8(truncatingIfNeeded: word &>> UInt64(truncatingIfNeeded: 56 &- index % 8 &* 8))
    }

    /// Why a text is no UUID. The texts are those that clients of *wess* know.
    public enum Fault: Error, Equatable, Sendable, CustomStringConvertible {
        case character(String, position: Int)
        case length(Int)
        case groupCount(Int)
        case groupLength(group: Int, expected: Int, found: Int)

        public var description: String {
            switch self {
            case .character(let character, let position):
                "invalid character: expected an optional prefix of `urn:uuid:` followed by "
                    + "[0-9a-fA-F-], found `\(character)` at \(position)"
            case .length(let count):
                "invalid length: expected length 32 for simple format, found \(count)"
            case .groupCount(let count): "invalid group count: expected 5, found \(count)"
            case .groupLength(let group, let expected, let found):
                "invalid group length in group \(group): expected \(expected), found \(found)"
            }
        }
    }

    /// Reads 32 hexadecimal digits, with hyphens in the usual places or without, also in braces and
    /// after `urn:uuid:`.
    public init(_ text: some Sequence<UInt8>) throws(Fault) {
        if let plain = Self(plain: text) {
            self = plain
            return
        }
        var bytes = Array(text)[...]
        if bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") {
            bytes = bytes.dropFirst().dropLast()
        } else if bytes.starts(with: "urn:uuid:".utf8) {
            bytes = bytes.dropFirst(9)
        }
        var digits: [UInt8] = []
        var groups = [0]
        for (position, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "-") {
                groups.append(0)
            } else if let digit = byte.hexadecimalDigit {
                digits.append(digit)
                groups[groups.count - 1] += 1
            } else {
                let rest = String(decoding: bytes[(bytes.startIndex + position)...], as: UTF8.self)
                throw .character(String(rest.prefix(1)), position: position + 1)
            }
        }
        if groups.count == 1 {
            guard digits.count == 32 else { throw .length(digits.count) }
        } else {
            guard groups.count == 5 else { throw .groupCount(groups.count) }
            for (group, (expected, found)) in zip([8, 4, 4, 4, 12], groups).enumerated()
            where expected != found {
                throw .groupLength(group: group, expected: expected, found: found)
            }
        }
        high = digits.prefix(16).reduce(0) { $0 << 4 | UInt64($1) }
        low = digits.dropFirst(16).reduce(0) { $0 << 4 | UInt64($1) }
    }

    /// Reads the form that `description` has, also with capital letters; nil for all others.
    /// Allocates nothing.
    private init?(plain text: some Sequence<UInt8>) {
        var words: (high: UInt64, low: UInt64) = (0, 0)
        var place = 0
        for byte in text {
            defer { place &+= 1 }
            if place == 8 || place == 13 || place == 18 || place == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard place < 36, let digit = byte.hexadecimalDigit else { return nil }
            words.high = words.high &<< 4 | words.low &>> 60
            words.low = words.low &<< 4 | UInt64(digit)
        }
        guard place == 36 else { return nil }
        (high, low) = words
    }
}

extension ModuleID: CustomStringConvertible {
    /// In the form 8-4-4-4-12, with small letters.
    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 {
                text.append(UInt8(ascii: "-"))
            }
            text.append((byte(index) &>> 4).hexadecimalText)
            text.append((byte(index) & 15).hexadecimalText)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension UInt8 {
    /// The digit of a number below 16.
    fileprivate var hexadecimalText: UInt8 {
        self < 10 ? UInt8(ascii: "0") &+ self : UInt8(ascii: "a") &+ (self &- 10)
    }

    fileprivate var hexadecimalDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
