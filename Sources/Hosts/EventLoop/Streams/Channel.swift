// Soundness: a channel is used by its loop's thread only, except `deinit`, when there is no other
// reference, and `cancel` and `close`, which send a message from other threads.

import WasmSystem

/// A descriptor of a loop, and the tasks that wait for it: at most one for each direction.
///
/// Readiness is remembered, and the kernel reports only changes (`EPOLLET`). A direction counts as
/// ready until a call fails with `EAGAIN`, or, on sockets, moves fewer bytes than it could; so a
/// connection needs no calls of the kernel except those that move bytes, and waits.
final class Channel: Watcher, @unchecked Sendable {
    enum Direction: Sendable { case reading, writing }

    /// The result of a wait.
    enum Outcome: Sendable {
        case ready, timedOut, cancelled, closed, busy
        case failed(SystemError)
    }

    @safe private struct Waiting {
        var number: UInt64 = 0
        var continuation: UnsafeContinuation<Outcome, Never>?
    }

    let loop: EventLoop
    /// -1 when it was closed.
    private(set) var descriptor: Int32
    private var watch: Watch?
    private var reader = Waiting()
    private var writer = Waiting()
    private var timer: EventLoop.Timer?
    private var timerTime = LoopInstant.never
    /// Waits that are not over at this time end with `timedOut`.
    private(set) var deadline = LoopInstant.never
    /// The same for waits to write only.
    private(set) var writeDeadline = LoopInstant.never
    /// Whether a call may find something; false after one that did not.
    var mayRead = true
    var mayWrite = true
    /// The peer has stopped sending: the rest is read until the end shows.
    private(set) var hasEnd = false
    /// The peer has disconnected, or there is an error.
    private(set) var hasHangup = false
    /// Called once, on the loop's thread, when the peer has stopped sending or disconnected.
    private var onEnd: (() -> Void)?
    /// Released when the descriptor is closed.
    private var attached: (any AnyObject & Sendable)?
    /// Whether the kernel cannot report readiness, since the file is always ready.
    private var isAlwaysReady = false

    /// Takes ownership of a nonblocking descriptor.
    init(_ descriptor: Int32, _ loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    deinit { if descriptor >= 0 { try? Kernel.close(descriptor) } }

    var isOpen: Bool { descriptor >= 0 }

    /// The descriptor, for a call on the loop's thread.
    @inline(__always)
    func opened() throws(LoopError) -> Int32 {
        try loop.check()
        guard descriptor >= 0 else { throw .closed }
        return descriptor
    }

    // MARK: Waiting

    /// Waits until a direction may be ready.
    func ready(_ direction: Direction) async throws(LoopError) {
        try Self.check(await wait(direction))
    }

    /// The same without a handler for cancellation, which costs as much as the wait itself: a task
    /// that is cancelled must be woken by `wakeReader`.
    func readyUnlessWoken(_ direction: Direction) async throws(LoopError) {
        let number = loop.nextWait()
        try Self.check(
            await unsafe withUnsafeContinuation { unsafe begin(direction, number, $0) })
    }

    private static func check(_ outcome: Outcome) throws(LoopError) {
        switch outcome {
        case .ready: return
        case .timedOut: throw .timedOut
        case .cancelled: throw .cancelled
        case .closed: throw .closed
        case .busy: throw .busy
        case .failed(let error): throw .system(error)
        }
    }

    private func wait(_ direction: Direction) async -> Outcome {
        let number = loop.nextWait()
        return await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { unsafe begin(direction, number, $0) }
        } onCancel: {
            loop.onLoop { self.cancel(direction, number) }
        }
    }

    private func begin(
        _ direction: Direction, _ number: UInt64, _ continuation: UnsafeContinuation<Outcome, Never>
    ) {
        if let outcome = outcomeAtOnce(direction) {
            return unsafe continuation.resume(returning: outcome)
        }
        let waiting = unsafe Waiting(number: number, continuation: continuation)
        switch direction {
        case .reading: reader = waiting
        case .writing: writer = waiting
        }
        setTimer()
    }

    /// The result of the wait without waiting; nil if it must wait.
    private func outcomeAtOnce(_ direction: Direction) -> Outcome? {
        guard descriptor >= 0 else { return .closed }
        if Task.isCancelled { return .cancelled }
        let isBusy =
            switch direction {
            case .reading: unsafe reader.continuation != nil
            case .writing: unsafe writer.continuation != nil
            }
        if isBusy { return .busy }
        do throws(SystemError) { try beginWatch() } catch { return .failed(error) }
        if isAlwaysReady || (direction == .reading ? mayRead : mayWrite) {
            setReady(direction)
            return .ready
        }
        let end = end(direction)
        // A time that passes during the turn is the timer's.
        guard end <= loop.turnTime else { return nil }
        // The current state counts more than the last report.
        let isReady = try? Kernel.isReady(descriptor, isReading: direction == .reading)
        guard isReady == true else { return .timedOut }
        setReady(direction)
        return .ready
    }

