import Testing
import WasmInterpreter
import WasmText
import WasmWASI
import WasmdDigests
import WasmdEventLoop

@testable import WasmdGuests

@Suite struct GuestRunsTests {
    private func guest(_ body: String, _ more: String = "") throws -> PreparedGuest {
        try PreparedGuest(
            module(
                """
                (module
                  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                  (import "wasi_snapshot_preview1" "poll_oneoff"
                    (func $poll (param i32 i32 i32 i32) (result i32)))
                  \(preview1)
                  \(more)
                  (func (export "_start") (local $i i32) \(body)))
                """))
    }

    private let endless = "(loop $l (br $l))"
    /// Sleeps for 20 ms.
    private let sleep = """
        (i32.store8 offset=8 (i32.const 1000) (i32.const 0))
        (i32.store offset=16 (i32.const 1000) (i32.const 1))
        (i64.store offset=24 (i32.const 1000) (i64.const 20000000))
        (drop (call $poll (i32.const 1000) (i32.const 1100) (i32.const 1) (i32.const 1200)))
        """
    /// Writes the 32 bytes at 64 to a descriptor.
    private func write(_ descriptor: Int) -> String {
        """
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 32))
        (drop (call $write (i32.const \(descriptor)) (i32.const 0) (i32.const 1) (i32.const 8)))
        """
    }

    private func run(
        _ body: String, _ more: String, _ runs: GuestRuns,
        _ change: @escaping @Sendable (inout RunRequest) -> Void
    ) throws -> RunRecord {
        let guest = try guest(body, more)
        let record = try onLoop { guests in
            var request = request(guest)
            change(&request)
            return await runs.run(request, on: guests).record
        }
        return try #require(record)
    }

    private func limit(
        _ body: String, _ more: String = "", _ change: @escaping @Sendable (inout RunLimits) -> Void
    ) throws -> RunLimit? {
        guard case .limit(let limit, _) = try run(body, more, { change(&$0.limits) }).outcome else {
            return nil
        }
        return limit
    }

    private func run(
        _ body: String, _ more: String = "",
        _ change: @escaping @Sendable (inout RunRequest) -> Void = { _ in }
    ) throws -> RunRecord {
        try run(body, more, GuestRuns(), change)
    }

    // MARK: Records

    @Test func aRecordSaysWhatARunWas() throws {
        let runs = GuestRuns()
        let output = MemoryPipe()
        let guest = try guest(write(1) + write(2) + sleep + "(call $exit (i32.const 3))")
        let digest = SHA256.hash([1])
        let scope = RunScope(.module, "greet")
        let account = RunScope(.account, "anna")
        let record = try onLoop { guests in
            var world = WASI()
            world.standardInput = .bytes([1, 2, 3])
            world.standardOutput = .stream(output)
            var request = RunRequest(guest, digest: digest, module: scope, in: world)
            request.account = account
            request.caller = "test"
            return await runs.run(request, on: guests).record
        }
        let made = try #require(record)
        #expect(made.module == digest)
        #expect(made.moduleName == "greet")
        #expect(made.account == "anna")
        #expect(made.caller == "test")
        #expect(made.function == "_start")
        #expect(made.start / 1_000_000_000 > 1_700_000_000)
        #expect(made.start / 1_000_000 >= made.id.milliseconds)
        #expect(made.duration >= 20_000_000)
        #expect(made.computingTime > 0)
        #expect(made.computingTime < made.duration)
        #expect(made.fuel > 0)
        #expect(made.fuel < 10_000)
        #expect(made.peakMemory >= 65_536)
        #expect(made.peakMemory < 1 << 20)
        #expect(made.bytesIn == 3)
        #expect(made.bytesOut == 32)
        #expect(made.logBytes == 32)
        #expect(made.isForked)
        guard case .exited(3) = made.outcome else {
            Issue.record("\(made.outcome)")
            return
        }
        #expect(runs.records.last().map(\.id) == [made.id])
        #expect(runs.log.last().map(\.run) == [made.id])
        for scope in [runs.queue.total, scope, account] {
            let totals = scope.totals
            #expect(totals.runs == 1)
            #expect(totals.failures == 1)
            #expect(totals.count(of: RunOutcome.Kind.exited) == 1)
            #expect(totals.fuel == made.fuel)
            #expect(totals.computingTime == made.computingTime)
            #expect(totals.waitingTime == made.duration - made.computingTime)
            #expect(totals.bytesIn == 3)
            #expect(totals.bytesOut == 32)
            #expect(totals.logBytes == 32)
            #expect(scope.runningCount == 0)
        }
        #expect(runs.active.count == 0)
    }

