import Synchronization
import WasmInterpreter
import WasmSystem
import WasmText

/// A thread of a script that was started and not yet joined.
struct ThreadInProgress {
    let name: [UInt8]
    fileprivate let thread: SystemThread
    fileprivate let result: ThreadResult

    /// Waits until the thread has run all its commands.
    func join() -> ScriptReport {
        thread.join()
        return result.report.withLock { $0 }
    }
}

private final class ThreadResult: Sendable {
    let report = Mutex(ScriptReport())
}

/// The part of an instance of the surrounding script that a thread can use.
private struct SharedInstance: Sendable {
    let name: [UInt8]
    let memories: [(Name, SharedMemory)]
}

extension Exports {
    /// The memories that other threads may use.
    fileprivate var memories: [(Name, SharedMemory)] {
        let all: [(Name, External)] =
            switch self {
            case .instance(let instance): instance.exports
            case .externals(let externals): externals.map { ($0.key, $0.value) }
            }
        return all.compactMap { name, external in
            guard case .memory(let memory) = external else { return nil }
            return memory.shared.map { (name, $0) }
        }
    }
}

extension ScriptSession {
    /// The limit of threads inside of threads.
    private static let depthLimit = 16

    /// Starts a thread with a store of its own, which sees shared memories of this one's instances
    /// and nothing else.
    func start(_ thread: ScriptThread) throws {
        guard depth < Self.depthLimit else {
            throw CommandFailure("more than \(Self.depthLimit) threads inside of threads")
        }
        var shared: [SharedInstance] = []
        var missing: CommandFailure?
        for name in thread.shared {
            do throws(CommandFailure) {
                shared.append(SharedInstance(name: name, memories: try instance(name).memories))
            } catch {
                missing = error
            }
        }
        let (options, engine, source, depth) = (options, engine, source, depth)
        let result = ThreadResult()
        let started = SystemThread.start(SystemThread.Options("wasmd-script")) { [shared] in
            let session = ScriptSession(options, engine, source: source, depth: depth + 1)
            for instance in shared { session.bind(instance) }
            let report = session.run(thread.reader())
            result.report.withLock { $0 = report }
        }
        guard let started else { throw CommandFailure("the system starts no more threads") }
        threads.append(ThreadInProgress(name: thread.name, thread: started, result: result))
        // The thread runs nevertheless, so that all of its commands are counted.
        if let missing { throw missing }
    }

    private func bind(_ instance: SharedInstance) {
        var exports: [Name: External] = [:]
        for (name, memory) in instance.memories {
            exports[name] = (try? Memory(store: store, sharing: memory)).map { .memory($0) }
        }
        bind(.externals(exports), to: instance.name)
    }

    func wait(for name: [UInt8]) throws {
        guard let index = threads.lastIndex(where: { $0.name == name }) else {
            throw CommandFailure("no thread \(identifier(name))")
        }
        report.add(threads.remove(at: index).join())
    }
}
