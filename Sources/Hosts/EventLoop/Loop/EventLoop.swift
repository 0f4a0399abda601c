// Soundness: everything after the mark "The thread's own" is used only by the thread that runs the
// loop; functions that others may call compare the thread first, and send a message from another
// thread.

import Synchronization
import WasmSystem

/// A thread that runs tasks, and waits for descriptors, timers and messages when none can run.
///
/// ```swift
/// let loop = try EventLoop()
/// try loop.run { loop in
///     let listener = try Listener(.ipv4([127, 0, 0, 1], port: 8080), on: loop)
///     while true {
///         let stream = try await listener.accept()
///         loop.spawn { await echo(stream) }
///     }
/// }
/// ```
///
/// A loop is a `TaskExecutor`: a task that was started by `spawn`, and all that it calls except
/// actors with an executor of their own, runs on the loop's thread from its first to its last
/// instruction. Streams, listeners and sockets belong to one loop, and are used by its tasks only;
/// elsewhere their functions throw `LoopError.wrongLoop`.
///
/// Tasks are not preempted: code that computes for longer than a millisecond should yield, or run
/// in `blocking`. Of the tasks of low priority, one gets one turn between two polls of the
/// descriptors, so that several that compute all the time delay the others by only one turn of one
/// of them.
public final class EventLoop: TaskExecutor, @unchecked Sendable {
    private struct Job {
        let job: UnownedJob
        /// Whether the job is one of an actor, not of a task.
        let isOfActor: Bool
    }

    /// An entry that gets one turn between two polls of the descriptors.
    @safe private enum Turn {
        case job(Job)
        case resume(UnsafeContinuation<Void, Never>)
    }

    enum TimerEntry {
        case wait(TimerWait)
        case channel(Channel)
        case call(() -> Void)
    }

    enum Message: @unchecked Sendable {
        case job(UnownedJob, isOfActor: Bool)
        case call(@Sendable () -> Void)
    }

    /// The thread that runs the loop; 0 while none does.
    private let thread = Atomic<UInt>(0)
    private let mailbox: Mailbox<Message>
    /// Runs calls that block.
    public let pool: BlockingPool
    /// Runs long calculations, which must not keep others from the disk.
    let calculations: BlockingPool
    let tasks: TaskRegistry

    // MARK: The thread's own

    private var poller: Poller
    private var incoming: [Job] = []
    private var running: [Job] = []
    private var background: [Turn] = []
    private var nextBackground = 0
    private var endings: [() -> Void] = []
    private var watchers = SlotTable<Watcher>()
    private var timers = SlotTable<TimerEntry>()
    private var buffers: [[UInt8]] = []
    private var lastWait: UInt64 = 0
    private var lastPoll: UInt64 = 0
    /// Calls that a job may still make without waiting before it yields.
    private var budget = 0
    private var passes: UInt64 = 0

    /// Nanoseconds for which jobs run before the loop polls its descriptors again.
    private static let pollInterval: UInt64 = 500_000
    /// Calls of the kernel that a task makes before it lets others run.
    private static let callBudget = 32
    /// Bytes of the buffers that `takeBuffer` returns.
    public static let bufferSize = 16_384
    private static let keptBuffers = 64

    /// A loop by itself. See `LoopGroup` for one loop per core.
    ///
    /// - Throws: `EMFILE`, `ENFILE`: a loop needs two descriptors.
    public convenience init() throws(SystemError) {
        try self.init(
            pool: BlockingPool(), calculations: BlockingPool.ofCalculations(),
            tasks: TaskRegistry())
    }

    init(
        pool: BlockingPool, calculations: BlockingPool, tasks: TaskRegistry
    ) throws(SystemError) {
        poller = try Poller()
        mailbox = Mailbox(poller.waker)
        self.pool = pool
        self.calculations = calculations
        self.tasks = tasks
        serial.loop = self
        tasks.add(self)
    }

