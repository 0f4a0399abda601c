import Glibc

// Soundness: a thread gets one reference to its box and releases it; `runOnThreads` returns only
// after all threads have ended, so that what `body` uses lives as long as they need it.

/// How many processors are online.
package func availableProcessors() -> Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

/// Runs `body` on this thread and on `count` - 1 others; returns when all are done. Where the
/// system refuses threads there are fewer.
package func runOnThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    var threads: [pthread_t] = []
    for _ in 1..<max(count, 1) {
        guard let thread = startThread(body) else { break }
        threads.append(thread)
    }
    body()
    for thread in threads { pthread_join(thread, nil) }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts a thread; the caller joins it. Nil where the system refuses.
package func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    let box = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { pointer in
            if let pointer {
                Unmanaged<ThreadBody>.fromOpaque(pointer).takeRetainedValue().run()
            }
            return nil
        }, box.toOpaque())
    if status == 0 { return thread }
    box.release()
    return nil
}
