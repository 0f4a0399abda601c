import Glibc

/// A thread that gets signals.
struct ThreadHandle: Sendable {
    private let thread = pthread_self()

    /// Made by the thread, which takes signals from now on: threads of a pool, which start it, take none.
    init() {
        var none = sigset_t()
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }

    func send(_ signal: Int32) { pthread_kill(thread, signal) }
}
