// Soundness: a wait is used on its loop's thread only; other threads send messages.

import WasmSystem

/// A task that waits for a time; resumed exactly once, by the timer or by cancellation.
@safe final class TimerWait: @unchecked Sendable {
    private let loop: EventLoop
    private var timer: EventLoop.Timer?
    private var continuation: UnsafeContinuation<Bool, Never>?

    init(_ loop: EventLoop) { self.loop = loop }

    func begin(_ end: LoopInstant, _ continuation: UnsafeContinuation<Bool, Never>) {
        if Task.isCancelled { return unsafe continuation.resume(returning: false) }
        unsafe self.continuation = continuation
        timer = loop.setTimer(at: end, .wait(self))
    }

    func fire() {
        timer = nil
        finish(true)
    }

    func cancel() {
        if let timer { loop.cancel(timer) }
        timer = nil
        finish(false)
    }

    private func finish(_ isOver: Bool) {
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        unsafe waiting.resume(returning: isOver)
    }
}

extension EventLoop {
    /// Waits until a time. Costs a timer of the loop: O(log n), no call of the kernel.
    ///
    /// - Throws: `.cancelled`; `.wrongLoop`.
    public func sleep(until end: LoopInstant) async throws(LoopError) {
        try check()
        let wait = TimerWait(self)
        let isOver = await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { unsafe wait.begin(end, $0) }
        } onCancel: {
            onLoop { wait.cancel() }
        }
        if !isOver { throw .cancelled }
    }

    /// Waits for a time.
    public func sleep(for duration: Duration) async throws(LoopError) {
        try await sleep(until: .after(duration))
    }

    /// Lets the other tasks of the loop run.
    public func yield() async { await Task.yield() }

    /// Runs `body` in a task of its own, which is cancelled at `deadline`, or with the caller.
    /// Returns or throws when it has ended.
    ///
    /// For the streams of a connection, `deadline` of the stream costs less.
    ///
    /// - Throws: `LoopError.timedOut` if `body` has thrown after the deadline; else what it throws.
    public func withDeadline<Success: Sendable>(
        _ deadline: LoopInstant, _ body: sending @escaping () async throws -> Success
    ) async throws -> Success {
        try check()
        let task = spawn { () async -> Result<Success, any Error> in
            do { return .success(try await body()) } catch { return .failure(error) }
        }
        let timer = spawn { [self] in
            guard (try? await sleep(until: deadline)) != nil else { return false }
            task.cancel()
            return true
        }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        timer.cancel()
        if case .failure = result, await timer.value { throw LoopError.timedOut }
        return try result.get()
    }
}
