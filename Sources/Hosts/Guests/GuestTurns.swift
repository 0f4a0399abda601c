import WasmdEventLoop

/// Lets guests of a loop that compute take turns, one at a time between two looks at the descriptors:
/// what waits for the loop waits for one turn at most, however many guests compute.
///
/// Used on the loop's thread only.
@safe final class GuestTurns: @unchecked Sendable {
    private let loop: EventLoop
    private var waiting = unsafe [UnsafeContinuation<Void, Never>]()
    private var first = 0
    private var isGiving = false

    init(_ loop: EventLoop) { self.loop = loop }

    /// Guests that wait for a turn.
    var count: Int { unsafe waiting.count - first }

    /// Waits until it is the caller's turn.
    func next() async {
        await unsafe withUnsafeContinuation { continuation in
            unsafe waiting.append(continuation)
            guard !isGiving else { return }
            isGiving = true
            loop.spawn(priority: .background) { await self.give() }
        }
    }

    private func give() async {
        while unsafe first < waiting.count {
            let continuation = unsafe waiting[first]
            first += 1
            if unsafe first == waiting.count || first >= 1024 {
                unsafe waiting.removeFirst(first)
                first = 0
            }
            unsafe continuation.resume()
            await loop.yield()
        }
        isGiving = false
    }
}
