// Invariants: `watches` has every wait that is under way; `descriptors`, `cells` and `timers` name
// only those.

import WasmMachine
import WasmSystem

/// Waits for many guests on one thread, and calls back for each whose wait may be over.
///
///     loop.watch(execution) { ... resume it ... }
///     while loop.hasWatches { loop.runOnce() }
///
/// Used by one thread. Others reach it through the guests' cells and `queue`.
@_spi(Loops) public final class WaitLoop {
    @_spi(Loops) public typealias Action = () -> Void

    /// Where the cells of the guests are put when they are woken.
    @_spi(Loops) public let queue = WakeQueue()
    private let epoll: Epoll
    private var watches: [Int: Watch] = [:]
    private var descriptors: [Int32: Watched] = [:]
    private var cells: [ObjectIdentifier: [Int]] = [:]
    private var timers = TimerQueue()
    private var lastNumber = 0
    private let origin = ContinuousClock.now

    private struct Watch {
        let wait: Wait
        let cells: [WakeCell]
        let action: Action
        var timers: [TimerQueue.Timer] = []
    }

    /// The watches that wait for a descriptor.
    private struct Watched {
        var directions: Wait.Directions = []
        var watches: [(number: Int, directions: Wait.Directions)] = []
    }

    /// Where the system cannot tell when a descriptor is ready, the guest checks again after this
    /// time.
    private static let blindNanoseconds: UInt64 = 10_000_000

    /// Nil if the system has no descriptors left.
    @_spi(Loops) public init?() {
        guard let epoll = Epoll(), queue.descriptor >= 0,
            epoll.set(queue.descriptor, .reading)
        else { return nil }
        self.epoll = epoll
    }

    deinit { queue.close() }

    @_spi(Loops) public var hasWatches: Bool { !watches.isEmpty }

    /// Calls `action` once, on the loop's thread, when the execution is to be resumed. It must wait
    /// in `Reason.wait`.
    @_spi(Loops) public func watch(_ execution: Execution, _ action: @escaping Action) {
        watch(
            execution.wait ?? Wait(),
            [execution.wakeCell, execution.store.interruptHandle.wakeCell], action)
    }

    /// The same for a wait and the cells that end it too.
    @_spi(Loops) public func watch(_ wait: Wait, _ cells: [WakeCell], _ action: @escaping Action) {
        lastNumber += 1
        let number = lastNumber
        watches[number] = Watch(wait: wait, cells: cells, action: action)
        for interest in wait.interests { add(interest, number) }
        if let end = wait.end { setTimer(at: time(of: end), number) }
        for cell in cells {
            self.cells[ObjectIdentifier(cell), default: []].append(number)
            cell.attach(to: queue)
        }
    }

    /// Waits until something happens or `nanoseconds` have passed, and calls the actions.
    @_spi(Loops) public func runOnce(nanoseconds: Int64? = nil) {
        var due: [Int] = []
        let now = time(of: .now)
        var timeout = nanoseconds
        if let first = timers.earliest {
            timeout = min(timeout ?? .max, first > now ? Int64(clamping: first - now) : 0)
        }
        epoll.wait(nanoseconds: timeout) { descriptor, ready in
            guard descriptor != queue.descriptor else {
                return queue.drain { due += cells[ObjectIdentifier($0)] ?? [] }
            }
            guard let watched = descriptors[descriptor] else { return }
            for watch in watched.watches where !watch.directions.isDisjoint(with: ready) {
                due.append(watch.number)
            }
        }
        let end = time(of: .now)
        while let number = timers.next(at: end) { due.append(Int(truncatingIfNeeded: number)) }
        for number in due { finish(number) }
    }

    /// Runs an execution until it returns, and waits for it.
    ///
    /// - Throws: as `Execution.resume()`; `SuspensionError.resultsMissing` if it is suspended for
    ///   another reason than a wait.
    @_spi(Loops) public func finish(_ execution: Execution) throws -> [Value] {
        while true {
            switch try execution.resume() {
            case .finished(let results): return results
            case .suspended(.wait):
                var isOver = false
                watch(execution) { isOver = true }
                while !isOver { runOnce() }
            case .suspended: throw SuspensionError.resultsMissing
            }
        }
    }

    private func finish(_ number: Int) {
        guard let watch = watches.removeValue(forKey: number) else { return }
        for timer in watch.timers { timers.cancel(timer) }
        for interest in watch.wait.interests { remove(interest.descriptor, number) }
        for cell in watch.cells {
            let key = ObjectIdentifier(cell)
            cells[key]?.removeAll { $0 == number }
            if cells[key]?.isEmpty == true { cells[key] = nil }
        }
        watch.action()
    }

    private func setTimer(at time: UInt64, _ number: Int) {
        let timer = timers.set(at: time, token: UInt64(truncatingIfNeeded: number))
        watches[number]?.timers.append(timer)
    }

    private func add(_ interest: Wait.Interest, _ number: Int) {
        var watched = descriptors[interest.descriptor] ?? Watched()
        let before = watched.directions
        watched.watches.append((number, interest.directions))
        watched.directions.formUnion(interest.directions)
        let isKnown =
            before == watched.directions
            || epoll.set(interest.descriptor, watched.directions)
        if !isKnown {
            watched.directions = before
            setTimer(at: time(of: .now) &+ Self.blindNanoseconds, number)
        }
        descriptors[interest.descriptor] = watched
    }

    private func remove(_ descriptor: Int32, _ number: Int) {
        guard var watched = descriptors[descriptor] else { return }
        watched.watches.removeAll { $0.number == number }
        let wanted = watched.watches.reduce(into: Wait.Directions()) { $0.formUnion($1.directions) }
        if wanted != watched.directions, !watched.directions.isEmpty {
            _ = epoll.set(descriptor, wanted.intersection(watched.directions))
        }
        watched.directions.formIntersection(wanted)
        descriptors[descriptor] = watched.watches.isEmpty ? nil : watched
    }

    /// Nanoseconds on the loop's own scale, saturated.
    private func time(of instant: ContinuousClock.Instant) -> UInt64 {
        let span = origin.duration(to: instant)
        guard span >= .zero else { return 0 }
        // Rounded up: a timer is never early. A longer time is cut to two centuries.
        return span.nanoseconds(atMost: 8_589_934_592_000_000_000) + 1
    }
}
