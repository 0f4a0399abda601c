import Glibc

// Soundness: the signal handler makes only a system call.

/// The main thread, which another thread observes, and can stop for good.
public struct MainThread: Sendable {
    private let thread: pthread_t

    /// Must be called on the main thread.
    public init() { thread = pthread_self() }

    /// Whether the thread waits in the kernel, according to proc(5), `/proc/self/stat`.
    public var isBlocked: Bool {
        guard let number = try? unsafe Kernel.open("/proc/self/stat", .readOnly) else {
            return false
        }
        let file = FileDescriptor(owning: number)
        var text = [UInt8](repeating: 0, count: 256)
        let count = unsafe text.withUnsafeMutableBytes {
            unsafe (try? Kernel.read(file.number, $0)) ?? 0
        }
        // `12 (name) S ...`; the name may hold parentheses.
        guard count > 0, let end = text[..<count].lastIndex(of: UInt8(ascii: ")")),
            end + 2 < count
        else { return false }
        return [UInt8(ascii: "S"), UInt8(ascii: "D")].contains(text[end + 2])
    }

    /// Stops the thread: it runs no more code of the program. If it waits in the kernel, it stops
    /// when it returns. Uses the signal `SIGUSR2`.
    public func suspend() {
        Signals.handle(SIGUSR2) { _ in while true { pause() } }
        pthread_kill(thread, SIGUSR2)
    }
}
