import Glibc

// Soundness: a thread gets one reference to its box and releases it; `runOnThreads` returns only
// after all threads have ended, so that objects used by `body` are valid as long as they need it.

/// A started thread, which `join` waits for: pthread_create(3).
public struct SystemThread: Sendable {
    private let thread: pthread_t

    /// How a thread is made.
    public struct Options: Sendable {
        /// What `top -H`, debuggers and `/proc` show; of at most 15 bytes.
        public var name: StaticString
        /// Whether signals of the process may run their handlers on it.
        public var takesSignals = true
        /// Bytes of its native stack; nil for the system's default.
        public var stackByteCount: Int?

        public init(
            _ name: StaticString = "wasmd", takesSignals: Bool = true, stackByteCount: Int? = nil
        ) {
            self.name = name
            self.takesSignals = takesSignals
            self.stackByteCount = stackByteCount
        }
    }

    /// Runs `body` on a new thread, which the caller must join. Nil if the system refuses.
    public static func start(
        _ options: Options = Options(), _ body: @escaping @Sendable () -> Void
    ) -> SystemThread? {
        make(options, isDetached: false, body).map { SystemThread(thread: $0) }
    }

    /// Runs `body` on a new thread that is not joined; false if the system refuses.
    public static func startDetached(
        _ options: Options = Options(), _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        make(options, isDetached: true, body) != nil
    }

    /// Never returns: for a thread that has nothing to do until the process ends. pause(2).
    public static func sleepForever() -> Never {
        while true { pause() }
    }

    /// Waits until the thread has ended. Must be called once for each thread.
    public func join() { pthread_join(thread, nil) }

    private final class Body: Sendable {
        private let name: StaticString
        private let body: @Sendable () -> Void

        init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        func run() {
            // PR_SET_NAME of prctl(2), for the calling thread.
            _ = unsafe symbol_syscall(SYS_prctl, 15, Int(bitPattern: name.utf8Start), 0, 0, 0, 0)
            body()
        }
    }

    private static func make(
        _ options: Options, isDetached: Bool, _ body: @escaping @Sendable () -> Void
    ) -> pthread_t? {
        // A thread starts with the signal mask of the one that starts it.
        var all = sigset_t()
        var old = sigset_t()
        if !options.takesSignals {
            unsafe sigfillset(&all)
            unsafe pthread_sigmask(SIG_BLOCK, &all, &old)
        }
        defer { if !options.takesSignals { unsafe pthread_sigmask(SIG_SETMASK, &old, nil) } }
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        if isDetached {
            unsafe pthread_attr_setdetachstate(
                &attributes, Int32(truncatingIfNeeded: PTHREAD_CREATE_DETACHED))
        }
        if let size = options.stackByteCount { unsafe pthread_attr_setstacksize(&attributes, size) }
        let box = unsafe Unmanaged.passRetained(Body(options.name, body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, &attributes,
            { pointer in
                if let pointer = unsafe pointer {
                    unsafe Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
                }
                return nil
            }, unsafe box.toOpaque())
        if status == 0 { return thread }
        unsafe box.release()
        return nil
    }
}

/// The number of processors that are online: sysconf(3).
///
/// Counted once: the C library reads a file, which a restricted process may not open.
public func availableProcessors() -> Int { processorCount }

private let processorCount = max(1, Int(sysconf(Int32(truncatingIfNeeded: _SC_NPROCESSORS_ONLN))))

/// Runs `body` on this thread and on `count` - 1 others; returns when all have returned. There are
/// fewer threads if the system refuses some.
public func runOnThreads(
    _ count: Int, named name: StaticString = "wasmd-worker", _ body: @escaping @Sendable () -> Void
) {
    var threads: [SystemThread] = []
    for _ in 1..<max(count, 1) {
        guard let thread = SystemThread.start(SystemThread.Options(name), body) else { break }
        threads.append(thread)
    }
    body()
    for thread in threads { thread.join() }
}