    @Test func aTrapHasItsBacktrace() throws {
        let record = try run("(call $inner)", "(func $inner (unreachable))")
        guard case .trapped(let trap) = record.outcome else {
            Issue.record("\(record.outcome)")
            return
        }
        #expect(trap.code == .unreachable)
        #expect(trap.frames.count == 2)
        #expect(trap.frames[0].contains("inner"))
        #expect("\(record.outcome)" == "trapped: unreachable")
    }

    @Test func namesInABacktraceAreBounded() throws {
        let name = String(repeating: "long", count: 1000)
        let record = try run("(call $f)", "(func $f (export \"\(name)\") (unreachable))")
        let trap = try #require(record.outcome.trap)
        #expect(trap.frames.allSatisfy { $0.utf8.count < 500 })
    }

    @Test func namesInABacktraceAreHarmless() throws {
        let record = try run(
            "(call $f)", "(func $f (export \"\\1b[2J\\e2\\80\\ae\") (unreachable))")
        let trap = try #require(record.outcome.trap)
        #expect(
            !trap.description.unicodeScalars.contains { $0.value == 0x1b || $0.value == 0x202e })
    }

    @Test func anUncaughtException() throws {
        let record = try run("(throw $t)", "(tag $t)")
        guard case .threw(let trap) = record.outcome else {
            Issue.record("\(record.outcome)")
            return
        }
        #expect(trap.code == nil)
    }

    @Test func valuesAreReturned() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module (func (export "add") (param i64 i64) (result i64 i32)
                  (i64.add (local.get 0) (local.get 1)) (i32.const 7)))
                """))
        let (texts, wrong) = try onLoop { guests in
            let runs = GuestRuns()
            var request = request(guest)
            request.function = "add"
            request.arguments = [.i64(.max), .i64(-1)]
            let result = await runs.run(request, on: guests)
            request.arguments = []
            let wrong = await runs.run(request, on: guests)
            return (result.values.map { "\($0)" }, wrong.outcome.kind)
        }
        #expect(texts.count == 2)
        #expect(texts[0].contains("9223372036854775806"))
        #expect(wrong == .failed)
    }

    @Test func aFunctionThatIsNotThere() throws {
        let record = try run("") { $0.function = "absent\u{1b}" }
        #expect(
            "\(record.outcome)"
                == "failed: the module exports no function \"absent\\x1b\"")
    }

    // MARK: Limits

    @Test func limitsNameThemselves() throws {
        #expect(try limit(endless) { $0.fuel = 1000 } == .fuel)
        #expect(try limit(endless) { $0.time = .milliseconds(20) } == .time)
        #expect(try limit(sleep) { $0.time = .milliseconds(2) } == .time)
        #expect(
            try limit("(call $deep)", "(func $deep (call $deep))") { $0.stack = 64 << 10 }
                == .stack)
        // The module needs 64 KiB at its start.
        #expect(try limit("") { $0.memory = 10_000 } == .memory)
        #expect(try limit("") { $0.descriptors = 2 } == .descriptors)
        #expect(
            try limit("", "(table 1000 funcref)") { $0.tableElements = 10 } == .tables)
    }

    @Test func objectsAreLimited() throws {
        let guest = try PreparedGuest(
            module(
                """
                (module
                  (type $a (array (mut i64)))
                  (type $l (struct (field (ref null $l)) (field (ref $a))))
                  (global $all (mut (ref null $l)) (ref.null $l))
                  (func (export "_start")
                    (loop
                      (global.set $all (struct.new $l (global.get $all)
                        (array.new $a (i64.const 0) (i32.const 10000))))
                      (br 0))))
                """))
        let outcome = try onLoop { guests in
            var request = request(guest)
            request.limits.objects = 1 << 20
            return await GuestRuns().run(request, on: guests).outcome
        }
        guard case .limit(.objects, _) = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    /// Growth that is refused does not end the guest; the record names the limit.
    @Test func refusedGrowthIsNoted() throws {
        let body = """
            (if (i32.ne (memory.grow (i32.const 100)) (i32.const -1)) (then (return)))
            (unreachable)
            """
        let refused = try run(body) { $0.limits.memory = 1 << 20 }
        #expect(refused.outcome.kind == .trapped)
        #expect(refused.reached.limits == [.memory])
        #expect(refused.peakMemory < 1 << 20)
        let grown = try run(body) { $0.limits.memory = 16 << 20 }
        #expect(grown.outcome.kind == .succeeded)
        #expect(grown.reached == [])
        #expect(grown.peakMemory > 100 * 65_536)
    }

    @Test func outputIsLimited() throws {
        let output = MemoryPipe()
        let record = try run("(loop \(write(1)) (br 0))") { request in
            request.world.standardOutput = .stream(output)
            request.limits.output = 100
        }
        guard case .limit(.output, _) = record.outcome else {
            Issue.record("\(record.outcome)")
            return
        }
        #expect(record.bytesOut == 100)
        #expect(output.readAll()?.count == 100)
    }

    /// The guest returns before it can be stopped.
    @Test func lostOutputIsNoSuccess() throws {
        for end in ["", "(call $exit (i32.const 0))"] {
            let record = try run(write(1) + write(1) + end) { request in
                request.world.standardOutput = .stream(MemoryPipe())
                request.limits.output = 32
            }
            #expect("\(record.outcome)" == "limit reached: output")
            #expect(record.bytesOut == 32)
        }
    }

    @Test func totalsHaveAPlaceForEachKind() {
        let totals = RunTotals()
        for limit in RunLimit.allCases { #expect(totals.count(of: limit) == 0) }
        for kind in RunOutcome.Kind.allCases { #expect(totals.count(of: kind) == 0) }
    }

    @Test func extremeLimits() throws {
        let record = try run("") { request in
            request.limits.time = .seconds(Int64.max)
            request.limits.log.burst = .max
            request.limits.log.linesPerSecond = .max
            request.limits.log.lineBytes = .min
            request.limits.descriptors = .max
            request.limits.stack = .max
            request.limits.memory = .max
            request.limits.fuel = .max
            request.limits.output = .max
        }
        #expect(record.outcome.kind == .succeeded)
        let past = try run(endless) { $0.limits.time = .seconds(-5) }
        #expect("\(past.outcome)" == "limit reached: time")
        let none = try run("") { request in
            request.limits.stack = .min
            request.limits.fuel = 0
            request.limits.descriptors = .min
        }
        #expect(none.outcome.kind == .limit)
    }

    @Test func theLogIsLimitedWithoutAnEnd() throws {
        let body = """
            (loop \(write(2))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if 0 (i32.lt_u (local.get $i) (i32.const 100))))
            """
        let record = try run(body) { $0.limits.log.totalBytes = 1000 }
        #expect(record.outcome.kind == .succeeded)
        #expect(record.reached.limits == [.log])
        #expect(record.logBytes == 3200)
    }

    @Test func limitsOfScopesHold() throws {
        let runs = GuestRuns()
        var low = RunLimits()
        low.fuel = 500
        let account = RunScope(.account, "a", limits: low)
        let record = try run(endless, "", runs) { request in
            request.account = account
            request.limits.fuel = 100_000
        }
        guard case .limit(.fuel, _) = record.outcome else {
            Issue.record("\(record.outcome)")
            return
        }
        #expect(record.fuel <= 500)
        #expect(account.totals.count(of: RunLimit.fuel) == 1)
        #expect(account.totals.count(of: RunOutcome.Kind.limit) == 1)
    }

    @Test func aRefusedRunIsCountedAndNotRecorded() throws {
        var options = GuestRuns.Options()
        options.places = RunPlaces(running: 0, waiting: 0)
        let runs = GuestRuns(options)
        let guest = try guest("")
        let (outcome, text) = try onLoop { guests in
            let result = await runs.run(request(guest), on: guests)
            return (result.outcome, result.refusal.map { "\($0)" })
        }
        guard case .limit(.running, nil) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(text == "the server: 0 runs, the limit (running)")
        #expect(runs.records.count == 0)
        #expect(runs.queue.total.totals.refused == 1)
        #expect(runs.queue.total.totals.count(of: RunLimit.running) == 1)
    }

    // MARK: Cancellation

    @Test func aRunIsCancelledByItsID() throws {
        let runs = GuestRuns()
        for body in [endless, "(loop \(sleep) (br 0))"] {
            let guest = try guest(body)
            let outcome = try onLoop { guests in
                let loop = guests.loop
                let task = loop.spawn {
                    var request = request(guest)
                    request.caller = "somebody"
                    return await runs.run(request, on: guests).outcome
                }
                while runs.active.count == 0 || runs.active.all[0].computingTime == 0 {
                    try await loop.sleep(for: .milliseconds(1))
                }
                let run = runs.active.all[0]
                #expect(run.caller == "somebody")
                #expect(run.age > 0)
                #expect(run.memory >= 65_536)
                #expect(!runs.active.cancel(.make()))
                #expect(runs.active.cancel(run.id))
                let outcome = await task.value
                #expect(!runs.active.cancel(run.id))
                return outcome
            }
            #expect(outcome.kind == .cancelled)
        }
        #expect(runs.queue.total.totals.count(of: RunOutcome.Kind.cancelled) == 2)
        #expect(runs.queue.total.runningCount == 0)
    }

    @Test func aCancelledTaskEndsItsRun() throws {
        let runs = GuestRuns()
        let guest = try guest(endless)
        let kinds = try onLoop { guests in
            let loop = guests.loop
            let tasks = (0..<3).map { _ in
                loop.spawn { await runs.run(request(guest), on: guests).outcome.kind }
            }
            while runs.active.count < 3 { try await loop.sleep(for: .milliseconds(1)) }
            for task in tasks { task.cancel() }
            var kinds: [RunOutcome.Kind] = []
            for task in tasks { kinds.append(await task.value) }
            return kinds
        }
        #expect(kinds == [.cancelled, .cancelled, .cancelled])
        #expect(runs.active.count == 0)
        #expect(runs.records.count == 3)
    }

    @Test func whatPauseThrowsEndsTheRun() throws {
        struct Gone: Error {}
        let guest = try guest(endless)
        let (kind, isGone) = try onLoop { guests in
            let result = await GuestRuns().run(request(guest), on: guests) { throw Gone() }
            return (result.outcome.kind, result.error is Gone)
        }
        #expect(kind == .failed)
        #expect(isGone)
    }

    // MARK: Observation

    @Test func aRunBringsItsProfileAndCoverageAlong() throws {
        let body = """
            (loop
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if 0 (i32.lt_u (local.get $i) (i32.const 300000))))
            """
        let guest = try guest(body)
        let runs = GuestRuns()
        let texts = try onLoop { guests in
            var request = request(guest)
            request.observation = RunObservation(
                profileInterval: .microseconds(10), countsBlocks: true)
            let result = await runs.run(request, on: guests)
            #expect(result.outcome.kind == .succeeded)
            let plain = await runs.run(
                RunRequest(
                    guest, digest: request.digest, module: request.module, in: request.world),
                on: guests)
            #expect(plain.findings == nil)
            var texts: [String?] = []
            for form in RunFindings.Form.allCases {
                texts.append(
                    try await result.findings?.text(form, module: "m.wasm", on: guests.loop))
            }
            #expect(result.findings?.profile?.samples.isEmpty == false)
            let counted = result.findings?.coverage?.functions.flatMap(\.blocks).map(\.count)
            #expect(counted?.contains(300_000) == true)
            return texts
        }
        #expect(texts[0]?.contains("\"meta\"") == true)
        #expect(texts[1]?.contains("<svg") == true)
        #expect(texts[2]?.contains("TN:") == true)
    }

    @Test func coverageIsOfOneRun() throws {
        let guest = try guest("")
        let counts = try onLoop { guests in
            let runs = GuestRuns()
            var counts: [UInt64?] = []
            for _ in 0..<2 {
                var request = request(guest)
                request.observation = .coverage
                let result = await runs.run(request, on: guests)
                counts.append(result.findings?.coverage?.functions.last?.count)
            }
            return counts
        }
        #expect(counts == [1, 1])
    }

    // MARK: Many

    /// Runs on several loops, with few places, of which some are cancelled: totals agree with
    /// records, and no place is lost.
    @Test func totalsAgreeWithRecords() throws {
        var options = GuestRuns.Options()
        options.places = RunPlaces(running: 4, waiting: 1000)
        let runs = GuestRuns(options)
        let ends = try guest("(call $exit (i32.const 0))")
        let traps = try guest("(unreachable)")
        let sleeps = try guest(sleep)
        let scopes = (0..<3).map { RunScope(.module, "\($0)") }
        let group = try LoopGroup(count: 2)
        try group.run { loop in
            var tasks: [LoopTask<Void>] = []
            for loop in group.loops {
                tasks.append(
                    loop.spawn {
                        guard let guests = try? GuestLoop(loop) else { return }
                        let tasks = (0..<60).map { number in
                            loop.spawn {
                                let guest = [ends, traps, sleeps][number % 3]
                                let request = RunRequest(
                                    guest, digest: SHA256.hash([UInt8(number % 3)]),
                                    module: scopes[number % 3])
                                _ = await runs.run(request, on: guests)
                            }
                        }
                        await loop.yield()
                        for (number, task) in tasks.enumerated() where number % 10 == 9 {
                            task.cancel()
                        }
                        for task in tasks { await task.value }
                    })
            }
            for task in tasks { await task.value }
        }
        let totals = runs.queue.total.totals
        #expect(totals.runs + totals.refused == 120)
        #expect(totals.runs == runs.records.count)
        #expect(scopes.reduce(0) { $0 + $1.totals.runs } == totals.runs)
        #expect(totals.count(of: RunOutcome.Kind.trapped) > 20)
        #expect(runs.queue.total.runningCount == 0)
        #expect(runs.active.count == 0)
    }

    // MARK: Profiles of modules that run

    @Test func activeAndShortRunsAreProfiled() throws {
        let spinning = try guest(endless)
        let short = try guest(
            "(local.set $i (i32.const 20000)) (loop $l (br_if $l "
                + "(local.tee $i (i32.sub (local.get $i) (i32.const 1)))))")
        let (endlessOnes, shortOnes, nothing) = try onLoop { guests in
            let runs = GuestRuns()
            let digest = SHA256.hash([1])
            var long = request(spinning)
            long.digest = digest
            let wanted = long
            let task = guests.loop.spawn { _ = await runs.run(wanted, on: guests) }
            while runs.active.count == 0 { await guests.loop.yieldToOthers() }
            // A run that had begun before.
            let found = try await runs.profiling.profile(
                [digest], for: .milliseconds(100), on: guests.loop)
            runs.active.cancelAll()
            await task.value
            // Many that begin meanwhile.
            let many = guests.loop.spawn {
                while !Task.isCancelled {
                    _ = await runs.run(request(short), on: guests)
                    // Short runs alone never give up the loop, and the profile's timer waits.
                    await guests.loop.yieldToOthers()
                }
            }
            // As long as a few of them take, which sanitizers and other work on the machine decide.
            var time = Duration.milliseconds(300)
            var others = try await runs.profiling.profile(nil, for: time, on: guests.loop)
            while others.runs <= 3, time < .seconds(30) {
                time *= 2
                others = try await runs.profiling.profile(nil, for: time, on: guests.loop)
            }
            many.cancel()
            await many.value
            let none = try await runs.profiling.profile(
                [SHA256.hash([9])], for: .milliseconds(1), on: guests.loop)
            return (found, others, none)
        }
        #expect(endlessOnes.runs == 1 && !endlessOnes.profile.samples.isEmpty)
        #expect(shortOnes.runs > 3 && !shortOnes.profile.samples.isEmpty)
        #expect(shortOnes.profile.stacks.count < 20)
        let times = shortOnes.profile.samples.map(\.time)
        #expect(times == times.sorted())
        for sample in shortOnes.profile.samples {
            #expect(sample.stack < Int32(shortOnes.profile.stacks.count))
        }
        #expect(nothing.runs == 0 && nothing.profile.samples.isEmpty)
    }

    @Test func profilesAreBounded() throws {
        try onLoop { guests in
            let runs = GuestRuns()
            let tasks = (0..<RunProfiling.sessionLimit).map { _ in
                guests.loop.spawn {
                    try? await runs.profiling.profile(nil, for: .seconds(60), on: guests.loop).runs
                }
            }
            try await guests.loop.sleep(for: .milliseconds(20))
            await #expect(throws: RunProfilingError.tooMany(limit: RunProfiling.sessionLimit)) {
                _ = try await runs.profiling.profile(nil, for: .milliseconds(1), on: guests.loop)
            }
            for task in tasks { task.cancel() }
            for task in tasks { #expect(await task.value == nil) }
            let after = try await runs.profiling.profile(
                nil, for: .milliseconds(1), on: guests.loop)
            #expect(after.runs == 0)
        }
    }

    @Test func observersAreToldOfEachRun() throws {
        var options = GuestRuns.Options()
        let seen = Feed<RunID>(capacity: 10)
        options.observer = { seen.append($0.id) }
        let record = try run("", "", GuestRuns(options)) { request in
            request.trace = RunTrace(high: 1, low: 2, span: 3)
        }
        #expect(seen.last() == [record.id])
        #expect(record.trace?.description == "00000000000000010000000000000002")
        #expect(RunID(words: record.id.words) == record.id)
        #expect(RunID(words: (0, 0)) == nil)
    }
}
