import Testing
import WasmdEventLoop

@testable import WasmdGuests

@Suite struct RunQueueTests {
    private let module = RunScope(.module, "m")

    /// Runs that note the order in which they get their places.
    private func start(
        _ names: [String], _ queue: RunQueue, _ module: RunScope, _ account: RunScope?,
        _ order: Feed<String>, on loop: EventLoop
    ) async -> [LoopTask<Void>] {
        var tasks: [LoopTask<Void>] = []
        for name in names {
            tasks.append(
                loop.spawn {
                    do throws(RunRefusal) {
                        let place = try await queue.enter(
                            module: module, account: account, on: loop)
                        order.append(name)
                        place.giveBack()
                    } catch {
                        order.append("\(name): \(error)")
                    }
                })
        }
        await loop.yield()
        return tasks
    }

    @Test func aPlaceIsGivenBackOnce() throws {
        let queue = RunQueue(places: RunPlaces(running: 2, waiting: 0))
        let first = try queue.tryEnter(module: module)
        do {
            let second = try queue.tryEnter(module: module)
            let third = try queue.tryEnter(module: module)
            let (hasSecond, hasThird) = (second != nil, third != nil)
            #expect(hasSecond)
            #expect(!hasThird)
            #expect(queue.total.runningCount == 2)
            #expect(module.runningCount == 2)
        }
        #expect(queue.total.runningCount == 1)
        first?.giveBack()
        #expect(queue.total.runningCount == 0)
        #expect(module.runningCount == 0)
    }

