import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdWasmiot

@testable import WasmdModules

@Suite struct ExecutionTests {
    private static let step = #"{"module":"m","func":"fibo"}"#

    /// Begins an execution and returns at once.
    private func begin(_ house: ModulesHouse, _ body: String) async throws -> String {
        let answer = try await house.send(
            .post, "/execute/d", Array(body.utf8),
            [("Content-Type", "application/json"), ("Prefer", "respond-async")])
        #expect(answer.status == 202, "\(answer.text)")
        let id = try #require(answer.json["execution"]?.stringValue)
        #expect(answer.field("location") == "/executions/\(id)")
        return id
    }

    /// The document of an execution that has ended.
    private func end(_ house: ModulesHouse, _ id: String) async throws -> Document {
        for _ in 0..<1000 {
            let document = try await house.send(.get, "/executions/\(id)").json
            if document["status"] != "running" { return document }
            try await house.loop.sleep(for: .milliseconds(5))
        }
        Issue.record("the execution does not end")
        return .null
    }

    @Test func anExecutionThatNobodyWaitsFor() throws {
        let folder = ModulesHouse.newFolder()
        defer { removeFolder(folder) }
        try ModulesHouse.openWithDevices(["a"]) { house, _, _ in
            let deployment = try await house.deploy(Self.step)
            let id = try await begin(house, #"{"param0":7}"#)
            let document = try await end(house, id)
            #expect(document["status"] == "succeeded")
            #expect(document["result"]?[0] == "21")
            #expect(document["deployment"] == .string(deployment))
            #expect(document["steps"]?[0]?["func"] == "fibo")
            let events = try await house.send(.get, "/executions/\(id)/events")
            #expect(events.field("content-type") == "text/event-stream")
            #expect(events.text.contains("event: link\ndata: "))
            #expect(events.text.contains("event: end\ndata: {"))
            let list = try await house.send(.get, "/executions?deployment=d&limit=1")
            #expect(list.json[0]?["_id"] == .string(id))
            #expect(try await house.send(.get, "/executions?limit=0").status == 400)
            #expect(try await house.send(.delete, "/executions/\(id)").status == 409)
            #expect(
                try await house.send(.get, "/executions/\(String(repeating: "0", count: 24))")
                    .status == 404)
            let failing = try await begin(house, "{}")
            let failed = try await end(house, failing)
            #expect(failed["status"] == "failed")
            #expect(failed["error"]?["errorText"] == "scheduling work failed")
        }
    }

