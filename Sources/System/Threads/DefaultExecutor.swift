// Soundness: the functions have the names, parameters and conventions by which Swift 6.3's runtime
// calls libdispatch on Linux. The runtime gives each job once, and each is run once.

#if WITHOUT_DISPATCH
    import Glibc

    /// Runs jobs that belong to no event loop, each on a thread of its own.
    ///
    /// The runtime's own default executor is libdispatch, whose tables would cost each process 70 KB
    /// of memory, and 50,000 instructions when it starts; but every task of this program is started
    /// with an event loop as its executor. The release build has these functions instead of
    /// libdispatch, and `Scripts/build-release` fails if it is linked after all. Other builds have
    /// libdispatch.
    final class DefaultExecutor: TaskExecutor {
        static let shared = DefaultExecutor()

        func enqueue(_ job: consuming ExecutorJob) { run(UnownedJob(job), at: nil) }

        /// Waits first until a time of a clock, if one is given.
        func run(_ job: UnownedJob, at deadline: (clock: clockid_t, time: timespec)?) {
            let body: @Sendable () -> Void = {
                if var (clock, time) = deadline {
                    while unsafe clock_nanosleep(clock, TIMER_ABSTIME, &time, nil) == EINTR {}
                }
                unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
            }
            // The system may have too many threads for the moment; a job must not be lost.
            while !SystemThread.startDetached(SystemThread.Options("wasmd-task"), body) {
                usleep(1000)
            }
        }
    }

    /// A job without a preferred executor.
    @_silgen_name("swift_dispatchEnqueueGlobal")
    public func enqueueWithoutDispatch(_ job: UnownedJob) {
        DefaultExecutor.shared.run(job, at: nil)
    }

    /// A job that sleeps until a time of a clock: 1 is `ContinuousClock`, others do not count the
    /// time in which the system is suspended.
    @_silgen_name("swift_dispatchEnqueueWithDeadline")
    public func enqueueWithoutDispatch(
        _ isGlobal: CBool, _ seconds: Int64, _ nanoseconds: Int64, _ toleranceSeconds: Int64,
        _ toleranceNanoseconds: Int64, _ clock: CInt, _ job: UnownedJob
    ) {
        let time = timespec(
            tv_sec: Int(max(seconds, 0)), tv_nsec: Int(min(max(nanoseconds, 0), 999_999_999)))
        DefaultExecutor.shared.run(job, at: (clock == 1 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, time))
    }

    /// A job of the main actor: waits for ever, as with libdispatch, since the main thread of this
    /// program runs no queue.
    @_silgen_name("swift_dispatchEnqueueMain")
    public func enqueueOnMainWithoutDispatch(_ job: UnownedJob) {}

    /// There are no queues without libdispatch, so that nothing can ask for one.
    @_silgen_name("swift_task_enqueueOnDispatchQueue")
    public func enqueueWithoutDispatch(_ job: UnownedJob, _ queue: UnsafeRawPointer) {
        DefaultExecutor.shared.run(job, at: nil)
    }

    /// Ends the process on any thread but the main one: asked for the only queue, the main one.
    @_cdecl("dispatch_assert_queue")
    public func assertQueueWithoutDispatch(_ queue: UnsafeRawPointer) {
        #if arch(x86_64)
            let gettid = 186
        #else
            let gettid = 178
        #endif
        let thread = symbol_syscall(gettid, 0, 0, 0, 0, 0, 0)
        if thread != Int(getpid()) { abort() }
    }

    /// Never returns, as libdispatch's.
    @_cdecl("dispatch_main")
    public func mainWithoutDispatch() { SystemThread.sleepForever() }

    /// Only its address counts: it names the main queue.
    @_cdecl("_dispatch_main_q")
    public func mainQueueWithoutDispatch() {}
#endif
