import Glibc
import Synchronization

private final class Work: Sendable {
    let body: @Sendable (Int) throws -> Void
    let next = Atomic<Int>(0)
    let failures = Atomic<Int>(0)
    init(_ body: @escaping @Sendable (Int) throws -> Void) { self.body = body }
}

/// Runs `body` on `count` threads of its own, which may block, and answers how many threw.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> Int {
    let work = Work(body)
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let started = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                let index = work.next.add(1, ordering: .relaxed).oldValue
                do {
                    try work.body(index)
                } catch {
                    work.failures.add(1, ordering: .relaxed)
                }
                return nil
            }, Unmanaged.passRetained(work).toOpaque())
        if started == 0 { threads.append(thread) }
    }
    for thread in threads { pthread_join(thread, nil) }
    return work.failures.load(ordering: .relaxed) + count - threads.count
}

/// A thread beside the test's own, which may block.
final class TestThread {
    private var thread = pthread_t()
    private var isStarted = false

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ body: @escaping @Sendable () -> Void) {
        let argument = Unmanaged.passRetained(Body(body)).toOpaque()
        isStarted =
            pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, argument) == 0
    }

    /// Waits until the thread has ended.
    func join() { if isStarted { pthread_join(thread, nil) } }
}
