// Invariants: a waiter is in `waiters` for each of its cells from its first wait to `end`. While it
// has a continuation, it is among the waiters of each of its interests. Everything is used on the
// loop's thread.

import WasmInterpreter
import WasmSystem
import WasmdEventLoop

/// The waits of guests on a loop: descriptors, times, and cells that other threads wake.
@safe final class GuestWaits: @unchecked Sendable {
    private let loop: EventLoop
    /// The queue of the guests' cells that were woken.
    private let queue = WakeQueue()
    private var queueWatch: DescriptorWatch?
    private var descriptors: [Int32: Watched] = [:]
    private var waiters: [ObjectIdentifier: Waiter] = [:]

    /// A guest, or a task, and all its waits: they allocate nothing but timers and what is needed for
    /// descriptors that are new.
    @safe final class Waiter {
        fileprivate let cells: [WakeCell]
        fileprivate var isKnown = false
        fileprivate var continuation: UnsafeContinuation<Void, Never>?
        fileprivate var interests: [Wait.Interest] = []
        fileprivate var timer: LoopTimer?
        /// All descriptors that it has waited for.
        fileprivate var used: Set<Int32> = []

        init(_ cells: [WakeCell]) { self.cells = cells }

        convenience init(_ execution: Execution) {
            self.init([execution.wakeCell, execution.store.interruptHandle.wakeCell])
        }
    }

    /// The waiters of a descriptor. The watch stays as long as there are users: the same guest will
    /// wait again.
    private struct Watched {
        var watch: DescriptorWatch?
        var waiters: [(waiter: Waiter, directions: Wait.Directions)] = []
        /// Waiters that have used it and have not ended.
        var userCount = 0

        var directions: Wait.Directions {
            waiters.reduce(into: []) { $0.formUnion($1.directions) }
        }
    }

    /// Where the system cannot tell when a descriptor is ready, the guest checks again after this
    /// time.
    private static let blindTime = Duration.milliseconds(10)

    /// - Throws: `EMFILE`, `ENFILE`: one descriptor is needed.
    init(_ loop: EventLoop) throws(SystemError) {
        self.loop = loop
        guard queue.descriptor >= 0 else { throw .mfile }
        queueWatch = try DescriptorWatch(
            queue.descriptor, .reading, reporting: .changes, on: loop
        ) { [weak self] _ in self?.drain() }
    }

    deinit {
        queueWatch?.end()
        queue.close()
    }

    /// Descriptors that are watched.
    var watchCount: Int { descriptors.count }

    /// Waits until `wait` may be over.
    func wait(_ wait: Wait, for waiter: Waiter) async {
        if !waiter.isKnown { register(waiter) }
        // Woken since the guest was suspended, when the waiter had no continuation.
        guard !waiter.cells.contains(where: \.isWoken) else { return await loop.yield() }
        await unsafe withUnsafeContinuation { continuation in
            unsafe begin(waiter, wait, continuation)
        }
    }

    private func register(_ waiter: Waiter) {
        waiter.isKnown = true
        for cell in waiter.cells {
            waiters[ObjectIdentifier(cell)] = waiter
            cell.attach(to: queue)
        }
    }

    private func begin(
        _ waiter: Waiter, _ wait: Wait, _ continuation: UnsafeContinuation<Void, Never>
    ) {
        unsafe waiter.continuation = continuation
        waiter.interests = wait.interests
        for interest in wait.interests { add(waiter, interest) }
        guard let end = wait.end else { return }
        let left = ContinuousClock.now.duration(to: end)
        // A descriptor that cannot be watched is looked at before the end.
        if waiter.timer == nil || left < Self.blindTime { setTimer(waiter, left) }
    }

    /// The waiter does not wait again.
    func end(_ waiter: Waiter) {
        guard waiter.isKnown else { return }
        for cell in waiter.cells { waiters[ObjectIdentifier(cell)] = nil }
        for number in waiter.used {
            guard var watched = descriptors[number] else { continue }
            watched.userCount -= 1
            descriptors[number] = watched.userCount > 0 ? watched : nil
            if watched.userCount <= 0 { watched.watch?.end() }
        }
        waiter.used = []
    }

    private func setTimer(_ waiter: Waiter, _ time: Duration) {
        waiter.timer?.cancel()
        waiter.timer = LoopTimer(at: .after(max(time, .zero)), on: loop) {
            [weak self, weak waiter] in
            guard let self, let waiter else { return }
            waiter.timer = nil
            finish(waiter)
        }
    }

    private func drain() { queue.drain(woken) }

    /// Signals a source from the loop's thread: without a call of the kernel.
    func signal(_ source: WakeSource) { queue.collect(source.signal, woken) }

    private func woken(_ cell: WakeCell) {
        if let waiter = waiters[ObjectIdentifier(cell)] { finish(waiter) }
    }

    /// Ends a wait; nothing happens if it is over.
    private func finish(_ waiter: Waiter) {
        guard let continuation = unsafe waiter.continuation else { return }
        unsafe waiter.continuation = nil
        waiter.timer?.cancel()
        waiter.timer = nil
        for interest in waiter.interests {
            descriptors[interest.descriptor]?.waiters.removeAll { $0.waiter === waiter }
        }
        waiter.interests = []
        unsafe continuation.resume()
    }

    // MARK: Descriptors

    private func add(_ waiter: Waiter, _ interest: Wait.Interest) {
        let number = interest.descriptor
        let isNew = waiter.used.insert(number).inserted
        if isNew { descriptors[number, default: Watched()].userCount += 1 }
        descriptors[number]?.waiters.append((waiter, interest.directions))
        if !arm(number) { setTimer(waiter, Self.blindTime) }
    }

    /// Makes the kernel report the directions that are waited for; false if it cannot.
    private func arm(_ number: Int32) -> Bool {
        guard let watched = descriptors[number] else { return true }
        var interests: Poller.Interests = []
        if watched.directions.contains(.reading) { interests.insert(.reading) }
        if watched.directions.contains(.writing) { interests.insert(.writing) }
        if let watch = watched.watch {
            if (try? watch.arm(interests)) != nil { return true }
            // The number was closed, and may be another file's now.
            watch.end()
        }
        let made = try? DescriptorWatch(number, interests, on: loop) { [weak self] readiness in
            self?.becameReady(number, readiness)
        }
        descriptors[number]?.watch = made
        return made != nil
    }

    private func becameReady(_ number: Int32, _ readiness: Poller.Readiness) {
        guard let watched = descriptors[number] else { return }
        var ready: Wait.Directions = []
        if readiness.contains(.reading) { ready.insert(.reading) }
        if readiness.contains(.writing) { ready.insert(.writing) }
        if readiness.contains(.hangup) { ready = [.reading, .writing] }
        for (waiter, directions) in watched.waiters where !directions.isDisjoint(with: ready) {
            finish(waiter)
        }
        if descriptors[number]?.waiters.isEmpty == false { _ = arm(number) }
    }
}
