// Soundness: a continuation is in one line from the moment in which its task waits; whoever takes it
// out of the line, under the lock, resumes it, once.

import Synchronization
import WasmdGuests

/// A change of a module that waits to be written.
struct ModuleChange: Sendable {
    let draft: Executor.Draft
    /// That of the draft's bytes.
    var module: CachedModule?

    init(_ draft: Executor.Draft) { self.draft = draft }
}

/// Changes of one module, one after the other: those that come while another is written are written
/// together. Without this, of many tasks that change one module at the same time only one would find
/// the version that it has read, and all others would try again.
final class ChangeLines: Sendable {
    /// What a task that has waited does next.
    private enum Turn: Sendable {
        /// It writes its own change and these.
        case write([Waiting])
        case done(Result<Void, any Error>)
    }

    @safe private struct Waiting: @unchecked Sendable {
        let change: ModuleChange
        let continuation: UnsafeContinuation<Turn, Never>

        func resume(_ turn: Turn) { unsafe continuation.resume(returning: turn) }
    }

    /// The changes that wait for the write of a module; a module without a write has no entry.
    private let lines = Mutex<[ModuleID: [Waiting]]>([:])

    /// Carries out a change; returns when it is written.
    ///
    /// - Parameter write: writes several changes of the module in their order.
    /// - Throws: what `write` throws, also when another task has called it.
    func carryOut(
        _ change: ModuleChange, of id: ModuleID, write: ([ModuleChange]) async throws -> Void
    ) async throws {
        let isFirst = lines.withLock { lines in
            guard lines[id] == nil else { return false }
            lines[id] = []
            return true
        }
        var others: [Waiting] = []
        if !isFirst {
            switch await wait(change, id) {
            case .write(let waiting): others = waiting
            case .done(let result): return try result.get()
            }
        }
        let result: Result<Void, any Error>
        do {
            try await write([change] + others.map(\.change))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        passOn(id)
        for other in others { other.resume(.done(result)) }
        try result.get()
    }

    private func wait(_ change: ModuleChange, _ id: ModuleID) async -> Turn {
        await unsafe withUnsafeContinuation { continuation in
            let waiting = unsafe Waiting(change: change, continuation: continuation)
            let isQueued = lines.withLock { lines in
                guard lines[id] != nil else {
                    lines[id] = []
                    return false
                }
                lines[id]?.append(waiting)
                return true
            }
            // The write that this would have waited for has ended meanwhile.
            if !isQueued { waiting.resume(.write([])) }
        }
    }

    /// Gives the turn to the first change that waits. It writes those after it too, up to one with a
    /// module: if that is refused, only its own task is told.
    private func passOn(_ id: ModuleID) {
        let turn = lines.withLock { lines -> [Waiting] in
            guard let waiting = lines[id], let first = waiting.first else {
                lines[id] = nil
                return []
            }
            let count =
                first.change.module == nil
                ? waiting.firstIndex { $0.change.module != nil } ?? waiting.count : 1
            lines[id] = Array(waiting[count...])
            return Array(waiting[..<count])
        }
        turn.first?.resume(.write(Array(turn.dropFirst())))
    }
}
