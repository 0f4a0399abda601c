// Soundness: everything but `status`, `restart` and `cancel` is used on the service's loop only.

import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdDigests
import WasmdEventLoop
import WasmdGuests
import WasmdOperation

/// A service: a module that is started, watched and started again.
public final class Service: Sendable {
    public let definition: ServiceDefinition
    private let host: ServiceHost
    private let guests: GuestLoop
    private let scope: RunScope
    private let share: TopicShare
    private let state: Mutex<State>

    private struct State: Sendable {
        var status: ServiceStatus
        var counter: RestartCounter
        /// Tasks that wait until the service is ready or has failed once.
        var waiters: [LoopTask<Void>] = []
        /// Whether nobody has to wait for it any more.
        var isSettled = false
        /// The run that goes on now.
        var run: LoopTask<RunEnd>?
        /// The pause before a restart.
        var pause: LoopTask<Void>?
        var wantsRestart = false
        /// Of the run that goes on, whose requests are not in `status` yet.
        var http: GuestHTTP?
    }

    init(_ definition: ServiceDefinition, _ host: ServiceHost, on guests: GuestLoop) {
        self.definition = definition
        self.host = host
        self.guests = guests
        scope = RunScope(.module, definition.name)
        share = TopicShare(
            "topics of the service", limit: definition.topicLimit, isReserved: true)
        state = Mutex(
            State(
                status: ServiceStatus(name: definition.name),
                counter: RestartCounter(definition.restart)))
    }

    /// Who the runs of a service are for, in their records.
    public static func caller(_ name: String) -> String { callerPrefix + name }

    /// Whether a run is one of a service.
    public static func isCaller(_ caller: String) -> Bool { caller.hasPrefix(callerPrefix) }

    private static let callerPrefix = "service "

    /// What it does now. From any thread.
    public var status: ServiceStatus {
        state.withLock { state in
            var status = state.status
            status.add(state.http)
            return status
        }
    }

    /// Ends its run, if there is one, and starts it again at once. From any thread.
    public func restart() {
        let (run, pause) = state.withLock { state in
            state.wantsRestart = true
            state.counter.reset()
            return (state.run, state.pause)
        }
        run?.cancel()
        pause?.cancel()
    }

    // MARK: Its life

    /// Runs the service until it ends for good, or the task is cancelled; from a task of its loop.
    func live() async {
        if let schedule = definition.schedule { return await live(by: schedule) }
        while !Task.isCancelled {
            let begin = LoopInstant.now
            let end = await runOnce()
            if Task.isCancelled { return settle() }
            let time = LoopInstant.now.since(begin)
            let wasAsked = state.withLock { state in
                defer { state.wantsRestart = false }
                return state.wantsRestart
            }
            // Ended by `restart`, and not by itself.
            if wasAsked { continue }
            let pause = state.withLock { state -> Duration? in
                if end.hasFailed { state.status.failures &+= 1 }
                state.status.outcome = end.text
                let pause = state.counter.next(hasFailed: end.hasFailed, after: time)
                state.status.state =
                    pause != nil ? .pausing : end.hasFailed ? .failed : .ended
                return pause
            }
            if end.hasFailed {
                host.report(definition.name, .failed(reason: end.text, restart: pause))
            } else {
                host.report(definition.name, .ended)
            }
            settle()
            guard let pause else {
                guard await waitForRestart() else { return }
                continue
            }
            await sleep(pause)
        }
    }

    /// Runs the module at each time of a schedule, until the task is cancelled. A time that comes
    /// while it runs is left out.
    private func live(by schedule: CronExpression) async {
        settle()
        while !Task.isCancelled {
            let now = SystemClock.realtime.now
            guard let next = schedule.next(after: now / 1_000_000_000) else {
                guard await waitForRestart() else { return }
                continue
            }
            state.withLock { state in
                state.status.nextStart = next
                if state.status.state != .failed { state.status.state = .waiting }
            }
            // The clock may be set meanwhile: it is looked at every minute.
            let wait = Duration.nanoseconds(Int64(clamping: next &* 1_000_000_000 &- now))
            if await !sleep(min(wait, .seconds(60))) {
                guard SystemClock.realtime.now / 1_000_000_000 >= next else { continue }
            }
            if Task.isCancelled { return }
            let end = await runOnce()
            if Task.isCancelled { return }
            state.withLock { state in
                if end.hasFailed { state.status.failures &+= 1 }
                state.status.outcome = end.text
                state.status.state = end.hasFailed ? .failed : .waiting
            }
            if end.hasFailed {
                host.report(definition.name, .failed(reason: end.text, restart: nil))
            }
        }
    }

    /// A service that has ended is started again when somebody asks for it: false if the task is
    /// cancelled before.
    private func waitForRestart() async -> Bool {
        host.noteEnd()
        await sleep(nil)
        guard !Task.isCancelled else { return false }
        host.noteStart()
        return true
    }

    /// Sleeps for a time, or until `restart`: then true.
    @discardableResult
    private func sleep(_ time: Duration?) async -> Bool {
        let loop = guests.loop
        let pause = loop.spawn {
            _ = try? await loop.sleep(until: time.map { .after($0) } ?? .never)
        }
        let isWanted = state.withLock { state in
            state.pause = pause
            return state.wantsRestart
        }
        if isWanted { pause.cancel() }
        await withTaskCancellationHandler {
            await pause.value
        } onCancel: {
            pause.cancel()
        }
        return state.withLock { state in
            state.pause = nil
            defer { state.wantsRestart = false }
            return state.wantsRestart || isWanted
        }
    }

