import Synchronization
import WasmSystem

/// Limits how often each of many parties may do something: a token bucket for each key.
///
/// A bucket is full at first, loses a token with each use, and gets `rate` tokens a second back, to
/// `burst` at most. Buckets that are full again are forgotten when there is no room for a new one.
public final class RateLimiter<Key: Hashable & Sendable>: Sendable {
    public struct Limit: Sendable, Equatable {
        /// Uses a second, in the long run; above 0.
        public var rate: Double
        /// Uses at one time; at least 1.
        public var burst: Double

        public init(rate: Double, burst: Double? = nil) {
            self.rate = max(rate, 1e-6)
            self.burst = max(burst ?? rate, 1)
        }
    }

    private struct Bucket: Sendable {
        var tokens: Double
        var time: UInt64
    }

    private struct Contents: Sendable {
        var limit: Limit
        var buckets: [Key: Bucket] = [:]
    }

    private let contents: Mutex<Contents>
    private let capacity: Int
    private let now: @Sendable () -> UInt64

    /// - Parameters:
    ///   - capacity: the number of keys that are remembered.
    ///   - now: nanoseconds on a clock that never goes back.
    public init(
        _ limit: Limit, capacity: Int = 65_536,
        now: @escaping @Sendable () -> UInt64 = { SystemClock.monotonic.now }
    ) {
        contents = Mutex(Contents(limit: limit))
        self.capacity = max(capacity, 1)
        self.now = now
    }

    /// Replaces the limit; buckets keep what they have, up to the new burst.
    public func setLimit(_ limit: Limit) { contents.withLock { $0.limit = limit } }

    /// Takes a token of the key's bucket.
    ///
    /// - Returns: nil if there was one; otherwise the time until there is. If as many keys are
    ///   remembered as may be, and none has a full bucket, a new key waits for a second.
    public func take(_ key: Key) -> Duration? {
        let now = now()
        return contents.withLock { contents in
            let limit = contents.limit
            guard var bucket = contents.buckets[key] else {
                guard makeRoom(&contents, now) else { return .seconds(1) }
                contents.buckets[key] = Bucket(tokens: limit.burst - 1, time: now)
                return nil
            }
            bucket.tokens = Self.tokens(bucket, limit, now)
            bucket.time = now
            defer { contents.buckets[key] = bucket }
            guard bucket.tokens >= 1 else {
                return .nanoseconds(Int64((1 - bucket.tokens) / limit.rate * 1e9) + 1)
            }
            bucket.tokens -= 1
            return nil
        }
    }

    /// The number of keys that are remembered.
    public var count: Int { contents.withLock { $0.buckets.count } }

    private static func tokens(_ bucket: Bucket, _ limit: Limit, _ now: UInt64) -> Double {
        let seconds = Double(now > bucket.time ? now - bucket.time : 0) * 1e-9
        return min(bucket.tokens + seconds * limit.rate, limit.burst)
    }

    private func makeRoom(_ contents: inout Contents, _ now: UInt64) -> Bool {
        guard contents.buckets.count >= capacity else { return true }
        let limit = contents.limit
        contents.buckets = contents.buckets.filter {
            Self.tokens($0.value, limit, now) < limit.burst
        }
        return contents.buckets.count < capacity
    }
}
