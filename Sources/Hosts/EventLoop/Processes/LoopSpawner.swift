// Soundness: `watch` is used on the spawner's loop only.

import Synchronization
import WasmSystem

/// Starts programs for all loops of a process through a `Spawner`, when the process may not do so
/// itself.
///
///     let spawner = try Spawner(programs: [Array("/usr/bin/openssl".utf8)])
///     ... Confinement, then the loops ...
///     let starter = try LoopSpawner(spawner, on: loop)
public final class LoopSpawner: ProgramStarter, @unchecked Sendable {
    fileprivate final class Entry: Sendable {
        let started = Promise<SystemError?>()
        /// Nil if it never ran, or the process that runs it has ended.
        let end = Promise<ChildProcess.End?>()
    }

    private struct State: Sendable {
        /// Programs that were asked for and have not ended.
        var entries: [UInt64: Entry] = [:]
        var lastIdentifier: UInt64 = 0
        /// Programs that have to be killed: there was no room for the message.
        var unsent: [UInt64] = []
        var isOver = false
    }

    private let spawner: Spawner
    private let state = Mutex(State())
    /// The loop that receives the replies.
    private let loop: EventLoop
    private var watch: DescriptorWatch?

    /// Takes ownership of a spawner; on the loop's thread. The loop must outlive all use.
    public init(_ spawner: consuming Spawner, on loop: EventLoop) throws(SystemError) {
        self.spawner = spawner
        self.loop = loop
        watch = try DescriptorWatch(self.spawner.socket.number, .reading, on: loop) {
            [weak self] _ in
            self?.receive()
        }
    }

    deinit {
        // The socket is closed now; the loop forgets it by itself.
        guard let watch else { return }
        nonisolated(unsafe) let ended = watch
        loop.onLoop { unsafe ended.end() }
    }

    /// Programs that were asked for and have not ended, as far as reported.
    public var runningCount: Int { state.withLock { $0.entries.count } }

    /// How long a start is tried while the process has too many unread messages.
    private static let patience = Duration.seconds(5)

    public func start(
        path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]],
        streams: [(stream: Int32, descriptor: Int32)], on loop: EventLoop
    ) async throws(LoopError) -> any RunningProgram {
        try loop.check()
        let entry = Entry()
        let identifier = state.withLock { state -> UInt64? in
            guard !state.isOver else { return nil }
            state.lastIdentifier += 1
            state.entries[state.lastIdentifier] = entry
            return state.lastIdentifier
        }
        guard let identifier else { throw .system(.pipe) }
        let program = SpawnedProgram(
            identifier: identifier, path: path, arguments: arguments, environment: environment)
        // Kills the program when it is released, also if this task is cancelled before the reply.
        let running = ProgramOfSpawner(identifier, entry, self)
        do throws(LoopError) {
            try await send(program, streams, loop)
            if let error = try await entry.started.get() { throw .system(error) }
        } catch {
            throw error
        }
        return running
    }

    private func send(
        _ program: SpawnedProgram, _ streams: [(stream: Int32, descriptor: Int32)],
        _ loop: EventLoop
    ) async throws(LoopError) {
        let end = LoopInstant.after(Self.patience)
        while true {
            do throws(SystemError) {
                return try spawner.start(program, streams: streams)
            } catch {
                guard error == .again, LoopInstant.now < end else {
                    forget(program.identifier)
                    throw .system(error)
                }
            }
            do throws(LoopError) { try await loop.sleep(for: .milliseconds(5)) } catch {
                forget(program.identifier)
                throw error
            }
        }
    }

    /// Removes a program that was never asked for.
    private func forget(_ identifier: UInt64) {
        let entry = state.withLock { $0.entries.removeValue(forKey: identifier) }
        entry?.end.fulfil(nil)
    }

    fileprivate func send(_ signal: Int32, _ identifier: UInt64) {
        guard state.withLock({ $0.entries[identifier] != nil }) else { return }
        do throws(SystemError) {
            try spawner.signal(signal, identifier: identifier)
        } catch {
            if error == .again, signal == Signals.kill {
                state.withLock { $0.unsent.append(identifier) }
            }
        }
    }

    // MARK: Replies, on the loop's thread

    private func receive() {
        do throws(SystemError) {
            while let reply = try spawner.receive() { take(reply) }
            try watch?.arm(.reading)
        } catch {
            end()
        }
        let unsent = state.withLock { state in
            defer { state.unsent = [] }
            return state.unsent
        }
        for identifier in unsent { send(Signals.kill, identifier) }
    }

    private func take(_ reply: SpawnerReply) {
        switch reply {
        case .started(let identifier, _):
            state.withLock { $0.entries[identifier] }?.started.fulfil(nil)
        case .failed(let identifier, let error):
            let entry = state.withLock { state -> Entry? in
                // A signal for a program that has ended fails as well.
                guard let entry = state.entries[identifier], entry.started.current == nil else {
                    return nil
                }
                state.entries[identifier] = nil
                return entry
            }
            entry?.started.fulfil(error)
            entry?.end.fulfil(nil)
        case .ended(let identifier, let end):
            state.withLock { $0.entries.removeValue(forKey: identifier) }?.end.fulfil(end)
        }
    }

    /// The process has ended, and with it all its programs.
    private func end() {
        let entries = state.withLock { state in
            state.isOver = true
            defer { state.entries = [:] }
            return state.entries
        }
        for entry in entries.values {
            entry.started.fulfil(.pipe)
            entry.end.fulfil(nil)
        }
        watch?.end()
        watch = nil
    }
}

private final class ProgramOfSpawner: RunningProgram {
    private let identifier: UInt64
    private let entry: LoopSpawner.Entry
    private let spawner: LoopSpawner

    init(_ identifier: UInt64, _ entry: LoopSpawner.Entry, _ spawner: LoopSpawner) {
        self.identifier = identifier
        self.entry = entry
        self.spawner = spawner
    }

    deinit { spawner.send(Signals.kill, identifier) }

    func wait() async throws(LoopError) -> ChildProcess.End {
        // The process that ran it kills its programs when it ends.
        try await entry.end.get() ?? .signal(Signals.kill)
    }

    func send(_ signal: Int32) throws(LoopError) { spawner.send(signal, identifier) }
}
