// Soundness: a thread gets one reference to its box, and releases it. The handler of the signal calls
// nothing but a system call.

import Glibc

/// Threads that nobody waits for and that take no signals.
enum BackgroundThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a thread of its own; not at all if the system has none.
    static func start(_ body: @escaping @Sendable () -> Void) {
        var all = sigset_t()
        var old = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }

        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let argument = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        if status != 0 { argument.release() }
    }
}

/// The main thread, which another one looks at, and may stop for good.
struct MainThread: Sendable {
    private let thread: pthread_t

    /// To be made by the main thread.
    init() { thread = pthread_self() }

    /// Whether the thread waits in the kernel, by what Linux tells of it.
    var isBlocked: Bool {
        let file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 256)
        let count = read(file, &text, text.count)
        // `12 (name) S ...`; the name may hold parentheses.
        guard count > 0, let end = text[..<count].lastIndex(of: UInt8(ascii: ")")),
            end + 2 < count
        else { return false }
        return [UInt8(ascii: "S"), UInt8(ascii: "D")].contains(text[end + 2])
    }

    /// Lets the thread run no instruction of the program any more. One that waits in the kernel is
    /// parked when it comes back.
    func suspend() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in while true { pause() } }
        sigaction(SIGUSR2, &action, nil)
        pthread_kill(thread, SIGUSR2)
    }
}
