import Testing
import WasmInterpreter
import WasmdDocuments
import WasmdImages
import WasmdOthismo

@Suite struct ExchangeTests {
    @Test(arguments: 1...3) func countsAndPersists(_ generation: Int) throws {
        let house = try House()
        try house.instantiate("counter\(generation)", "/c")
        #expect(
            house.value(
                try house.send("/c", "counter.add", [Document.Member("by", .integer32(5))])) == 5)
        #expect(house.value(try house.send("c", "counter.add")) == 6)
        try house.restart()
        let answer = try house.send("/c", "counter.get")
        #expect(house.value(answer) == 6)
        // Started once, and the answer names the request.
        #expect(answer[0]["counter.value"]?["starts"]?.integerValue == 1)
        #expect(answer[0]["othismo"]?["response_id"] == .integer(4))
        #expect(answer[0]["othismo"]?["send_to"] == "/")
        // Another instance of the module has its own state.
        try house.instantiate("/counter\(generation)", "other")
        #expect(house.value(try house.send("other", "counter.get")) == 0)
    }

    /// Each generation asks each other one.
    @Test(arguments: 1...3, 1...3) func ask(_ first: Int, _ second: Int) throws {
        let house = try House()
        try house.instantiate("counter\(first)", "a")
        try house.instantiate("counter\(second)", "b")
        for round in 1...3 {
            let answers = try house.send(
                "a", "counter.ask",
                [Document.Member("to", "b"), Document.Member("what", "counter.add")])
            try #require(answers.count == 1)
            #expect(answers[0]["counter.heard"]?["value"]?.integerValue == Int64(round))
            #expect(answers[0]["othismo"]?["response_id"] == .integer(Int64(round + 2)))
            // The third generation is told the handle of its request.
            if first == 3 { #expect(answers[0]["handle"]?.integerValue == 1) }
            if round == 2 { try house.restart() }
        }
    }

    /// A guest of the first generation that asks itself, or one that waits for it, hears nothing at
    /// once.
    @Test func askingInCircles() throws {
        let house = try House()
        try house.instantiate("counter1", "a")
        let answers = try house.send(
            "a", "counter.ask",
            [Document.Member("to", "a"), Document.Member("what", "counter.add")]
        )
        #expect(answers.count == 1)
        #expect(answers.first?["counter.silence"]?.integerValue == 1)
        // The message was delivered afterwards.
        #expect(house.value(try house.send("a", "counter.get")) == 1)
    }

    @Test(arguments: 1...3) func failuresHaveNoEffect(_ generation: Int) throws {
        let house = try House()
        try house.instantiate("counter\(generation)", "a")
        try house.instantiate("counter\(generation)", "b")
        try house.send("a", "counter.add")
        try house.post("b", "counter.add")
        try house.post("a", "counter.trap")
        try house.post("a", "counter.add")
        try house.post("b", "counter.add")
        let answers = try house.drain()
        #expect(answers.count == 4)
        #expect(answers.compactMap(\.errorCode) == ["trap"])
        #expect(answers.compactMap { $0["counter.value"]?["value"]?.integerValue } == [1, 2, 2])
        try house.restart()
        #expect(house.value(try house.send("a", "counter.get")) == 2)
        #expect(house.exchange.statistics.failures == 0)
    }

    /// The guest that waits gets the error of the one that failed.
    @Test(arguments: 1...3) func failuresOfOthers(_ generation: Int) throws {
        let house = try House()
        try house.instantiate("counter\(generation)", "a")
        try house.instantiate("counter2", "b")
        try house.send("b", "counter.add")
        let answers = try house.send(
            "a", "counter.ask",
            [Document.Member("to", "b"), Document.Member("what", "counter.trap")])
        #expect(answers.count == 1)
        #expect(answers.first?["counter.failed"]?["code"]?.stringValue == "trap")
        #expect(house.value(try house.send("b", "counter.get")) == 1)
    }

    @Test func guestsThatDoNotReturn() throws {
        let house = try House { $0.deliveryTimeout = .milliseconds(100) }
        try house.instantiate("counter3", "a")
        #expect(try house.send("a", "counter.spin").compactMap(\.errorCode) == ["timeout"])
        #expect(house.value(try house.sendPatiently("a", "counter.get")) == 0)
    }

    @Test func circlesDoNotStopOthers() throws {
        let house = try House { $0.batchDeliveries = 100 }
        try house.instantiate("counter3", "first")
        try house.send("first", "counter.add")
        try house.post("first", "counter.forward", [Document.Member("to", "first")])
        try house.post("first", "counter.get")
        // The message is in the queue for ever; everything else is handled all the same.
        let answers = try house.drain(3)
        #expect(answers.count == 1)
        #expect(!house.exchange.isIdle)
        try house.restart()
        #expect(house.exchange.waitingCount == 1)
    }

    @Test func limits() throws {
        let house = try House {
            $0.queueLimit = 10
            $0.sendLimit = 50
        }
        try house.instantiate("counter2", "a")
        try house.instantiate("counter2", "b")
        func tell(_ times: Int32) throws -> [Document] {
            try house.send(
                "a", "counter.tell",
                [Document.Member("to", "b"), Document.Member("times", .integer32(times))])
        }
        _ = try tell(20)
        // Ten were delivered; a was told of the others.
        #expect(house.value(try house.send("b", "counter.get")) == 10)
        #expect(try tell(60).compactMap(\.errorCode) == ["too_many_sends"])
        #expect(house.value(try house.send("b", "counter.get")) == 10)
        for _ in 0..<10 { try house.post("b", "counter.get") }
        #expect(throws: MessageError.self) { try house.post("b", "counter.get") }
    }

    @Test func whatIsNoGuest() throws {
        let house = try House()
        try house.add("(memory (export \"memory\") 1)", "plain")
        try house.add(
            """
            (import "env" "f" (func)) (memory (export "memory") 1)
            (func (export "prepare_inbox") (param i32) (result i32) i32.const 0)
            (func (export "message_received"))
            """, "stranger")
        try house.add(
            """
            (memory (export "memory") 1)
            (func (export "prepare_inbox") (param i32) (result i32) i32.const 65536)
            (func (export "message_received"))
            """, "wild")
        for name in ["plain", "stranger", "wild"] {
            try house.instantiate(name, "/i/\(name)")
        }
        #expect(try house.send("/i/plain", "x").compactMap(\.errorCode) == ["no_interface"])
        #expect(try house.send("/i/stranger", "x").compactMap(\.errorCode) == ["refused"])
        #expect(try house.send("/i/wild", "x").compactMap(\.errorCode) == ["bad_buffer"])
        #expect(try house.send("plain", "x").compactMap(\.errorCode) == ["not_an_instance"])
        // What nobody is called goes to the console.
        let answers = try house.send("/nobody", "x.y")
        #expect(answers.count == 1 && answers[0]["x.y"] != nil)
    }

    /// Nothing leaves before the commit, and a commit that fails changes nothing.
    @Test func commitsComeFirst() throws {
        let house = try House()
        try house.instantiate("counter3", "a")
        try house.send("a", "counter.add")
        try house.post("a", "counter.add")
        house.store.failure = .busy
        #expect(throws: ImageError.busy) { try house.exchange.runBatch() }
        #expect(house.exchange.waitingCount == 1)
        #expect(house.value(try house.drain()) == 2)
        try house.restart()
        #expect(house.value(try house.send("a", "counter.get")) == 2)
    }

    /// A client that is told that the image could not be written sends again: what it sent before is
    /// not handled as well.
    @Test func messagesOfClientsAreWithdrawn() throws {
        let house = try House()
        try house.instantiate("counter3", "a")
        try house.post("a", "counter.add", for: 7)
        // This one has no client that would send it again.
        try house.post("a", "counter.add")
        house.store.failure = .busy
        #expect(throws: ImageError.busy) { try house.exchange.runBatch() }
        let withdrawn = house.exchange.withdraw()
        #expect(withdrawn == [7])
        #expect(house.exchange.waitingCount == 1)
        let answers = try house.drain()
        #expect(answers.count == 1)
        #expect(house.value(answers) == 1)
        // What is in the image is not taken back.
        try house.post("a", "counter.add", for: 8)
        #expect(house.value(try house.drain()) == 2)
        let later = house.exchange.withdraw()
        #expect(later.isEmpty)
        try house.restart()
        #expect(house.value(try house.send("a", "counter.get")) == 2)
    }

    /// What a server does to learn whether the image can be written again.
    @Test func probesAreCommitted() throws {
        let house = try House()
        let before = house.store.commitCount
        _ = try house.exchange.runBatch()
        #expect(house.store.commitCount == before)
        house.exchange.probe([1])
        house.store.failure = .busy
        #expect(throws: ImageError.busy) { try house.exchange.runBatch() }
        _ = try house.exchange.runBatch()
        #expect(house.store.commitCount == before)
        house.exchange.probe([2])
        _ = try house.exchange.runBatch()
        #expect(house.store.commitCount == before + 1)
        #expect(house.exchange.isIdle)
    }

    /// Also the report of a delivery that failed has no effect if it cannot be committed.
    @Test func reportsOfFailuresAreUndone() throws {
        let house = try House()
        try house.instantiate("counter3", "a")
        try house.post("a", "counter.trap", for: 7)
        house.store.failure = .busy
        #expect(throws: ImageError.busy) { try house.exchange.runBatch() }
        #expect(house.exchange.waitingCount == 1)
        let withdrawn = house.exchange.withdraw()
        #expect(withdrawn == [7])
        #expect(house.exchange.isIdle)
        #expect(try house.send("a", "counter.trap").compactMap(\.errorCode) == ["trap"])
    }

    /// One commit for a batch, however many messages it has.
    @Test func oneCommitForABatch() throws {
        let house = try House { $0.batchTime = .seconds(60) }
        try house.instantiate("counter1", "a")
        let before = house.store.commitCount
        for _ in 0..<100 { try house.post("a", "counter.add") }
        let answers = try house.drain()
        #expect(house.value(answers, at: 99) == 100)
        #expect(house.store.commitCount == before + 1)
    }

    @Test func idleInstancesSleep() throws {
        let house = try House { $0.liveInstances = 2 }
        for index in 0..<5 { try house.instantiate("counter3", "i\(index)") }
        for round in 1...2 {
            for index in 0..<5 {
                #expect(house.value(try house.send("i\(index)", "counter.add")) == Int64(round))
            }
        }
        #expect(house.exchange.statistics.wakings > 5)
    }

    /// An instance at rest is a module that others can run.
    @Test func instancesAtRestAreModules() throws {
        let house = try House()
        try house.instantiate("counter3", "a")
        let first = try house.store.bytes(of: #require(house.store.object(at: Array("a".utf8))).key)
        for _ in 0..<50 { try house.send("a", "counter.add") }
        let object = try #require(house.store.object(at: Array("a".utf8)))
        let bytes = try house.store.bytes(of: object.key)
        let module = try Module(bytes, engine: Engine())
        #expect(module.export("_run") != nil)
        #expect(first.count < bytes.count)
        // It does not grow, so that a commit writes few pages.
        try house.send("a", "counter.add")
        #expect(try house.store.bytes(of: object.key).count == bytes.count)
    }
}
