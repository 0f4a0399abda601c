// Soundness: everything marked as the thread's own is touched by the thread that runs the loop only;
// functions that others may call compare the thread first, and send a message where it is another.

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
/// A loop is a `TaskExecutor`: a task that was started by `spawn`, and whatever it calls that is no
/// actor with an executor of its own, runs on the loop's thread from its first to its last instruction.
/// Streams, listeners and sockets belong to one loop, and are used by its tasks only; elsewhere their
/// functions throw `LoopError.wrongLoop`.
///
/// Tasks are not preempted: what computes for longer than a millisecond yields, or goes to `blocking`.
/// Tasks of low priority get one turn between two looks at the descriptors, so that some that compute
/// all the time do not delay the others by more than one turn of one of them.
public final class EventLoop: TaskExecutor, @unchecked Sendable {
    private struct Job {
        let job: UnownedJob
        /// Whether an actor of the loop is meant, not a task.
        let isOfActor: Bool
    }

    /// What gets one turn between two looks at the descriptors.
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
    /// Where calls that block are run.
    public let pool: BlockingPool
    let tasks: TaskRegistry

    // MARK: The thread's own

    private var poller: Poller
    private var incoming: [Job] = []
    private var running: [Job] = []
    private var background: [Turn] = []
    private var nextBackground = 0
    private var watchers = SlotTable<Watcher>()
    private var timers = SlotTable<TimerEntry>()
    private var buffers: [[UInt8]] = []
    private var lastWait: UInt64 = 0
    private var lastPoll: UInt64 = 0
    /// Calls that a job may still make without waiting before it yields.
    private var budget = 0
    private var passes: UInt64 = 0

    /// Nanoseconds for which jobs run before the loop looks at its descriptors again.
    private static let pollInterval: UInt64 = 500_000
    /// Calls of the kernel that a task makes before it lets others run.
    private static let callBudget = 32
    /// Bytes of the buffers that `takeBuffer` returns.
    public static let bufferSize = 16_384
    private static let keptBuffers = 64

    /// A loop by itself. See `LoopGroup` for one a core.
    ///
    /// - Throws: `EMFILE`, `ENFILE`: a loop needs two descriptors.
    public convenience init() throws(SystemError) {
        try self.init(pool: BlockingPool(), tasks: TaskRegistry())
    }

    init(pool: BlockingPool, tasks: TaskRegistry) throws(SystemError) {
        poller = try Poller()
        mailbox = Mailbox(poller.waker)
        self.pool = pool
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

    /// How often the loop has looked at its descriptors, to see that it does not spin.
    public var passCount: UInt64 { isCurrent ? passes : 0 }

    /// When the loop last looked at its descriptors: a time that costs no call, and is at most as old as
    /// the tasks that ran since. On the loop's thread only; elsewhere the time now.
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
    ///         nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serial.asUnownedSerialExecutor() }
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
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        isCurrent ? body() : mailbox.send(.call(body))
    }

    /// Calls `body` on the loop's thread, in a later turn.
    func later(_ body: @escaping @Sendable () -> Void) { mailbox.send(.call(body)) }

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

    /// Lets the other tasks of the loop run, and goes on when the loop has looked at its descriptors, and
    /// it is this task's turn among all that wait in this way: for tasks that compute. Whatever the
    /// task's priority, tasks that can run are delayed by one of these at a time.
    public func yieldToOthers() async {
        guard isCurrent else { return await Task.yield() }
        await unsafe withUnsafeContinuation { unsafe background.append(.resume($0)) }
    }

    /// Lets the other tasks of the loop run if this one has made many calls without waiting: for loops
    /// around `tryRead` and `tryWrite`.
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
            thread.store(0, ordering: .relaxed)
        }
        lastPoll = SystemClock.monotonic.now
        while true {
            receive()
            runJobs()
            // A message may have come with the last job: it is looked at before the thread waits.
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

    /// Waits for events and hands them on.
    private func look(waiting: Bool) {
        // The poller cannot fail but for descriptors that this program does not close.
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

    /// Has a watch of the kind that reports once report again.
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

    /// A buffer of `bufferSize` bytes; its former content is gone. Connections that wait need none.
    public func takeBuffer() -> InputBuffer {
        if isCurrent, let storage = buffers.popLast() { return InputBuffer(storage: storage) }
        return InputBuffer(capacity: Self.bufferSize)
    }

    /// Gives a buffer back for the next one who takes one.
    public func giveBack(_ buffer: consuming InputBuffer) {
        guard isCurrent, buffers.count < Self.keptBuffers, buffer.capacity == Self.bufferSize
        else { return }
        buffers.append(buffer.takeStorage())
    }
}

/// Runs actors on a loop, which their owner keeps.
public final class LoopSerialExecutor: SerialExecutor, @unchecked Sendable {
    /// Set once, before anybody else has the loop.
    fileprivate weak var loop: EventLoop?

    fileprivate init() {}

    public func enqueue(_ job: consuming ExecutorJob) {
        loop?.add(UnownedJob(job), isOfActor: true)
    }

    public func isIsolatingCurrentContext() -> Bool? { loop?.isCurrent }
}