    @Test func eventsInPlaceOfAResult() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, _, _ in
            _ = try await house.deploy(Self.step)
            let answer = try await house.send(
                .post, "/execute/d", Array(#"{"param0":7}"#.utf8),
                [("Content-Type", "application/json"), ("Accept", "text/event-stream")])
            #expect(answer.status == 200)
            #expect(answer.field("content-type") == "text/event-stream")
            #expect(answer.text.contains(#""result":["21",null]"#), "\(answer.text)")
        }
    }

    @Test func answersThatAreTooLargeAreNotKept() throws {
        try ModulesHouse.openWithDevices([]) { house, _, _ in
            let numbers = Document.array([Document](repeating: .integer(1), count: 200_000))
            let supervisor = try await FakeSupervisor.start(
                on: house.loop, description: OrchestrationTests.description,
                results: ["fibo": numbers])
            _ = try await house.register("a", supervisor)
            _ = try await house.deploy(Self.step)
            // Who waits for it gets all of it.
            let whole = try await house.send(.post, "/execute/d", json: #"{"param0":7}"#)
            #expect(whole.json["result"]?.arrayValue?.count == 200_000)
            let id = try await begin(house, #"{"param0":7}"#)
            let document = try await end(house, id)
            #expect(document["status"] == "succeeded")
            let kept = document["result"]?.stringValue ?? ""
            #expect(kept.hasPrefix("left out: it takes 4800048 bytes"), "\(kept)")
            let step = document["steps"]?[0]?["result"]?.stringValue ?? ""
            #expect(step.hasPrefix("left out"), "\(step)")
            let list = try await house.send(.get, "/executions").json.arrayValue ?? []
            #expect(list.allSatisfy { $0["result"]?.stringValue == kept } && list.count == 2)
        }
    }

    @Test func resultsOfAWorkflowAreBounded() {
        var values = WorkflowValues(input: .null)
        let half = Document.string(String(repeating: "x", count: 33 << 20))
        let isFirstTaken = values.set("a", half)
        let isSecondTaken = values.set("b", half)
        #expect(isFirstTaken && !isSecondTaken && values.value("$steps.b") == nil)
        let isChanged = values.set("a", .integer(1))
        #expect(isChanged && values.value("$result") == .integer(1))
        let hasRoom = values.set("b", half)
        #expect(hasRoom)
    }

    @Test func answersHaveRoomTogether() {
        let room = AnswerRoom()
        var first: AnswerHold? = AnswerHold(room)
        let second = AnswerHold(room)
        let isFirstTaken = first?.add(AnswerRoom.limit - 100)
        #expect(isFirstTaken == true)
        #expect(second.add(100) && !second.add(1) && !second.add(document: 1))
        first = nil
        // What was read from the same bytes counts once.
        #expect(second.add(document: 1000) && second.add(document: 1000))
        #expect(second.add(AnswerRoom.limit - 1100) && !second.add(1))
    }

    @Test func whatDocumentsTake() {
        let stride = MemoryLayout<Document>.stride
        #expect(Document.null.heapSize == 0 && Document.integer(1).heapSize == 0)
        #expect(Document.string(String(repeating: "x", count: 15)).heapSize == 0)
        #expect(Document.string(String(repeating: "x", count: 16)).heapSize == 64)
        #expect(Document.array([]).heapSize == 0 && Document.object([]).heapSize == 0)
        #expect(Document.array([.null, .null]).heapSize == 2 * stride + 48)
        #expect(Document.array([.array([.null])]).heapSize == 2 * (stride + 48))
        let member = MemoryLayout<Document.Member>.stride
        #expect(Document.object([.init("a", .bytes([1, 2]))]).heapSize == member + 48 + 50)
    }

    @Test func executionsAreCancelled() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, supervisors, _ in
            _ = try await house.deploy(Self.step)
            supervisors[0].state.withLock { $0.runTime = .seconds(60) }
            let id = try await begin(house, #"{"param0":7}"#)
            #expect(try await house.send(.get, "/executions/\(id)").json["status"] == "running")
            let cancelled = try await house.send(.delete, "/executions/\(id)")
            #expect(cancelled.status == 202, "\(cancelled.text)")
            #expect(try await end(house, id)["status"] == "cancelled")
        }
    }

    /// A device that has begun a run is asked to end it.
    @Test func devicesEndRunsOfCancelledExecutions() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, supervisors, _ in
            _ = try await house.deploy(Self.step)
            supervisors[0].state.withLock { $0.holdsEntries = true }
            let id = try await begin(house, #"{"param0":7}"#)
            for _ in 0..<500 where supervisors[0].state.withLock({ $0.heldEntries == 0 }) {
                try await house.loop.sleep(for: .milliseconds(10))
            }
            #expect(try await house.send(.delete, "/executions/\(id)").status == 202)
            #expect(try await end(house, id)["status"] == "cancelled")
            for _ in 0..<500 where supervisors[0].state.withLock({ $0.cancelled.isEmpty }) {
                try await house.loop.sleep(for: .milliseconds(10))
            }
            #expect(supervisors[0].state.withLock { $0.cancelled.count } == 1)
        }
    }

    /// Two steps: the first runs again and again until its result is large, then the second.
    @Test func workflowsThatBranchAndLoop() throws {
        try ModulesHouse.openWithDevices(["a", "b"]) { house, supervisors, ids in
            let workflow = #"""
                ,"workflow":{"limit":50,"steps":[
                 {"id":"grow","step":0,"arguments":{"param0":"$input.param0"},"next":"again"},
                 {"id":"again","step":0,"next":[
                   {"when":"<","value":10,"to":"again"},
                   {"when":">","of":"$steps.grow","value":100,"to":null},{"to":"last"}]},
                 {"id":"last","step":1,"arguments":{"param0":"$steps.again"}}]}
                """#
            let id = try await house.deploy(
                #"{"device":"\#(ids[0])","module":"m","func":"fibo"},"#
                    + #"{"device":"\#(ids[1])","module":"m","func":"fibo"}"#, more: workflow)
            // The devices call nobody.
            let node = try await house.send(.get, "/file/manifest/\(id)").json["fullManifest"]?[
                ids[0]]
            #expect(node?["instructions"]?["modules"]?["m"]?["fibo"]?["to"] == .null)
            // fibo: 3 -> 3 -> 3 ... never ends.
            let endless = try await house.send(.post, "/execute/d", json: #"{"param0":3}"#)
            #expect(endless.status == 500)
            #expect(endless.json["errorText"] == "the workflow does not end")
            // 4 -> 5 -> 8 -> 34, then 34 on the other device.
            supervisors[0].state.withLock { $0.runs = [] }
            let answer = try await house.send(.post, "/execute/d", json: #"{"param0":4}"#)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(supervisors[0].state.withLock { $0.runs.count } == 3)
            #expect(supervisors[1].state.withLock { $0.runs.count } == 1)
            #expect(
                supervisors[1].state.withLock { $0.runs.first?.path }?.hasSuffix("param0=34")
                    == true)
            // 12 -> 233 ends without the last step.
            let short = try await house.send(.post, "/execute/d", json: #"{"param0":12}"#)
            #expect(short.status == 200)
            #expect(supervisors[1].state.withLock { $0.runs.count } == 1)
        }
    }

    @Test func workflowsThatAreRefused() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, _, _ in
            for (workflow, reason) in [
                ("1", "must be an object"),
                (#"{"steps":[]}"#, "workflow.steps"),
                (#"{"steps":[{"id":"a","step":1}]}"#, "'sequence'"),
                (#"{"steps":[{"id":"a","step":0},{"id":"a","step":0}]}"#, "two steps"),
                (#"{"steps":[{"id":"a","step":0,"next":"b"}]}"#, "no step 'b'"),
                (#"{"steps":[{"id":"a","step":0}],"start":"x"}"#, "no step 'x'"),
                (
                    #"{"steps":[{"id":"a","step":0,"next":[{"when":"~","value":1,"to":"a"}]}]}"#,
                    "one of"
                ),
                (#"{"schedule":{"every":0}}"#, "schedule.every"),
                (#"{"schedule":{"cron":"61 * * * *"}}"#, "five fields"),
            ] {
                let answer = try await house.send(
                    .post, "/file/manifest",
                    json: #"{"name":"w","sequence":[\#(Self.step)],"workflow":\#(workflow)}"#)
                #expect(answer.status == 400, "\(workflow)")
                #expect(
                    answer.json["error"]?.stringValue?.contains(reason) == true, "\(answer.text)")
            }
        }
    }

    @Test func deploymentsRunOnASchedule() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, supervisors, _ in
            let id = try await house.deploy(
                Self.step,
                more: #","workflow":{"schedule":{"every":86400},"arguments":{"param0":7}}"#)
            var last: [ObjectID: Int64] = [:]
            let orchestrator = house.orchestrator
            orchestrator.runSchedules(0, &last, on: house.loop)
            orchestrator.runSchedules(86_399, &last, on: house.loop)
            #expect(orchestrator.executions.documents(limit: 9, deployment: nil).isEmpty)
            orchestrator.runSchedules(86_400, &last, on: house.loop)
            let documents = orchestrator.executions.documents(limit: 9, deployment: nil)
            #expect(documents.count == 1 && documents[0]["isScheduled"] == .boolean(true))
            let document = try await end(house, documents[0]["_id"]?.stringValue ?? "")
            #expect(document["result"]?[0] == "21" && document["deployment"] == .string(id))
            // One that still runs is not begun again.
            supervisors[0].state.withLock { $0.runTime = .seconds(60) }
            orchestrator.runSchedules(172_800, &last, on: house.loop)
            orchestrator.runSchedules(259_200, &last, on: house.loop)
            #expect(orchestrator.executions.documents(limit: 9, deployment: nil).count == 2)
        }
    }

    @Test func timesOfSchedules() throws {
        // Sunday, 1 March 2026, 12:30 UTC.
        let time: Int64 = 1_772_368_200
        for text in [
            "30 12 1 3 *", "*/10 * * * *", "30 * * * 0", "30 * * * 7", "0-30 10-14/2 * * *",
            "5,30 12 * 1-3 *", "30 12 9 * 0", "30 12 1 * 5",
        ] { #expect(try #require(Cron(text)).matches(time), "\(text)") }
        for text in ["31 12 * * *", "30 12 2 * *", "30 12 * 2 *", "30 12 * * 1-6", "*/7 * * * *"] {
            #expect(try !#require(Cron(text)).matches(time), "\(text)")
        }
        for text in [
            "", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "a * * * *",
            "5-3 * * * *", "1--2 * * * *", ", * * * *",
        ] {
            #expect(Cron(text) == nil, "\(text)")
        }
    }

    /// The instance moves: its state is taken while runs wait, given, and the source sends runs on.
    @Test func anInstanceMovesWithItsState() throws {
        try ModulesHouse.openWithDevices(["a", "b", "c"]) { house, supervisors, ids in
            let id = try await house.deploy(
                #"{"device":"\#(ids[2])","module":"m","func":"fibo"},"#
                    + #"{"device":"\#(ids[0])","module":"m","func":"fibo"}"#)
            for (index, bytes) in [(0, [UInt8(1), 2, 3]), (2, [9])] {
                supervisors[index].state.withLock { $0.states["\(id)/m"] = bytes }
            }
            let path = "/file/manifest/\(id)/migrate"
            let several = try await house.send(
                .post, path, json: #"{"module":"m","to":"b"}"#)
            #expect(several.status == 400, "\(several.text)")
            let moved = try await house.send(
                .post, path, json: #"{"module":"m","from":"a","to":"b"}"#)
            #expect(moved.status == 200, "\(moved.text)")
            #expect(moved.json["stateBytes"] == .integer(3))
            #expect(supervisors[1].state.withLock { $0.states["\(id)/m"] } == [1, 2, 3])
            #expect(supervisors[0].state.withLock { $0.released["\(id)/m"] } == supervisors[1].url)
            #expect(supervisors[0].state.withLock { $0.deleted } == [id])
            // The one that calls it knows the new endpoint, and has its own state still.
            let node = supervisors[2].state.withLock { $0.nodes[id] }
            let next = node?["instructions"]?["modules"]?["m"]?["fibo"]?["to"]?["url"]
            #expect(next == .string(supervisors[1].url))
            #expect(supervisors[2].state.withLock { $0.states["\(id)/m"] } == [9])
            let answer = try await house.send(.post, "/execute/d", json: #"{"param0":4}"#)
            #expect(answer.status == 200, "\(answer.text)")
        }
    }
}
