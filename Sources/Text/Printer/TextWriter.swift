import WasmSystem

// Soundness: `start` points at memory of this writer's own, from `start` to `limit`; it is written
// from `start` to `next`, which stays between the two: `reserve` is called before anything is
// written. Other code has the pointers only during `withText` and a call of the sink.

/// The text that a printer makes, byte by byte. It is read when it is complete, or handed on in
/// pieces as it grows.
struct TextWriter: ~Copyable {
    /// Gets a piece of the text; false if it wants no more.
    typealias Sink = (UnsafeBufferPointer<UInt8>) -> Bool

    private var start: UnsafeMutablePointer<UInt8>
    private var next: UnsafeMutablePointer<UInt8>
    private var limit: UnsafeMutablePointer<UInt8>
    /// Where the current line begins, from `start`; negative if its begin was handed on.
    private var lineStart = 0
    /// How many bytes of the text were handed on.
    private var flushed = 0
    private let sink: Sink?
    /// Whether the text got larger than a parser reads. It is then of no use, and what is written
    /// replaces what was there.
    private(set) var isFull = false
    /// Whether the sink wants no more: what is written goes nowhere.
    private var isUnwanted = false
    /// Whether printing more is of no use.
    private(set) var isStopped = false

    /// Bytes that are collected for a sink.
    private static var pieceSize: Int { 256 << 10 }

    /// Deeper levels are not indented further: the text stays linear in the depth of nesting.
    private static var deepestLevel: Int { 40 }

    init(capacity: Int, sink: Sink? = nil) {
        let capacity = max(sink == nil ? capacity : min(capacity, Self.pieceSize), 64)
        self.sink = sink
        start = Self.allocate(nil, capacity)
        next = start
        limit = start + capacity
    }

    deinit { Allocation.free(start) }

    /// Growing large memory moves its pages instead of copying it.
    private static func allocate(
        _ old: UnsafeMutablePointer<UInt8>?, _ capacity: Int
    ) -> UnsafeMutablePointer<UInt8> {
        guard let memory = Allocation.resized(old, capacity) else {
            // Nothing that Swift allocates survives this either.
            CurrentProcess.abort()
        }
        return memory.bindMemory(to: UInt8.self, capacity: capacity)
    }

    /// Calls `body` with what was written; the buffer must not be used after it returns.
    borrowing func withText<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        body(UnsafeBufferPointer(start: start, count: next - start))
    }

    /// Makes room for `count` bytes.
    @inline(__always)
    private mutating func reserve(_ count: Int) {
        if limit - next < count { grow(count) }
    }

    @inline(never)
    private mutating func grow(_ count: Int) {
        if flushed + (next - start) > TextLimits.bytes - count {
            isFull = true
            isStopped = true
            next = start
            flushed = 0
            lineStart = 0
        }
        if sink != nil, limit - start >= Self.pieceSize {
            flush()
            if limit - next >= count { return }
        }
        let length = next - start
        let capacity = max(2 * (limit - start), length + count)
        start = Self.allocate(start, capacity)
        next = start + length
        limit = start + capacity
    }

    /// Hands on what was written since the last time, if there is a sink.
    mutating func flush() {
        guard let sink else { return }
        if !isFull, !isUnwanted {
            isUnwanted = !sink(UnsafeBufferPointer(start: start, count: next - start))
            if isUnwanted { isStopped = true }
        }
        flushed += next - start
        lineStart -= next - start
        next = start
    }

    /// Whether a line was begun after the first one.
    var hasLines: Bool { lineStart > 0 || flushed > 0 }

    /// How many bytes the current line has.
    var column: Int { next - start - lineStart }

    /// A new line, two spaces for each level.
    @inline(__always)
    mutating func newline(_ level: Int) {
        let count = 2 * max(0, min(level, Self.deepestLevel))
        reserve(count + 1)
        next.pointee = 0x0a
        lineStart = next + 1 - start
        (next + 1).initialize(repeating: 0x20, count: count)
        next += count + 1
    }

    @inline(__always)
    mutating func byte(_ byte: UInt8) {
        reserve(1)
        next.pointee = byte
        next += 1
    }

    @inline(__always)
    mutating func space() { byte(0x20) }

    @inline(__always)
    private mutating func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        reserve(count)
        next.initialize(from: bytes, count: count)
        next += count
    }

    @inline(__always)
    mutating func write(_ text: StaticString) {
        if text.hasPointerRepresentation {
            append(text.utf8Start, text.utf8CodeUnitCount)
        } else {
            write(string: text.description)
        }
    }

    mutating func write(string text: String) { for byte in text.utf8 { self.byte(byte) } }

    @inline(__always)
    mutating func write(_ slice: ArraySlice<UInt8>) {
        slice.withUnsafeBufferPointer {
            if let bytes = $0.baseAddress { append(bytes, $0.count) }
        }
    }

    // MARK: Numbers

    @inline(__always)
    mutating func number(_ value: UInt32) { number(UInt64(value)) }

    mutating func number(_ value: Int64) {
        if value < 0 { byte(0x2d) }
        number(value.magnitude)
    }

    @inline(__always)
    mutating func number(_ value: UInt64) {
        if value < 10 { byte(0x30 | UInt8(truncatingIfNeeded: value)) } else { longNumber(value) }
    }

    private mutating func longNumber(_ value: UInt64) {
        // 2^64 has 20 digits.
        reserve(20)
        var count = 1
        var power: UInt64 = 10
        while count < 20, value >= power {
            count += 1
            power &*= 10
        }
        var rest = value
        var place = next + count
        next = place
        while count > 0 {
            place -= 1
            place.pointee = 0x30 | UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            count -= 1
        }
    }

    /// `0x` and at least `digits` digits.
    mutating func hexadecimal(_ value: UInt64, digits: Int = 1) {
        write("0x")
        var count = max(digits, 1)
        while count < 16, value >> UInt64(4 * count) != 0 { count += 1 }
        while count > 0 {
            count -= 1
            byte(hexadecimalDigit(of: UInt8(truncatingIfNeeded: value >> UInt64(4 * count)) & 15))
        }
    }

    // MARK: Strings

    /// A string literal of arbitrary bytes: what is not printable ASCII is escaped.
    mutating func string(_ content: UnsafeRawBufferPointer) {
        // At most three bytes for each, and the quotation marks.
        reserve(content.count * 3 + 2)
        byte(0x22)
        for value in content {
            if (0x20...0x7e).contains(value), value != 0x22, value != 0x5c {
                byte(value)
            } else {
                escape(value)
            }
        }
        byte(0x22)
    }

    private mutating func escape(_ value: UInt8) {
        byte(0x5c)
        if value == 0x22 || value == 0x5c { return byte(value) }
        byte(hexadecimalDigit(of: value >> 4))
        byte(hexadecimalDigit(of: value & 15))
    }

    /// A string literal of valid UTF-8: what people can read stays as it is.
    mutating func string(utf8 content: [UInt8]) {
        for byte in textString(utf8: content) { self.byte(byte) }
    }
}

func hexadecimalDigit(of value: UInt8) -> UInt8 {
    value < 10 ? 0x30 + value : 0x57 + value
}
