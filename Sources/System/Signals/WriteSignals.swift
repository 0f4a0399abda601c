import Glibc
import Synchronization

// Signals that the kernel sends to a thread for its writes.
//
// Invariant: the mask of signals of a thread is the same after a call as before it. A signal is
// taken from the thread's queue only if the failed call put it there.

extension Signals {
    /// Whether `SIGPIPE` and `SIGXFSZ` are ignored in the whole process.
    @usableFromInline
    static let ignoresWriteSignals = Atomic(false)

    /// Ignores `SIGPIPE` and `SIGXFSZ` in the whole process.
    public static func ignoreWriteSignals() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        ignoresWriteSignals.store(true, ordering: .relaxed)
    }

    /// Runs a call that writes to a file, a pipe or a socket, or makes a file longer. A pipe
    /// without a reader is then only the error `EPIPE`, and a file above the process's limit only
    /// `EFBIG`, without the signal that would end the process.
    ///
    /// The dispositions of the process are not changed: the signals are blocked for this thread
    /// during the call, which costs two system calls, unless the process ignores them.
    @inlinable
    @inline(__always)
    public static func withoutWriteSignals<Result>(
        _ call: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        if ignoresWriteSignals.load(ordering: .relaxed) { return try call() }
        return try blockingWriteSignals(call)
    }

    @inline(never)
    @usableFromInline
    static func blockingWriteSignals<Result>(
        _ call: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        var blocked = sigset_t()
        unsafe sigaddset(&blocked, SIGPIPE)
        unsafe sigaddset(&blocked, SIGXFSZ)
        var before = sigset_t()
        unsafe pthread_sigmask(SIG_BLOCK, &blocked, &before)
        // A signal that was blocked before may be pending since earlier; it must not be taken.
        var pending = sigset_t()
        if unsafe sigismember(&before, SIGPIPE) == 1 || sigismember(&before, SIGXFSZ) == 1 {
            unsafe sigpending(&pending)
        }
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        do throws(SystemError) {
            return try call()
        } catch {
            switch error {
            case .pipe: discard(SIGPIPE, unless: pending)
            case .fbig: discard(SIGXFSZ, unless: pending)
            default: break
            }
            throw error
        }
    }

    /// Removes a blocked signal of this thread from its queue, if it is pending.
    private static func discard(_ number: Int32, unless pending: sigset_t) {
        var pending = pending
        guard unsafe sigismember(&pending, number) == 0 else { return }
        var wanted = sigset_t()
        unsafe sigaddset(&wanted, number)
        var noTime = timespec()
        while unsafe sigtimedwait(&wanted, nil, &noTime) < 0, errno == EINTR {}
    }
}