    /// Whether the caller runs on the loop's thread.
    @inline(__always)
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == NativeStack.thread }

    /// Throws unless the caller runs on the loop's thread.
    @inline(__always)
    func check() throws(LoopError) { guard isCurrent else { throw .wrongLoop } }

    /// Descriptors that the loop watches.
    public var descriptorCount: Int { isCurrent ? watchers.count : 0 }

    /// Timers that are set.
    public var timerCount: Int { isCurrent ? timers.count : 0 }

    /// How often the loop has polled its descriptors: for tests that it does not spin.
    public var passCount: UInt64 { isCurrent ? passes : 0 }

    /// The time of the loop's last poll: it costs no call, and is at most as old as the tasks that
    /// ran since. On the loop's thread only; elsewhere the time now.
    public var turnTime: LoopInstant {
        isCurrent ? LoopInstant(nanoseconds: lastPoll) : .now
    }

    // MARK: Jobs

    /// Called by Swift when a task of this loop can run.
    public func enqueue(_ job: consuming ExecutorJob) {
        add(UnownedJob(job), isOfActor: false)
    }

    /// An executor for actors whose state belongs to this loop:
    ///
    ///     actor Sessions {
    ///         let loop: EventLoop
    ///         nonisolated var unownedExecutor: UnownedSerialExecutor {
    ///             loop.serial.asUnownedSerialExecutor()
    ///         }
    ///     }
    public let serial = LoopSerialExecutor()

    func add(_ job: UnownedJob, isOfActor: Bool) {
        guard isCurrent else { return mailbox.send(.job(job, isOfActor: isOfActor)) }
        addHere(job, isOfActor: isOfActor)
    }

    private func addHere(_ job: UnownedJob, isOfActor: Bool) {
        let entry = Job(job: job, isOfActor: isOfActor)
        if job.priority.rawValue <= TaskPriority.utility.rawValue {
            background.append(.job(entry))
        } else {
            incoming.append(entry)
        }
    }

    /// Calls `body` on the loop's thread: at once if the caller is there.
    public func onLoop(_ body: @escaping @Sendable () -> Void) {
        isCurrent ? body() : mailbox.send(.call(body))
    }

    /// The same for owners that may outlive the loop: false, and `body` is not called, if no thread
    /// runs it.
    public func callOnLoop(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard thread.load(ordering: .relaxed) != 0 else { return false }
        onLoop(body)
        return true
    }

    /// Calls `body` on the loop's thread, in a later turn.
    public func later(_ body: @escaping @Sendable () -> Void) { mailbox.send(.call(body)) }

    /// Ends the wait of the thread.
    func wake() { mailbox.send(.call {}) }

    private func run(_ entry: Job) {
        budget = Self.callBudget
        if entry.isOfActor {
            unsafe entry.job.runSynchronously(
                isolatedTo: serial.asUnownedSerialExecutor(),
                taskExecutor: asUnownedTaskExecutor())
        } else {
            unsafe entry.job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func runJobs() {
        while !incoming.isEmpty {
            swap(&incoming, &running)
            var index = 0
            while index < running.count {
                run(running[index])
                index &+= 1
            }
            running.removeAll(keepingCapacity: true)
            if !incoming.isEmpty,
                SystemClock.monotonic.now &- lastPoll > Self.pollInterval
            {
                break
            }
        }
        endTurn()
        guard nextBackground < background.count else { return }
        let turn = background[nextBackground]
        nextBackground &+= 1
        if nextBackground == background.count {
            background.removeAll(keepingCapacity: true)
            nextBackground = 0
        } else if nextBackground > 1024 {
            background.removeFirst(nextBackground)
            nextBackground = 0
        }
        switch turn {
        case .job(let entry): run(entry)
        case .resume(let continuation): unsafe continuation.resume()
        }
    }

    /// Calls `body` when all tasks that can run now have run, before the loop polls its descriptors
    /// again: for work that is done once for several of them. On the loop's thread only.
    public func atEndOfTurn(_ body: @escaping () -> Void) { endings.append(body) }

    private func endTurn() {
        while !endings.isEmpty {
            var bodies: [() -> Void] = []
            swap(&bodies, &endings)
            for body in bodies { body() }
        }
    }

    /// For tasks that compute: lets the other tasks of the loop run, and continues after the loop
    /// has polled its descriptors and it is this task's turn among all that wait in this way.
    /// Whatever the task's priority, tasks that can run are delayed by one of these at a time.
    public func yieldToOthers() async {
        guard isCurrent else { return await Task.yield() }
        await unsafe withUnsafeContinuation { unsafe background.append(.resume($0)) }
    }

    /// Lets the other tasks of the loop run if this one has made many calls without waiting: for
    /// loops around `tryRead` and `tryWrite`.
    ///
    /// - Parameter atOnce: whether to do so in any case.
    public func yieldIfSpent(atOnce: Bool = false) async {
        if spendCall() || atOnce { await yield() }
    }

    private var hasJobs: Bool { !incoming.isEmpty || !background.isEmpty }

    // MARK: The thread

    /// Runs jobs and waits until the tasks of the group are finished.
    func runUntilFinished() {
        thread.store(NativeStack.thread, ordering: .relaxed)
        defer {
            for watcher in watchers.elements { watcher.close() }
            // What timers keep would otherwise keep the loop.
            let unfired = timers
            timers = SlotTable()
            withExtendedLifetime(unfired) {}
            endings = []
            thread.store(0, ordering: .relaxed)
        }
        lastPoll = SystemClock.monotonic.now
        while true {
            receive()
            runJobs()
            // The last job may have sent a message: it is handled before the thread waits.
            if !hasJobs, tasks.isFinished { break }
            look(waiting: !hasJobs)
        }
        receive()
    }

    private func receive() {
        for message in mailbox.takeAll() {
            switch message {
            case .job(let job, let isOfActor): addHere(job, isOfActor: isOfActor)
            case .call(let body): body()
            }
        }
    }

    /// Waits for events and dispatches them.
    private func look(waiting: Bool) {
        // The poller fails only for descriptors that this program does not close.
        do throws(SystemError) { try poller.wait(until: waiting ? nil : 0) } catch {}
        lastPoll = SystemClock.monotonic.now
        passes &+= 1
        while let event = poller.nextEvent() {
            switch event {
            case .ready(let token, let readiness): watchers[token]?.becameReady(readiness)
            case .timer(let token):
                switch timers.remove(token) {
                case .wait(let wait): wait.fire()
                case .channel(let channel): channel.timerFired()
                case .call(let body): body()
                case nil: break
                }
            }
        }
    }

    /// Counts a call that did not wait; true if the task has to let others run.
    @inline(__always)
    func spendCall() -> Bool {
        budget &-= 1
        return budget < 0
    }

    // MARK: What channels and timers use

    func nextWait() -> UInt64 {
        lastWait &+= 1
        return lastWait
    }

    func watch(
        _ watcher: Watcher, _ descriptor: Int32, _ interests: Poller.Interests,
        _ reporting: Poller.Reporting
    ) throws(SystemError) -> Watcher.Watch {
        let token = watchers.insert(watcher)
        do throws(SystemError) {
            let registration = try poller.add(
                descriptor, interests, reporting: reporting, token: token)
            return Watcher.Watch(token: token, registration: registration)
        } catch {
            watchers.remove(token)
            throw error
        }
    }

    /// Makes a watch that reports once report again.
    func arm(_ watch: Watcher.Watch, _ interests: Poller.Interests) throws(SystemError) {
        try poller.arm(watch.registration, interests)
    }

    func unwatch(_ watch: Watcher.Watch) {
        poller.remove(watch.registration)
        watchers.remove(watch.token)
    }

    /// A timer that was set.
    struct Timer {
        fileprivate let token: UInt64
        fileprivate let timer: Poller.Timer
    }

    func setTimer(at time: LoopInstant, _ entry: TimerEntry) -> Timer {
        let token = timers.insert(entry)
        return Timer(token: token, timer: poller.setTimer(at: time.nanoseconds, token: token))
    }

    func cancel(_ timer: Timer) {
        poller.cancel(timer.timer)
        timers.remove(timer.token)
    }

    // MARK: Buffers

    /// A buffer of `bufferSize` bytes, without its former content. Connections that wait need none.
    public func takeBuffer() -> InputBuffer {
        if isCurrent, let storage = buffers.popLast() { return InputBuffer(storage: storage) }
        return InputBuffer(capacity: Self.bufferSize)
    }

    /// Returns a buffer for reuse.
    public func giveBack(_ buffer: consuming InputBuffer) {
        guard isCurrent, buffers.count < Self.keptBuffers, buffer.capacity == Self.bufferSize
        else { return }
        buffers.append(buffer.takeStorage())
    }
}

/// Runs actors on a loop, which their owner keeps.
public final class LoopSerialExecutor: SerialExecutor, @unchecked Sendable {
    /// Set once, before the loop is published.
    fileprivate weak var loop: EventLoop?

    fileprivate init() {}

    public func enqueue(_ job: consuming ExecutorJob) {
        loop?.add(UnownedJob(job), isOfActor: true)
    }

    public func isIsolatingCurrentContext() -> Bool? { loop?.isCurrent }
}
