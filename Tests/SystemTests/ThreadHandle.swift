import Glibc

/// A thread that gets signals.
struct ThreadHandle: Sendable {
    private let thread = pthread_self()

    func send(_ signal: Int32) { pthread_kill(thread, signal) }
}
