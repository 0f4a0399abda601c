// Invariant: only the thread uses `loop` after its start.

import Synchronization
import WasmSystem

/// The thread of the process that waits for guests which were called with `await` and belong to no
/// loop of the embedder: one for all of them.
final class WaitThread: Sendable {
    /// Nil if the system refuses it.
    static let shared = WaitThread()

    private struct Request: Sendable {
        let wait: Wait
        let cells: [WakeCell]
        let action: @Sendable () -> Void
    }

    private let requests = Mutex<[Request]>([])
    nonisolated(unsafe) private let loop: WaitLoop

    private init?() {
        guard let loop = WaitLoop() else { return nil }
        self.loop = loop
        // Signals are for the threads of the program.
        let options = SystemThread.Options("wasmd-wait", takesSignals: false)
        guard SystemThread.startDetached(options, { self.run() }) else { return nil }
    }

    /// Calls `action` once, on the thread, when the wait may be over or one of the cells was woken.
    func watch(
        _ wait: Wait, _ cells: [WakeCell], _ action: @escaping @Sendable () -> Void
    ) {
        requests.withLock { $0.append(Request(wait: wait, cells: cells, action: action)) }
        loop.queue.signal()
    }

    private func run() {
        while true {
            let new = requests.withLock { requests in
                defer { requests = [] }
                return requests
            }
            for request in new { loop.watch(request.wait, request.cells, request.action) }
            loop.runOnce()
        }
    }
}