    @Test func refusalsNameTheLimitAndItsOwner() throws {
        let queue = RunQueue(places: RunPlaces(running: 1, waiting: 1))
        let account = RunScope(.account, "a\u{1b}", places: RunPlaces(waiting: 0))
        let full = RunScope(.module, "full", places: RunPlaces(running: 0, waiting: 0))
        try EventLoop().run { loop in
            let place = try queue.tryEnter(module: module)
            let order = Feed<String>(capacity: 10)
            let waiting = await start(["w"], queue, module, nil, order, on: loop)
            var texts: [String] = []
            for (module, account) in [(module, account), (full, nil), (module, nil)] {
                do throws(RunRefusal) {
                    _ = try await queue.enter(module: module, account: account, on: loop)
                    Issue.record("has a place")
                } catch {
                    texts.append("\(error)")
                }
            }
            #expect(
                texts == [
                    "account a\\x1b: 9223372036854775807 runs, the limit (running)",
                    "module full: 0 runs, the limit (running)",
                    "the server: 1 runs wait, the limit (waiting)",
                ])
            place?.giveBack()
            await waiting[0].value
            #expect(order.last() == ["w"])
            #expect(queue.total.waitingCount == 0)
        }
    }

    @Test func accountsHaveTurns() throws {
        let queue = RunQueue(places: RunPlaces(running: 1, waiting: 100))
        let (greedy, modest) = (RunScope(.account, "greedy"), RunScope(.account, "modest"))
        let other = RunScope(.module, "other")
        try EventLoop().run { loop in
            let order = Feed<String>(capacity: 100)
            let place = try queue.tryEnter(module: module)
            var tasks = await start(
                (1...5).map { "g\($0)" }, queue, module, greedy, order, on: loop)
            tasks += await start(["x1", "x2"], queue, other, greedy, order, on: loop)
            tasks += await start(["m1", "m2"], queue, module, modest, order, on: loop)
            tasks += await start(["n1"], queue, module, nil, order, on: loop)
            #expect(queue.total.waitingCount == 10)
            #expect(greedy.waitingCount == 7)
            place?.giveBack()
            for task in tasks { await task.value }
            #expect(
                order.last() == ["g1", "m1", "n1", "x1", "m2", "g2", "x2", "g3", "g4", "g5"])
        }
        #expect(queue.total.waitingCount == 0)
        #expect(queue.total.runningCount == 0)
    }

    @Test func aFullModuleDoesNotHoldUpOthers() throws {
        let queue = RunQueue(places: RunPlaces(running: 10, waiting: 100))
        let full = RunScope(.module, "full", places: RunPlaces(running: 1))
        try EventLoop().run { loop in
            let order = Feed<String>(capacity: 100)
            let place = try queue.tryEnter(module: full)
            let blocked = await start(["f1", "f2"], queue, full, nil, order, on: loop)
            let free = await start(["o1"], queue, module, nil, order, on: loop)
            await free[0].value
            #expect(order.last() == ["o1"])
            place?.giveBack()
            for task in blocked { await task.value }
            #expect(order.last() == ["o1", "f1", "f2"])
        }
    }

    /// One place that is given back can let two runs begin: one waited for the module, one for the
    /// account.
    @Test func allThatMayBeginDoSo() throws {
        let queue = RunQueue()
        let one = RunScope(.module, "one", places: RunPlaces(running: 1))
        let account = RunScope(.account, "a", places: RunPlaces(running: 1))
        let other = RunScope(.account, "b")
        try EventLoop().run { loop in
            let order = Feed<String>(capacity: 100)
            let place = try queue.tryEnter(module: one, account: account)
            let tasks =
                await start(["module"], queue, one, other, order, on: loop)
                + start(["account"], queue, module, account, order, on: loop)
            #expect(queue.total.waitingCount == 2)
            place?.giveBack()
            for task in tasks { await task.value }
            #expect(Set(order.last()) == ["module", "account"])
        }
    }

    @Test func waitingEndsWithTheTaskAndWithTime() throws {
        let queue = RunQueue(places: RunPlaces(running: 1, waiting: 10))
        try EventLoop().run { loop in
            let order = Feed<String>(capacity: 100)
            let place = try queue.tryEnter(module: module)
            let tasks = await start(["a", "b", "c"], queue, module, nil, order, on: loop)
            tasks[1].cancel()
            await tasks[1].value
            #expect(order.last() == ["b: cancelled"])
            #expect(module.waitingCount == 2)
            do throws(RunRefusal) {
                _ = try await queue.enter(
                    module: module, waitingAtMost: .milliseconds(5), on: loop)
                Issue.record("has a place")
            } catch {
                #expect(error.limit == .waitingTime)
            }
            #expect(module.waitingCount == 2)
            place?.giveBack()
            await tasks[0].value
            await tasks[2].value
            #expect(order.last() == ["b: cancelled", "a", "c"])
        }
        #expect(queue.total.runningCount == 0)
    }

    @Test func raisedPlacesAndClosing() throws {
        let queue = RunQueue(places: RunPlaces(running: 0, waiting: 10))
        try EventLoop().run { loop in
            let order = Feed<String>(capacity: 100)
            let tasks = await start(["a"], queue, module, nil, order, on: loop)
            queue.total.places = RunPlaces(running: 1, waiting: 10)
            queue.update()
            await tasks[0].value
            let place = try queue.tryEnter(module: module)
            let refused = await start(["b"], queue, module, nil, order, on: loop)
            queue.close()
            await refused[0].value
            #expect(order.last() == ["a", "b: the server is stopping"])
            #expect(throws: RunRefusal.self) { _ = try queue.tryEnter(module: module) }
            place?.giveBack()
        }
        #expect(queue.total.runningCount == 0)
        #expect(queue.total.waitingCount == 0)
    }

    /// Thousands of runs on several loops, many of which are cancelled at any time: no place is lost.
    @Test func noPlaceIsLost() throws {
        let queue = RunQueue(places: RunPlaces(running: 3, waiting: 40))
        let modules = (0..<3).map {
            RunScope(.module, "\($0)", places: RunPlaces(running: 2, waiting: 30))
        }
        let accounts = (0..<4).map { RunScope(.account, "\($0)", places: RunPlaces(running: 1)) }
        let most = Counter()
        let group = try LoopGroup(count: 3)
        try group.run { _ in
            for loop in group.loops {
                for seed in 0..<200 {
                    let task = loop.spawn {
                        for round in 0..<5 {
                            guard
                                let place = try? await queue.enter(
                                    module: modules[(seed + round) % 3],
                                    account: accounts[(seed &* 7 + round) % 4],
                                    waitingAtMost: .milliseconds(seed % 3), on: loop)
                            else { continue }
                            if queue.total.runningCount > 3 { _ = most.next() }
                            if seed % 2 == 0 { try? await loop.sleep(for: .microseconds(100)) }
                            place.giveBack()
                        }
                    }
                    if seed % 5 == 0 { task.cancel() }
                }
            }
            try await group.loops[0].sleep(for: .milliseconds(200))
        }
        #expect(most.value == 0)
        #expect(queue.total.runningCount == 0)
        #expect(queue.total.waitingCount == 0)
        for scope in modules + accounts {
            #expect(scope.runningCount == 0)
            #expect(scope.waitingCount == 0)
        }
    }
}
