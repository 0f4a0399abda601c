import WasmdDocuments

/// Headers of archives of tar: POSIX.1-1988 (ustar).
enum TarHeader {
    static let blockSize = 512

    /// The header of a file, or of a link to an earlier one.
    ///
    /// - Returns: nil if the name is longer than 100 bytes.
    static func block(
        _ name: [UInt8], size: Int, link: [UInt8]? = nil, seconds: Int64
    ) -> [UInt8]? {
        guard (1...100).contains(name.count), (link ?? [0]).count <= 100 else { return nil }
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ bytes: [UInt8], at offset: Int) {
            block.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        }
        func put(octal number: Int64, _ digits: Int, at offset: Int) {
            let text = String(max(number, 0), radix: 8).utf8
            guard text.count <= digits else { return }
            put([UInt8](repeating: 0x30, count: digits - text.count) + Array(text), at: offset)
        }
        put(name, at: 0)
        put(octal: 0o644, 7, at: 100)
        put(octal: 0, 7, at: 108)
        put(octal: 0, 7, at: 116)
        put(octal: Int64(size), 11, at: 124)
        put(octal: seconds, 11, at: 136)
        put([link == nil ? 0x30 : 0x31], at: 156)
        put(link ?? [], at: 157)
        put(Array("ustar\0".utf8) + Array("00".utf8), at: 257)
        // The sum of all bytes, with spaces in place of itself.
        let sum = block.reduce(8 * 0x20) { $0 + Int64($1) }
        put(octal: sum, 6, at: 148)
        put([0, 0x20], at: 154)
        return block
    }

    /// Bytes that fill a file's last block.
    static func padding(_ size: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: (blockSize - size % blockSize) % blockSize)
    }

    static let end = [UInt8](repeating: 0, count: 2 * blockSize)
}

/// Reads an archive of tar as it arrives, in pieces cut anywhere: files and their names, also long
/// ones as GNU and POSIX.1-2001 write them. Links and folders are passed over.
struct TarReader {
    enum Event: Equatable {
        case begin(name: [UInt8], size: Int)
        case content([UInt8])
        case end
    }

    /// Why an archive is refused.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    private enum Phase {
        case header
        /// Bytes of a file that are still to come.
        case file(Int, padding: Int)
        /// What is to be passed over, or kept as the name of the next file.
        case skipped(Int, padding: Int)
        case name(Int, padding: Int, isExtended: Bool)
        case over
    }

    private var phase = Phase.header
    private var waiting: [UInt8] = []
    private var longName: [UInt8]?

    /// Bytes of a name, with what is around it.
    private static let nameLimit = 64 << 10

    init() {}

    mutating func feed(_ bytes: [UInt8]) throws(Fault) -> [Event] {
        waiting += bytes
        var events: [Event] = []
        var at = 0
        while try step(&at, &events) {}
        waiting.removeFirst(min(at, waiting.count))
        return events
    }

    /// Checks that the archive is complete: that it has the empty block at its end.
    func finish() throws(Fault) {
        guard case .over = phase else {
            throw Fault(description: "the archive ends too early")
        }
    }

    /// Whether there is more to do with the bytes that wait.
    private mutating func step(_ at: inout Int, _ events: inout [Event]) throws(Fault) -> Bool {
        let rest = waiting.count - at
        switch phase {
        case .over:
            at = waiting.count
            return false
        case .header:
            guard rest >= TarHeader.blockSize else { return false }
            try header(Array(waiting[at..<(at + TarHeader.blockSize)]), &events)
            at += TarHeader.blockSize
            return true
        case .file(let size, let padding):
            if size == 0 {
                events.append(.end)
                phase = .skipped(0, padding: padding)
                return true
            }
            guard rest > 0 else { return false }
            let count = min(size, rest)
            events.append(.content(Array(waiting[at..<(at + count)])))
            at += count
            phase = .file(size - count, padding: padding)
            return true
        case .skipped(let size, let padding):
            let count = min(size + padding, rest)
            at += count
            guard count == size + padding else {
                phase = .skipped(max(size - count, 0), padding: padding - max(count - size, 0))
                return false
            }
            phase = .header
            return true
        case .name(let size, let padding, let isExtended):
            guard rest >= size + padding else { return false }
            let bytes = Array(waiting[at..<(at + size)])
            longName = isExtended ? Self.path(bytes) ?? longName : Self.text(bytes[...])
            at += size + padding
            phase = .header
            return true
        }
    }

    private mutating func header(_ block: [UInt8], _ events: inout [Event]) throws(Fault) {
        if block.allSatisfy({ $0 == 0 }) {
            phase = .over
            return
        }
        let sum = block.enumerated().reduce(Int64(0)) { sum, byte in
            sum + ((148..<156).contains(byte.offset) ? 0x20 : Int64(byte.element))
        }
        guard Self.octal(block[148..<156]) == sum, let size = Self.octal(block[124..<136]),
            let count = Int(exactly: size), count <= Int.max / 2
        else { throw Fault(description: "this is no archive of tar, or it is damaged") }
        let padding = (TarHeader.blockSize - count % TarHeader.blockSize) % TarHeader.blockSize
        switch block[156] {
        case 0, 0x30, 0x37:
            var name = Self.text(block[0..<100])
            let prefix = Self.text(block[345..<500])
            if block[257..<262].elementsEqual("ustar".utf8), !prefix.isEmpty, block[262] == 0 {
                name = prefix + [UInt8(ascii: "/")] + name
            }
            events.append(.begin(name: longName ?? name, size: count))
            longName = nil
            phase = .file(count, padding: padding)
        case UInt8(ascii: "L"), UInt8(ascii: "x"):
            guard count <= Self.nameLimit else {
                throw Fault(description: "a name in the archive is too long")
            }
            phase = .name(count, padding: padding, isExtended: block[156] == UInt8(ascii: "x"))
        case 0x31, 0x32, 0x35:
            longName = nil
            // Links and folders have no contents.
            phase = .header
        default:
            phase = .skipped(count, padding: padding)
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(bytes.prefix { $0 != 0 })
    }

    private static func octal(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let digits = bytes.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard !digits.isEmpty, digits.count <= 12 else { return nil }
        var number: Int64 = 0
        for digit in digits {
            guard (0x30...0x37).contains(digit) else { return nil }
            number = number << 3 | Int64(digit - 0x30)
        }
        return number
    }

    /// The path among records of POSIX.1-2001: `LENGTH path=VALUE` and a line end each.
    private static func path(_ bytes: [UInt8]) -> [UInt8]? {
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 0x20),
            let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
            length > space - rest.startIndex, length <= rest.count
        {
            let record = rest[(space + 1)..<(rest.startIndex + length)]
            if record.starts(with: "path=".utf8) { return Array(record.dropFirst(5).dropLast()) }
            rest = rest[(rest.startIndex + length)...]
        }
        return nil
    }
}
