/// How the bytes of a function's body, or of a section, differ from those that the parser writes for
/// its text: numbers that take more bytes than they need, and other long forms.
///
/// A text says it in `(@wasmd.padding ...)`; see docs/text.md.
struct Padding: Equatable {
    /// A place that differs.
    struct Edit: Equatable {
        enum Change: Equatable {
            /// The number there takes `width` bytes; `isNegative` if it is filled with ones.
            case padding(width: Int, isNegative: Bool)
            /// Other bytes instead of the `count` that the parser writes.
            case replacement(count: Int, bytes: [UInt8])
        }

        /// Where it begins in what the parser writes.
        var position: Int
        var change: Change
    }

    /// The checksum of what the parser writes; for other bytes the edits mean nothing.
    var check: UInt32 = 0
    /// How many bytes the size before the body or section takes, if more than needed.
    var sizeWidth: Int?
    /// In the order of their positions; none is inside of another.
    var edits: [Edit] = []

    /// Bytes of the longest number of the binary format.
    static let widthLimit = 10

    var isEmpty: Bool { sizeWidth == nil && edits.isEmpty }

    /// The bytes as they were; nil if `bytes` are not those that the edits were made for.
    func applied(to bytes: [UInt8]) -> [UInt8]? {
        if edits.isEmpty { return bytes }
        guard check == checksum(bytes) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 4 * edits.count)
        var copied = 0
        for edit in edits {
            guard edit.position >= copied, edit.position <= bytes.count else { return nil }
            result += bytes[copied..<edit.position]
            switch edit.change {
            case .padding(let width, let isNegative):
                guard let count = Self.numberLength(bytes[edit.position...]), count < width else {
                    return nil
                }
                copied = edit.position + count
                result += bytes[edit.position..<copied - 1]
                result.append(bytes[copied - 1] | 0x80)
                let fill: UInt8 = isNegative ? 0xff : 0x80
                result += repeatElement(fill, count: width - count - 1)
                result.append(fill & 0x7f)
            case .replacement(let count, let replacement):
                guard count <= bytes.count - edit.position else { return nil }
                copied = edit.position + count
                result += replacement
            }
        }
        result += bytes[copied...]
        return result
    }

    private static func numberLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        bytes.prefix(widthLimit).firstIndex { $0 < 0x80 }.map { $0 - bytes.startIndex + 1 }
    }

    /// Calls `body` with each edit and the number of bytes that it and those before it add. The
    /// edits must have been applied to `bytes`.
    func forEachShift(in bytes: [UInt8], _ body: (Edit, Int) -> Void) {
        var shift = 0
        for edit in edits {
            switch edit.change {
            case .padding(let width, _):
                shift += width - (Self.numberLength(bytes[edit.position...]) ?? width)
            case .replacement(let count, let replacement):
                shift += replacement.count - count
            }
            body(edit, shift)
        }
    }
}

/// Where instructions are after the edits of a function's padding.
struct PaddingShifts {
    private var positions: [Int] = []
    private var shifts: [Int] = []

    init() {}

    init(_ padding: Padding, in bytes: [UInt8]) {
        padding.forEachShift(in: bytes) { edit, shift in
            positions.append(edit.position)
            shifts.append(shift)
        }
    }

    /// The place of what the parser wrote at `position`, where an instruction starts.
    func shifted(_ position: Int) -> Int {
        var low = 0
        var high = positions.count
        while low < high {
            let middle = (low + high) / 2
            if positions[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? position : position + shifts[low - 1]
    }
}
