// Invariants: a waiter that is not over is in `descriptors` for each of its interests and in
// `cells` for each of its cells. Everything is used on the loop's thread.

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
    private var cells: [ObjectIdentifier: [Waiter]] = [:]

    @safe private final class Waiter {
        let wait: Wait
        let cells: [WakeCell]
        let continuation: UnsafeContinuation<Void, Never>
        var timer: LoopTimer?

        init(
            _ wait: Wait, _ cells: [WakeCell], _ continuation: UnsafeContinuation<Void, Never>
        ) {
            self.wait = wait
            self.cells = cells
            unsafe self.continuation = continuation
        }
    }

    /// The waiters of a descriptor. The watch stays when there are none: the same guest will wait
    /// again.
    private struct Watched {
        var watch: DescriptorWatch?
        var waiters: [(waiter: Waiter, directions: Wait.Directions)] = []

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

    /// Waits until the guest's wait may be over; returns at once if it does not wait.
    func wait(for execution: Execution) async {
        guard let wait = execution.wait else { return }
        let cells = [execution.wakeCell, execution.store.interruptHandle.wakeCell]
        await unsafe withUnsafeContinuation { continuation in
            unsafe begin(Waiter(wait, cells, continuation))
        }
    }

    private func begin(_ waiter: Waiter) {
        for interest in waiter.wait.interests { add(waiter, interest) }
        if let end = waiter.wait.end { setTimer(waiter, ContinuousClock.now.duration(to: end)) }
        for cell in waiter.cells {
            cells[ObjectIdentifier(cell), default: []].append(waiter)
            cell.attach(to: queue)
        }
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

    private func drain() {
        var woken: [Waiter] = []
        queue.drain { woken += cells[ObjectIdentifier($0)] ?? [] }
        for waiter in woken { finish(waiter) }
    }

    /// Ends a wait; nothing happens if it is over.
    private func finish(_ waiter: Waiter) {
        guard let first = waiter.cells.first,
            cells[ObjectIdentifier(first)]?.contains(where: { $0 === waiter }) == true
        else { return }
        waiter.timer?.cancel()
        waiter.timer = nil
        for cell in waiter.cells {
            let key = ObjectIdentifier(cell)
            cells[key]?.removeAll { $0 === waiter }
            if cells[key]?.isEmpty == true { cells[key] = nil }
        }
        for interest in waiter.wait.interests {
            descriptors[interest.descriptor]?.waiters.removeAll { $0.waiter === waiter }
        }
        unsafe waiter.continuation.resume()
    }

    // MARK: Descriptors

    private func add(_ waiter: Waiter, _ interest: Wait.Interest) {
        let number = interest.descriptor
        descriptors[number, default: Watched()].waiters.append((waiter, interest.directions))
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
