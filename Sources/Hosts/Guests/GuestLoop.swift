import WasmInterpreter
import WasmSystem
import WasmdEventLoop

/// Runs guests on a loop: they wait without a thread, and take turns when they compute.
///
/// ```swift
/// let guests = try GuestLoop(loop)
/// let results = try await guests.finish(function.start())
/// ```
///
/// A guest runs at once, for `turn` at most; one that is not finished then continues in turns, of
/// which one is given between two polls of the loop's descriptors. A store and its executions stay
/// on one loop, and so do the sockets that are given to guests: see `GuestSocket`.
public final class GuestLoop: @unchecked Sendable {
    public let loop: EventLoop
    private let waits: GuestWaits
    /// Sockets of the kernel that guests have.
    public private(set) var socketCount = 0
    /// The most such sockets; more are refused. Default: the process's limit of descriptors, less a
    /// few for everything else.
    public var socketLimit = max((CurrentProcess.descriptorLimit ?? 1 << 20) - 64, 0)
    /// Bytes that guests have written and that are not sent yet.
    public private(set) var queuedByteCount = 0
    /// About the most such bytes of all sockets together. Beyond it, a socket queues at most 16 KiB,
    /// and then its guest waits.
    public var queuedByteLimit = 256 << 20

    /// Nanoseconds for which a guest computes before others have their turn, about.
    private static let turn: UInt64 = 500_000

    /// To be called on the loop's thread.
    ///
    /// - Throws: `EMFILE`, `ENFILE`: one descriptor is needed.
    public init(_ loop: EventLoop) throws(SystemError) {
        self.loop = loop
        waits = try GuestWaits(loop)
    }

    /// One for each of these loops, made on their threads.
    ///
    /// - Throws: as `init`.
    public static func each(of loops: [EventLoop]) async throws -> [GuestLoop] {
        var all: [GuestLoop] = []
        for loop in loops {
            let made = loop.spawn { () -> Result<GuestLoop, SystemError> in
                do throws(SystemError) {
                    return .success(try GuestLoop(loop))
                } catch {
                    return .failure(error)
                }
            }
            all.append(try await made.value.get())
        }
        return all
    }

    /// Runs a guest to its end, from a task of the loop.
    ///
    /// Cancelling the task interrupts the guest, wherever it is.
    ///
    /// - Parameter pause: called whenever the guest has stopped to wait or to let others run,
    ///   before it continues: to send its output. An error that it throws ends the guest.
    /// - Throws: as `Execution.resume()`; `SuspensionError.resultsMissing` for a host function that
    ///   suspends the guest without a `Wait`; what `pause` throws.
    public func finish(
        _ execution: Execution, pause: () async throws -> Void = {}
    ) async throws -> [Value] {
        let first = try firstTurn(of: execution)
        // Most guests end in their first turn.
        if case .finished(let results) = first { return results }
        return try await goOn(execution, after: first, pause: pause)
    }

    /// The first turn of `finish`, which needs nothing that a guest needs in order to wait.
    func firstTurn(of execution: Execution) throws -> Execution.Outcome {
        if Task.isCancelled { execution.store.interruptHandle.interrupt() }
        execution.sliceNanoseconds = Self.turn
        do {
            return try execution.resume()
        } catch {
            execution.cancel()
            throw error
        }
    }

    /// The rest of `finish`.
    func goOn(
        _ execution: Execution, after first: Execution.Outcome, pause: () async throws -> Void
    ) async throws -> [Value] {
        if case .finished(let results) = first { return results }
        let handle = execution.store.interruptHandle
        return try await withTaskCancellationHandler {
            do {
                return try await advance(execution, first, pause)
            } catch {
                execution.cancel()
                throw error
            }
        } onCancel: {
            handle.interrupt()
        }
    }

    /// Continues after the first turn.
    private func advance(
        _ execution: Execution, _ first: Execution.Outcome, _ pause: () async throws -> Void
    ) async throws -> [Value] {
        let waiter = GuestWaits.Waiter(execution)
        defer { waits.end(waiter) }
        var outcome = first
        while true {
            switch outcome {
            case .finished(let results):
                return results
            case .suspended(.wait):
                try await pause()
                if let wait = execution.wait { await waits.wait(wait, for: waiter) }
            case .suspended(.endOfSlice):
                try await pause()
                await loop.yieldToOthers()
            case .suspended:
                throw SuspensionError.resultsMissing
            }
            outcome = try execution.resume()
        }
    }

    /// Waits, in a task of the loop, until a source is signalled; returns at once if it was since
    /// `turn`.
    ///
    /// - Throws: `LoopError.cancelled`, `LoopError.wrongLoop`.
    public func wait(for source: WakeSource, since turn: UInt64) async throws(LoopError) {
        try await wait(forAnyOf: [(source, turn)])
    }

    /// The same for several sources: returns when one was signalled since its turn.
    public func wait(
        forAnyOf sources: [(source: WakeSource, turn: UInt64)]
    ) async throws(LoopError) {
        guard loop.isCurrent else { throw .wrongLoop }
        let cell = WakeCell()
        let waiter = GuestWaits.Waiter([cell])
        for (source, turn) in sources { source.subscribe(cell, since: turn) }
        await withTaskCancellationHandler {
            await waits.wait(Wait(), for: waiter)
        } onCancel: {
            cell.wake()
        }
        for (source, _) in sources { source.unsubscribe(cell) }
        waits.end(waiter)
        if Task.isCancelled { throw .cancelled }
    }

    /// Signals a source from the loop's thread, without a call of the kernel.
    public func signal(_ source: WakeSource) {
        guard loop.isCurrent else { return source.signal() }
        waits.signal(source)
    }

    // MARK: What sockets use

    /// Counts bytes that were queued, or sent.
    func count(_ change: Int) { queuedByteCount += change }

    /// Bytes that may be queued by all sockets together.
    var queueRoom: Int { max(queuedByteLimit - queuedByteCount, 0) }

    func addSocket() throws(GuestSocketError) {
        guard socketCount < socketLimit else { throw .tooManySockets(limit: socketLimit) }
        socketCount += 1
    }

    func removeSocket() { socketCount -= 1 }

    /// Descriptors that are watched because guests wait, or have waited, for them.
    var watchCount: Int { waits.watchCount }
}
