/// The format of downloaded backups: tar (POSIX ustar), regular files and folders only.
enum Archive {
    static let blockSize = 512

    /// The header of an entry.
    ///
    /// - Parameter name: at most 99 bytes of ASCII; ends with a slash for a folder.
    static func header(_ name: [UInt8], size: Int, time: UInt64) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ bytes: some Collection<UInt8>, at offset: Int) {
            block.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        }
        func octal(_ value: UInt64, digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            let zeros = String(repeating: "0", count: max(digits - text.utf8.count, 0))
            return Array((zeros + text).utf8)
        }
        let isFolder = name.last == UInt8(ascii: "/")
        put(name.prefix(99), at: 0)
        put(octal(isFolder ? 0o700 : 0o600, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(UInt64(clamping: size), digits: 11).suffix(11), at: 124)
        put(octal(time, digits: 11).suffix(11), at: 136)
        put(Array("        ".utf8), at: 148)
        block[156] = isFolder ? UInt8(ascii: "5") : UInt8(ascii: "0")
        put(Array("ustar".utf8) + [0], at: 257)
        put(Array("00".utf8), at: 263)
        put(octal(sum(block[...]), digits: 6) + [0], at: 148)
        return block
    }

    /// The zeros after the content of an entry.
    static func padding(_ size: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: (blockSize - size % blockSize) % blockSize)
    }

    static let end = [UInt8](repeating: 0, count: 2 * blockSize)

    fileprivate static func sum(_ block: ArraySlice<UInt8>) -> UInt64 {
        block.reduce(0) { $0 + UInt64($1) }
    }
}

/// Reads an archive from pieces of bytes, as they come.
public struct ArchiveReader: Sendable {
    public enum Element: Sendable, Equatable {
        /// A file begins; its content follows in pieces.
        case file(name: [UInt8], size: Int)
        case content([UInt8])
        case fileEnd
        case folder(name: [UInt8])
        /// The end of the archive.
        case end
    }

    public enum Fault: Error, Sendable, Hashable, CustomStringConvertible {
        case header
        case kind(UInt8)

        public var description: String {
            switch self {
            case .header: "this is no archive of tar, or it is damaged"
            case .kind: "the archive has something that is no file and no folder"
            }
        }
    }

    private var buffer: [UInt8] = []
    private var position = 0
    /// Bytes of the file that are left, and of its padding.
    private var left: Int?
    private var padding = 0
    private var isOver = false

    public init() {}

    public mutating func feed(_ bytes: [UInt8]) {
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer += bytes
    }

    /// The next element; nil if more bytes are needed.
    public mutating func next() throws(Fault) -> Element? {
        if isOver { return nil }
        if let left {
            if left == 0 {
                guard buffer.count - position >= padding else { return nil }
                position += padding
                self.left = nil
                return .fileEnd
            }
            let count = min(left, buffer.count - position)
            guard count > 0 else { return nil }
            let piece = Array(buffer[position..<(position + count)])
            position += count
            self.left = left - count
            return .content(piece)
        }
        guard buffer.count - position >= Archive.blockSize else { return nil }
        var block = buffer[position..<(position + Archive.blockSize)]
        position += Archive.blockSize
        if block.allSatisfy({ $0 == 0 }) {
            isOver = true
            return .end
        }
        let start = block.startIndex
        func text(_ offset: Int, _ count: Int) -> ArraySlice<UInt8> {
            block[(start + offset)..<(start + offset + count)].prefix { $0 != 0 }
        }
        func octal(_ offset: Int, _ count: Int) -> UInt64? {
            let digits = text(offset, count).filter { $0 != UInt8(ascii: " ") }
            return UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
        }
        let (name, kind) = (Array(text(0, 100)), block[start + 156])
        guard let size = octal(124, 12).flatMap({ Int(exactly: $0) }), let wanted = octal(148, 8)
        else { throw .header }
        for index in (start + 148)..<(start + 156) { block[index] = UInt8(ascii: " ") }
        guard Archive.sum(block) == wanted, !name.isEmpty else { throw .header }
        switch kind {
        case UInt8(ascii: "5"): return .folder(name: name)
        case UInt8(ascii: "0"), 0:
            left = size
            padding = Archive.padding(size).count
            return .file(name: name, size: size)
        default: throw .kind(kind)
        }
    }
}
