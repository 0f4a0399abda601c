import Glibc

// Invariant: the handler of a signal is compared as a number and not called.

/// Signals of the process: signal(7).
public enum Signals {
    public static let hangup = SIGHUP
    public static let interrupt = SIGINT
    public static let quit = SIGQUIT
    public static let kill = SIGKILL
    public static let termination = SIGTERM
    public static let child = SIGCHLD
    public static let firstUser = SIGUSR1
    public static let secondUser = SIGUSR2

    /// The action for a signal.
    public enum Disposition: Sendable {
        case standard, ignored, handled
    }

    /// The current action: sigaction(2).
    public static func disposition(of number: Int32) -> Disposition {
        var action = sigaction()
        unsafe sigaction(number, nil, &action)
        return switch unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) {
        case 0: .standard
        case 1: .ignored
        default: .handled
        }
    }

    /// Sets a handler for a signal. It runs on some thread, between any two instructions: it may
    /// only do what signal-safety(7) allows, and Swift code that neither allocates nor counts
    /// references.
    ///
    /// - Parameter once: whether the second signal has its default action.
    public static func handle(
        _ number: Int32, once: Bool = false, _ handler: @escaping @convention(c) (Int32) -> Void
    ) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = handler
        if once { action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) }
        unsafe sigaction(number, &action, nil)
    }

    public static func ignore(_ number: Int32) { signal(number, SIG_IGN) }

    /// Restores the default action of a signal. May be called from a handler.
    public static func reset(_ number: Int32) { signal(number, SIG_DFL) }

    /// Sends a signal to the running thread. May be called from a handler.
    public static func raise(_ number: Int32) { Glibc.raise(number) }

    /// Sends a signal to another process: kill(2).
    public static func send(_ number: Int32, toProcess process: Int32) throws(SystemError) {
        try retrying { Glibc.kill(process, number) }
    }

    /// Runs `body` while the running thread takes no signals. Threads that it starts never take
    /// any.
    public static func withoutSignals<Result>(_ body: () -> Result) -> Result {
        var all = sigset_t()
        var old = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_BLOCK, &all, &old)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &old, nil) }
        return body()
    }
}
