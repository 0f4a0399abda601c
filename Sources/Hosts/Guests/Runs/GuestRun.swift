import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

/// One run, from its place to its record.
struct GuestRun {
    private let runs: GuestRuns
    private var limits: RunLimits
    private var guest: PreparedGuest
    private var streams = RunStreams()
    private var values: [Value] = []
    private var measures = RunMeasures()
    private var isForked = false
    private var findings: RunFindings?

    init(
        _ runs: GuestRuns, _ guest: PreparedGuest, _ limits: RunLimits, queueTime: UInt64
    ) {
        self.runs = runs
        self.limits = limits
        measures.queueTime = queueTime
        self.guest = guest
    }

    /// Fuel of a run without a limit: counted all the same.
    private static let plenty = UInt64(Int64.max)
    private static let start: Name = "_start"

    mutating func finish(
        _ request: inout RunRequest, on guests: GuestLoop, _ pause: () async throws -> Void
    ) async -> RunResult {
        var failure: (any Error)?
        if let observation = request.observation {
            limits.time = min(limits.time ?? observation.longestTime, observation.longestTime)
        }
        if request.observation?.countsBlocks == true {
            do {
                guest = try await Self.counting(guest, request.world, limits, guests.loop)
            } catch {
                failure = error
            }
        }
        let store =
            request.kept?.store ?? Store(engine: guest.module.engine, limits: limits.storeLimits)
        // A request to stop that came after the end of the run before is not for this one; those
        // for this one come when it can be found.
        if request.kept != nil { store.interruptHandle.reset() }
        let run = ActiveRun(request, store, on: guests.loop)
        let number = runs.active.insert(run)
        defer { runs.active.remove(number) }
        let fuel = limits.fuel ?? Self.plenty
        store.fuel = fuel
        store.deadline = limits.deadline
        store.limiter = run
        if let interval = request.observation?.profileInterval {
            store.profiler = Profiler(interval: interval)
        } else if let session = runs.profiling.session(for: request.digest) {
            run.startProfileAtOnce(session)
        }
        if failure == nil {
            do {
                let beginning = try begin(&request, in: store, run, guests)
                if case .finished(let results) = beginning {
                    values = results
                } else {
                    try await goOn(beginning, &request, run, guests, pause)
                }
            } catch {
                failure = error
            }
        }
        run.finishProfile()
        run.noteProgress(computingTime: measures.computingTime)
        measures.logBytes = streams.finishLog(run)
        measures.fuel = fuel - min(fuel, store.fuel ?? 0)
        measures.bytesIn = streams.bytesIn
        measures.bytesOut = streams.bytesOut
        let outcome: RunOutcome
        if let failure {
            outcome = await self.outcome(of: failure, run, guests.loop)
        } else {
            outcome =
                lostOutput(run)
                ? .limit(.output, nil) : request.function == Self.start ? .exited(0) : .returned
        }
        if let observation = request.observation {
            await observe(observation, store, guests.loop)
        }
        measures.duration = SystemClock.monotonic.now &- run.begin
        let record = RunRecord(run, measures, isForked: isForked, outcome)
        runs.queue.total.add(record)
        request.module.add(record)
        request.account?.add(record)
        runs.records.append(record, byteCount: record.byteCount)
        runs.observer?(record)
        return RunResult(
            outcome: outcome, record: record, refusal: nil, values: values, error: failure,
            findings: findings)
    }

    // MARK: Running

    /// How far a run came without waiting.
    private enum Beginning {
        case finished([Value])
        /// The guest goes on, in further turns.
        case suspended(Execution, Execution.Outcome)
        /// These functions start the instance; then the run's calls follow.
        case instantiated(Instance, starting: [Function])
    }

    /// Does what needs no waiting, which is all of most short runs.
    private mutating func begin(
        _ request: inout RunRequest, in store: Store, _ run: ActiveRun, _ guests: GuestLoop
    ) throws -> Beginning {
        defer { measures.computingTime = SystemClock.monotonic.now &- run.begin }
        if let instance = request.kept?.instance {
            return try beginCall(of: request, in: instance, guests)
        }
        if guest.needsWorld { store.wasiGuest = try world(of: &request, run) }
        request.prepareStore?(store)
        if let instance = try request.kept?.restored() {
            request.kept?.instance = instance
            return try beginCall(of: request, in: instance, guests)
        }
        guard let instance = try guest.fork(in: store, request.world) else {
            let (instance, functions) = try guest.instantiate(in: store)
            return .instantiated(instance, starting: functions)
        }
        isForked = true
        request.kept?.instance = instance
        return try beginCall(of: request, in: instance, guests)
    }

    /// The first turn of the call of an instance that has started.
    private func beginCall(
        of request: borrowing RunRequest, in instance: Instance, _ guests: GuestLoop
    ) throws -> Beginning {
        if request.body != nil { return .instantiated(instance, starting: []) }
        let execution = try function(of: request, in: instance).start(request.arguments)
        switch try guests.firstTurn(of: execution) {
        case .finished(let results): return .finished(results)
        case .suspended(let reason): return .suspended(execution, .suspended(reason))
        }
    }

    private func function(
        of request: borrowing RunRequest, in instance: Instance
    ) throws(NoSuchFunction) -> Function {
        guard let function = instance.function(request.function) else {
            throw NoSuchFunction(name: request.function)
        }
        return function
    }