    /// Waits until the service is ready, or has ended once, for at most a time.
    func settled(within time: Duration, on loop: EventLoop) async {
        let sleep = loop.spawn { _ = try? await loop.sleep(for: time) }
        let isSettled = state.withLock { state in
            if !state.isSettled { state.waiters.append(sleep) }
            return state.isSettled
        }
        if isSettled { sleep.cancel() }
        await withTaskCancellationHandler {
            await sleep.value
        } onCancel: {
            sleep.cancel()
        }
    }

    private func settle() {
        let waiters = state.withLock { state in
            state.isSettled = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.cancel() }
    }

    private func becomeReady() {
        let isFirst = state.withLock { state in
            guard state.status.state == .running else { return false }
            state.status.state = .ready
            return true
        }
        if isFirst { host.report(definition.name, .ready) }
        settle()
    }

    // MARK: One run

    /// How a run ended.
    struct RunEnd: Sendable {
        var hasFailed: Bool
        var text: String
    }

    private func runOnce() async -> RunEnd {
        state.withLock { state in
            state.status.state = .running
            state.status.starts &+= 1
            state.status.startTime = SystemClock.realtime.now
        }
        host.report(definition.name, .started)
        // A task of its own, so that it can be ended alone.
        let run = guests.loop.spawn { [self] in await startAndFinish() }
        let isUnwanted = state.withLock { state in
            state.run = run
            return state.wantsRestart
        }
        if isUnwanted { run.cancel() }
        let end = await withTaskCancellationHandler {
            await run.value
        } onCancel: {
            run.cancel()
        }
        state.withLock { $0.run = nil }
        return end
    }

    private func startAndFinish() async -> RunEnd {
        do {
            let load = definition.load
            let engine = host.engine
            let (module, digest) = try await guests.loop.blocking {
                let bytes = try load()
                let digest = SHA256.hash(bytes[bytes.range])
                return (try Module(bytes, engine: engine), digest)
            }
            return end(of: await run(module, digest))
        } catch {
            return RunEnd(hasFailed: true, text: HarmlessText.text("\(error)", atMost: 1000))
        }
    }

    private func run(_ module: Module, _ digest: SHA256.Digest) async -> RunResult? {
        var world = definition.world
        do throws(SystemError) {
            for socket in definition.sockets {
                world.streams.append(
                    try socket.listener(.init(), on: guests) { [weak self] in
                        self?.becomeReady()
                    })
            }
        } catch {
            return nil
        }
        // Not prepared: a service is started rarely, and its start takes turns like the rest of it.
        let guest = PreparedGuest(module, linking: [], imports: host.imports)
        var request = RunRequest(guest, digest: digest, module: scope, in: world)
        request.limits = definition.limits
        request.caller = Self.caller(definition.name)
        request.logsErrors = host.logsErrors
        let http = host.http(for: definition, on: guests.loop)
        let observability = host.observability(for: definition, share, on: guests.loop)
        let stores = host.stores(for: definition, on: guests.loop)
        defer {
            observability.end()
            state.withLock { state in
                state.status.add(http)
                state.http = nil
            }
        }
        state.withLock { $0.http = http }
        request.prepareStore = { store in
            store[GuestHTTP.key] = http
            store[HostObservability.key] = observability
            store[GuestStores.key] = stores
        }
        if definition.sockets.isEmpty { becomeReady() }
        let socketNumber = Int32(clamping: 3 + world.folders.count)
        switch definition.entry {
        case .command: request.function = "_start"
        case .function(let name): request.function = name
        case .initialise(let configuration, let passesSocket):
            request.function = "init"
            request.body = { calls in
                try await Self.initialise(
                    calls, configuration, socket: passesSocket ? socketNumber : nil)
            }
        }
        return await host.runs.run(request, on: guests)
    }

    /// Calls `init` with a string that the guest owns.
    private static func initialise(
        _ calls: RunCalls, _ configuration: String, socket: Int32?
    ) async throws -> [Value] {
        let instance = calls.instance
        guard let function = instance.function("init") else {
            throw StringFault.noFunction("init")
        }
        guard let allocate = instance.function(CanonicalStrings.reallocate) else {
            throw StringFault.noAllocator
        }
        let bytes = Array(configuration.utf8)
        let count = Int32(clamping: bytes.count)
        let results = try await calls.call(allocate, [.i32(0), .i32(0), .i32(1), .i32(count)])
        guard case .i32(let address)? = results.first,
            let memory = instance.memory("memory")
        else { throw StringFault.noAllocator }
        try memory.store(contentsOf: bytes, at: address)
        var arguments: [Value] = [.i32(address), .i32(count)]
        if let socket { arguments.append(.i32(socket)) }
        return try await calls.call(function, arguments)
    }

    private func end(of result: RunResult?) -> RunEnd {
        guard let result else {
            return RunEnd(hasFailed: true, text: "the listening socket cannot be watched")
        }
        var text = "\(result.outcome)"
        if let trap = result.outcome.trap {
            text += trap.frames.prefix(8).map { "\n  \($0)" }.joined()
        }
        return RunEnd(hasFailed: result.outcome.kind != .succeeded, text: text)
    }
}
