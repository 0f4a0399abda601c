// Soundness: the buffer that the kernel fills is an array's own, for the time of the call.

import Synchronization
import WasmSystem

/// The identity of a run: a UUID of version 7 (RFC 9562, section 5.7).
///
/// Ids sort by the time at which they were made, also as text and also within a millisecond: the 12
/// bits after the milliseconds are a fraction of it (section 6.2, method 3). 62 bits are random
/// bytes of the kernel, so that nobody can guess the id of somebody else's run.
public struct RunID: Hashable, Sendable {
    /// Milliseconds since 1970 (48 bits), version, fraction of the millisecond (12 bits).
    let high: UInt64
    /// Variant, and 62 random bits.
    let low: UInt64

    /// An id that is greater than all that this process made before.
    ///
    /// - Parameter time: nanoseconds since 1970.
    public static func make(at time: UInt64 = SystemClock.realtime.now) -> RunID {
        source.withLock { $0.next(time) }
    }

    private static let source = Mutex(RunIDSource())

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Both words: for places that keep no references.
    public var words: (high: UInt64, low: UInt64) { (high, low) }

    /// Of its words; nil for those of no id, such as zeros.
    public init?(words: (high: UInt64, low: UInt64)) {
        guard words.high & 0xf000 == 0x7000, words.low &>> 62 == 0b10 else { return nil }
        self.init(high: words.high, low: words.low)
    }

    /// From the text with 32 hexadecimal digits and four hyphens; nil for anything else, also for a
    /// UUID of another version.
    public init?(_ text: some StringProtocol) {
        var words: (high: UInt64, low: UInt64) = (0, 0)
        var place = 0
        for byte in text.utf8 {
            defer { place += 1 }
            if place == 8 || place == 13 || place == 18 || place == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte &- UInt8(ascii: "A") &+ 10
            default: return nil
            }
            guard place < 36 else { return nil }
            words.high = words.high &<< 4 | words.low &>> 60
            words.low = words.low &<< 4 | UInt64(digit)
        }
        guard place == 36, words.high & 0xf000 == 0x7000, words.low &>> 62 == 0b10 else {
            return nil
        }
        (high, low) = words
    }

    /// Milliseconds since 1970 at which it was made, unless the clock was set back.
    public var milliseconds: UInt64 { high &>> 16 }
}

extension RunID: Comparable {
    public static func < (one: RunID, other: RunID) -> Bool {
        (one.high, one.low) < (other.high, other.low)
    }
}

extension RunID: CustomStringConvertible {
    /// As `019391f4-6c1e-7a3b-9f0c-5d1e2a3b4c5d`.
    public var description: String {
        var text: [UInt8] = []
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the text, which is ASCII.
    public func append(to text: inout [UInt8]) {
        text.append(addingCapacity: 36) { (output: inout OutputSpan<UInt8>) in
            for place in 0..<32 {
                if place == 8 || place == 12 || place == 16 || place == 20 {
                    output.append(UInt8(ascii: "-"))
                }
                let word = place < 16 ? high : low
                let shift = UInt64(truncatingIfNeeded: 60 &- (place & 15) &* 4)
                let digit = UInt8(truncatingIfNeeded: word &>> shift) & 15
                output.append(
                    digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "a") &+ (digit &- 10))
            }
        }
    }
}

/// Makes ids; random bytes are taken from the kernel for 64 of them at a time.
struct RunIDSource {
    private var random = [UInt64](repeating: 0, count: 64)
    private var left = 0
    /// Milliseconds and their fraction of the last id.
    private var last: UInt64 = 0

    init() {}

    mutating func next(_ nanoseconds: UInt64) -> RunID {
        let milliseconds = nanoseconds / 1_000_000
        let fraction = (nanoseconds % 1_000_000) &* 4096 / 1_000_000
        last = max(milliseconds &<< 12 | fraction, last &+ 1)
        return RunID(
            high: (last &>> 12) &<< 16 | 0x7000 | last & 0xfff,
            low: 0b10 &<< 62 | nextRandom() &>> 2)
    }

    private mutating func nextRandom() -> UInt64 {
        if left == 0 { refill() }
        left -= 1
        let value = random[left]
        random[left] = 0
        return value
    }

    private mutating func refill() {
        do throws(SystemError) {
            var result = Result<Void, SystemError>.success(())
            unsafe random.withUnsafeMutableBytes { buffer in
                result = Result { () throws(SystemError) in try unsafe Kernel.random(buffer) }
            }
            try result.get()
        } catch {
            var generator = SystemRandomNumberGenerator()
            for index in random.indices { random[index] = generator.next() }
        }
        left = random.count
    }
}