    /// Continues after `begin`.
    private mutating func goOn(
        _ beginning: Beginning, _ request: inout RunRequest, _ run: ActiveRun, _ guests: GuestLoop,
        _ pause: () async throws -> Void
    ) async throws {
        switch beginning {
        case .finished(let results): values = results
        case .suspended(let execution, let outcome):
            execution.measuresTime = true
            values = try await finish(execution, outcome, run, guests, pause)
        case .instantiated(let instance, let functions):
            for function in functions { _ = try await finish(function, [], run, guests, pause) }
            request.kept?.instance = instance
            if let body = request.body {
                let calls = RunCalls(instance, run, guests, measures.computingTime)
                defer { measures.computingTime = calls.computingTime }
                values = try await body(calls)
                return
            }
            values = try await finish(
                try function(of: request, in: instance), request.arguments, run, guests, pause)
        }
    }

    private mutating func world(
        of request: inout RunRequest, _ run: ActiveRun
    ) throws(WASISetupError) -> WASIGuest {
        if request.kept == nil {
            streams.meter(&request.world, run, limits, request.logsErrors ? runs.log : nil)
        }
        if let descriptors = limits.descriptors {
            let most = min(request.world.limits.descriptors, max(descriptors, 0))
            request.world.limits.descriptors = most
        }
        return try WASIGuest(request.world)
    }

    private mutating func finish(
        _ function: Function, _ arguments: [Value], _ run: ActiveRun, _ guests: GuestLoop,
        _ pause: () async throws -> Void
    ) async throws -> [Value] {
        let execution = try function.start(arguments)
        execution.measuresTime = true
        return try await finish(execution, nil, run, guests, pause)
    }

    /// - Parameter first: what the first turn came to, if there was one.
    private mutating func finish(
        _ execution: Execution, _ first: Execution.Outcome?, _ run: ActiveRun,
        _ guests: GuestLoop, _ pause: () async throws -> Void
    ) async throws -> [Value] {
        let before = measures.computingTime
        defer { measures.computingTime = before &+ execution.computingTime }
        let first = try first ?? guests.firstTurn(of: execution)
        return try await guests.goOn(execution, after: first) {
            run.noteProgress(computingTime: before &+ execution.computingTime)
            try await pause()
        }
    }

    // MARK: Its end

    private func outcome(
        of error: any Error, _ run: ActiveRun, _ loop: EventLoop
    ) async -> RunOutcome {
        switch error {
        case let exit as GuestExit:
            return lostOutput(run) ? .limit(.output, nil) : .exited(exit.code)
        case let trap as Trap:
            let text = await describe(trap.code, trap.description, trap.backtrace, loop)
            if trap.code == .interrupted {
                return lostOutput(run) ? .limit(.output, text) : .cancelled(text)
            }
            if let limit = RunLimit(trap.code) {
                run.note(limit)
                return .limit(limit, text)
            }
            return .trapped(text)
        case let exception as Exception:
            return .threw(
                await describe(nil, "uncaught exception", exception.backtrace, loop))
        case let resource as ResourceError:
            guard let limit = RunLimit(resource) else { return .failed("\(resource)") }
            run.note(limit)
            return .limit(limit, nil)
        case WASISetupError.tooManyDescriptors:
            run.note(.descriptors)
            return .limit(.descriptors, nil)
        default:
            if run.wasCancelled || Task.isCancelled { return .cancelled(nil) }
            return .failed(HarmlessText.text("\(error)", atMost: 400))
        }
    }

    /// Whether the guest wrote more than its limit. It may end before it is stopped for that.
    private func lostOutput(_ run: ActiveRun) -> Bool {
        run.reached.contains(RunLimitSet(.output))
    }

    /// Modules up to this size are looked through at once.
    private static let smallModule = 32 << 10

    /// Names and lines are looked for on a thread of the pool if the module is not small.
    private func describe(
        _ code: TrapCode?, _ message: String, _ backtrace: Backtrace, _ loop: EventLoop
    ) async -> RunTrap {
        if guest.module.parsed.bytes.count <= Self.smallModule || backtrace.frames.isEmpty {
            return RunTrap(code, message, backtrace, isNamed: true)
        }
        let named = try? await loop.blocking { RunTrap(code, message, backtrace, isNamed: true) }
        return named ?? RunTrap(code, message, backtrace, isNamed: false)
    }

    // MARK: Observation

    private mutating func observe(
        _ observation: RunObservation, _ store: Store, _ loop: EventLoop
    ) async {
        var findings = RunFindings()
        if let profiler = store.profiler {
            store.profiler = nil
            let finished = FinishedProfiler(profiler)
            findings.profile = try? await loop.blocking { finished.profile() }
        }
        if observation.countsBlocks {
            let module = guest.module
            findings.coverage = try? await loop.blocking { module.coverage }
        }
        self.findings = findings
    }

    /// The guest with a module of its own whose blocks are counted.
    private static func counting(
        _ guest: PreparedGuest, _ world: WASI, _ limits: RunLimits, _ loop: EventLoop
    ) async throws -> PreparedGuest {
        let (bytes, imports) = (guest.module.parsed.bytes, guest.imports)
        var configuration = guest.module.engine.configuration
        configuration.countsBlocks = true
        configuration.keptReservations = 0
        let engine = Engine(configuration)
        return try await loop.blocking {
            // Not started once before: what the start runs is counted too.
            try PreparedGuest(
                Module(bytes, engine: engine), imports: imports, in: world, limits: limits,
                startsOnce: false)
        }
    }
}
