// Soundness: everything here is used on the loop's thread only.

import WasmSystem

/// An object that gets the events of a descriptor.
class Watcher: @unchecked Sendable {
    struct Watch {
        let token: UInt64
        let registration: Poller.Registration
    }

    func becameReady(_ readiness: Poller.Readiness) {}

    /// Called when the loop ends.
    func close() {}
}

/// Calls a closure when a descriptor that has another owner is ready: once each time it is armed,
/// or as `reporting` says, on the loop's thread. For code outside of tasks: guests that wait for
/// descriptors of theirs.
///
/// At most one for each descriptor and loop. The watch must be ended before the descriptor is
/// closed.
public final class DescriptorWatch {
    private final class Target: Watcher, @unchecked Sendable {
        let body: (Poller.Readiness) -> Void
        init(_ body: @escaping (Poller.Readiness) -> Void) { self.body = body }
        override func becameReady(_ readiness: Poller.Readiness) { body(readiness) }
    }

    private let loop: EventLoop
    private var watch: Watcher.Watch?

    /// Starts to watch; reports the first event of `interests`.
    ///
    /// - Throws: `EPERM` for files, which are always ready; `EEXIST` if the loop watches the
    ///   descriptor.
    public init(
        _ descriptor: Int32, _ interests: Poller.Interests,
        reporting: Poller.Reporting = .once, on loop: EventLoop,
        _ body: @escaping (Poller.Readiness) -> Void
    ) throws(SystemError) {
        guard loop.isCurrent else { throw .perm }
        self.loop = loop
        watch = try loop.watch(Target(body), descriptor, interests, reporting)
    }

    /// Reports once more, also if the descriptor is ready now.
    ///
    /// - Throws: `EBADF` or `ENOENT` if the descriptor was closed.
    public func arm(_ interests: Poller.Interests) throws(SystemError) {
        guard let watch else { throw .badf }
        try loop.arm(watch, interests)
    }

    /// Ends the watch. To be called before the last reference is released.
    public func end() {
        if let watch { loop.unwatch(watch) }
        watch = nil
    }
}

/// A closure that is called at a time, on the loop's thread.
public struct LoopTimer {
    private let loop: EventLoop
    private let timer: EventLoop.Timer

    /// Costs O(log n), no call of the kernel. On the loop's thread only.
    public init(at time: LoopInstant, on loop: EventLoop, _ body: @escaping () -> Void) {
        self.loop = loop
        timer = loop.setTimer(at: time, .call(body))
    }

    /// Cancels the timer; nothing happens if it was called.
    public func cancel() { loop.cancel(timer) }
}
