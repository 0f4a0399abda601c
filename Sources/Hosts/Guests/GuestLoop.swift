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
/// on one loop.
public final class GuestLoop: @unchecked Sendable {
    public let loop: EventLoop
    private let waits: GuestWaits

    /// How long a guest computes before others have their turn, about.
    private static let turn = 500_000.0
    /// Units of budget of the first turn: some tenths of a millisecond.
    private static let firstSlice: UInt64 = 100_000
    private static let slices: ClosedRange<UInt64> = 1_000...10_000_000

    /// To be called on the loop's thread.
    ///
    /// - Throws: `EMFILE`, `ENFILE`: one descriptor is needed.
    public init(_ loop: EventLoop) throws(SystemError) {
        self.loop = loop
        waits = try GuestWaits(loop)
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
        let handle = execution.store.interruptHandle
        return try await withTaskCancellationHandler {
            do {
                return try await advance(execution, pause)
            } catch {
                execution.cancel()
                throw error
            }
        } onCancel: {
            handle.interrupt()
        }
    }

    private func advance(
        _ execution: Execution, _ pause: () async throws -> Void
    ) async throws -> [Value] {
        var slice = Self.firstSlice
        while true {
            execution.slice = slice
            let start = SystemClock.monotonic.now
            let outcome = try execution.resume()
            switch outcome {
            case .finished(let results):
                return results
            case .suspended(.wait):
                try await pause()
                await waits.wait(for: execution)
            case .suspended(.endOfSlice):
                let time = Double(max(1, SystemClock.monotonic.now &- start))
                slice = Self.slice(slice, took: time)
                try await pause()
                await loop.yieldToOthers()
            case .suspended:
                throw SuspensionError.resultsMissing
            }
        }
    }

    /// The slice that would take one turn; changes by at most a factor of two.
    private static func slice(_ slice: UInt64, took time: Double) -> UInt64 {
        let factor = min(max(turn / time, 0.5), 2)
        return min(max(UInt64(Double(slice) * factor), slices.lowerBound), slices.upperBound)
    }
}