    /// Makes the kernel report changes from now on.
    private func beginWatch() throws(SystemError) {
        guard watch == nil, !isAlwaysReady else { return }
        do throws(SystemError) {
            watch = try loop.watch(self, descriptor, [.reading, .writing], .changes)
        } catch {
            guard error == .perm else { throw error }
            isAlwaysReady = true
        }
    }

    /// Sets a closure that is called when the peer stops sending, or disconnects; in a later turn
    /// of the loop if that was reported already. Nil removes it.
    func setOnEnd(_ body: (() -> Void)?) throws(SystemError) {
        onEnd = body
        guard body != nil, descriptor >= 0 else { return }
        try beginWatch()
        if hasEnd { loop.later { [weak self] in self?.callOnEnd() } }
    }

    /// Keeps an object until the descriptor is closed.
    func attach(_ object: any AnyObject & Sendable) { if isOpen { attached = object } }

    private func callOnEnd() {
        guard let body = onEnd else { return }
        onEnd = nil
        body()
    }

    private func setReady(_ direction: Direction) {
        switch direction {
        case .reading: mayRead = true
        case .writing: mayWrite = true
        }
    }

    /// Resumes the task that waits for a direction, if there is one.
    private func finish(_ direction: Direction, _ outcome: Outcome) {
        switch direction {
        case .reading:
            guard let continuation = unsafe reader.continuation else { return }
            unsafe reader.continuation = nil
            unsafe continuation.resume(returning: outcome)
        case .writing:
            guard let continuation = unsafe writer.continuation else { return }
            unsafe writer.continuation = nil
            unsafe continuation.resume(returning: outcome)
        }
    }

    private func cancel(_ direction: Direction, _ number: UInt64) {
        let current =
            switch direction {
            case .reading: reader.number
            case .writing: writer.number
            }
        if current == number { finish(direction, .cancelled) }
    }

    /// Ends a wait to read, as if something had arrived.
    func wakeReader() { finish(.reading, .ready) }

    /// Handles a change that the kernel reports.
    override func becameReady(_ readiness: Poller.Readiness) {
        if readiness.contains(.hangup) { hasHangup = true }
        if readiness.contains(.hangup) || readiness.contains(.endOfInput) { hasEnd = true }
        if readiness.contains(.reading) {
            mayRead = true
            finish(.reading, .ready)
        }
        if readiness.contains(.writing) {
            mayWrite = true
            finish(.writing, .ready)
        }
        if hasEnd, onEnd != nil { callOnEnd() }
    }

    // MARK: The deadline

    /// Sets the deadline of waits, also of those that are under way. Setting a later one is cheap:
    /// the timer checks it when it fires.
    func setDeadline(_ time: LoopInstant) {
        deadline = time
        setTimer()
    }

    /// The same for waits to write; the earlier of both holds.
    func setWriteDeadline(_ time: LoopInstant) {
        writeDeadline = time
        setTimer()
    }

    private func end(_ direction: Direction) -> LoopInstant {
        direction == .reading ? deadline : min(deadline, writeDeadline)
    }

    /// The earliest end of the current waits.
    private var nextEnd: LoopInstant {
        let reading = unsafe reader.continuation == nil ? .never : end(.reading)
        let writing = unsafe writer.continuation == nil ? .never : end(.writing)
        return min(reading, writing)
    }

    private func setTimer() {
        let end = nextEnd
        guard end != .never, timer == nil || timerTime > end else { return }
        if let timer { loop.cancel(timer) }
        timerTime = end
        timer = loop.setTimer(at: end, .channel(self))
    }

    func timerFired() {
        timer = nil
        let now = LoopInstant.now
        if end(.reading) <= now { finish(.reading, .timedOut) }
        if end(.writing) <= now { finish(.writing, .timedOut) }
        setTimer()
    }

    // MARK: Closing

    /// Closes the descriptor now; waits for it end with `closed`.
    override func close() {
        guard loop.isCurrent else {
            loop.onLoop { self.close() }
            return
        }
        guard let number = release() else { return }
        try? Kernel.close(number)
    }

    /// Returns the descriptor and gives up ownership; nil if it was closed.
    func release() -> Int32? {
        guard descriptor >= 0 else { return nil }
        let number = descriptor
        if let watch { loop.unwatch(watch) }
        if let timer { loop.cancel(timer) }
        watch = nil
        timer = nil
        descriptor = -1
        onEnd = nil
        attached = nil
        finish(.reading, .closed)
        finish(.writing, .closed)
        return number
    }
}
