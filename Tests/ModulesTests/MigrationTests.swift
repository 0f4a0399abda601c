import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdModules

/// What fails while an instance moves: it lives on at exactly one device.
@Suite struct MigrationTests {
    private static var options: Orchestrator.Options {
        var options = OrchestrationTests.options
        options.migrationPatience = .milliseconds(300)
        return options
    }

    /// A deployment `d` on `a` with a state, which `b` fails to get or `a` to give.
    private static func open(
        patience: Duration? = nil,
        _ body:
            @escaping @Sendable (ModulesHouse, FakeSupervisor, FakeSupervisor, [String], String)
            async throws -> Void
    ) throws {
        var options = Self.options
        if let patience { options.migrationPatience = patience }
        try ModulesHouse.openWithDevices(["a", "b"], options: options) { house, supervisors, ids in
            let id = try await house.deploy(
                #"{"device":"\#(ids[0])","module":"m","func":"fibo"}"#)
            supervisors[0].state.withLock { $0.states["\(id)/m"] = [1, 2, 3] }
            try await body(house, supervisors[0], supervisors[1], ids, id)
        }
    }

    private static func migrate(_ house: ModulesHouse, _ id: String) async throws -> Answer {
        try await house.send(
            .post, "/file/manifest/\(id)/migrate", json: #"{"module":"m","to":"b"}"#)
    }

    /// The device of the deployment's only step, and the devices that are still to be told.
    private static func place(
        _ house: ModulesHouse, _ id: String
    ) async throws -> (device: Document?, pending: Document?) {
        let document = try await house.send(.get, "/file/manifest/\(id)").json
        return (document["sequence"]?[0]?["device"], document["pendingDevices"])
    }

    @Test(arguments: ["PUT state", "POST release"])
    func whatIsRefusedLeavesItAtTheSource(_ step: String) throws {
        try Self.open { house, source, target, ids, id in
            let refusing = step == "PUT state" ? target : source
            refusing.state.withLock { $0.refuses = [step] }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            #expect(answer.json["errorText"] == "migration failed")
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]) && place.pending == nil)
            // The target has nothing of it, and the source was never told to send runs on.
            #expect(target.state.withLock { $0.nodes[id] == nil && $0.deleted == [id] })
            #expect(source.state.withLock { $0.nodes[id] != nil && $0.deleted.isEmpty })
            let released = source.state.withLock { $0.released["\(id)/m"] }
            #expect(released == (step == "PUT state" ? "" : nil))
            let run = try await house.send(.post, "/execute/d", json: #"{"param0":7}"#)
            #expect(run.status == 200, "\(run.text)")
            #expect(source.state.withLock { $0.runs.count } == 1)
        }
    }

    @Test func aTargetThatDiesGetsNothing() throws {
        try Self.open { house, source, target, ids, id in
            target.state.withLock { $0.diesBefore = "PUT state" }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            #expect(source.state.withLock { $0.released["\(id)/m"] } == "")
            var place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]))
            #expect(place.pending == .array([.string(ids[1])]))
            // It comes back with the node that it got: that is taken from it.
            target.state.withLock { state in
                state.diesBefore = nil
                state.isDead = false
            }
            await house.orchestrator.checkAll(on: house.loop)
            #expect(target.state.withLock { $0.nodes[id] == nil && $0.deleted == [id] })
            place = try await Self.place(house, id)
            #expect(place.pending == nil && place.device == .string(ids[0]))
        }
    }

    @Test func theInstanceOfASourceThatDiesLivesOnAtTheTarget() throws {
        try Self.open { house, source, target, ids, id in
            source.state.withLock { $0.diesBefore = "POST release" }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(target.state.withLock { $0.states["\(id)/m"] } == [1, 2, 3])
            var place = try await Self.place(house, id)
            #expect(place.device == .string(ids[1]))
            #expect(place.pending == .array([.string(ids[0])]))
            let run = try await house.send(.post, "/execute/d", json: #"{"param0":7}"#)
            #expect(run.status == 200, "\(run.text)")
            #expect(target.state.withLock { $0.runs.count } == 1)
            // It comes back with its old instance: that is taken from it.
            source.state.withLock { state in
                state.diesBefore = nil
                state.isDead = false
            }
            await house.orchestrator.checkAll(on: house.loop)
            #expect(source.state.withLock { $0.nodes[id] == nil && $0.deleted == [id] })
            place = try await Self.place(house, id)
            #expect(place.pending == nil && place.device == .string(ids[1]))
            #expect(target.state.withLock { $0.nodes[id] != nil && $0.deleted.isEmpty })
        }
    }

    @Test func aReleaseWhoseAnswerIsLostIsSentAgain() throws {
        // There must be time for a second attempt.
        try Self.open(patience: .seconds(30)) { house, source, target, ids, id in
            source.state.withLock { $0.diesAfter = "POST release" }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 200, "\(answer.text)")
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[1]) && place.pending == nil)
            #expect(source.state.withLock { $0.deleted } == [id])
            #expect(target.state.withLock { $0.states["\(id)/m"] } == [1, 2, 3])
        }
    }

    /// The orchestrator died when the source had given up the instance.
    @Test func aMoveThatWasCutOffIsEnded() throws {
        try Self.open { house, source, target, ids, id in
            source.state.withLock { state in
                state.refuses = ["GET state"]
                state.refusal = "the instance has moved to another device"
            }
            target.state.withLock { $0.states["\(id)/m"] = [4, 5] }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 200, "\(answer.text)")
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[1]) && place.pending == nil)
            // The target goes on with the state that it has.
            #expect(target.state.withLock { $0.states["\(id)/m"] } == [4, 5])
        }
    }

    /// The source has the state, but what it answered was lost: it would give up an instance that
    /// the target has not.
    @Test func aStateThatDoesNotArriveStaysAtTheSource() throws {
        try Self.open { house, source, target, ids, id in
            source.state.withLock { state in
                state.diesAfter = "GET state"
                state.diesAlways = true
            }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            // Its runs do not wait any more.
            #expect(source.state.withLock { $0.released["\(id)/m"] } == "")
            #expect(source.state.withLock { $0.states["\(id)/m"] } == [1, 2, 3])
            #expect(target.state.withLock { $0.nodes[id] == nil && $0.deleted == [id] })
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]) && place.pending == nil)
        }
    }

    /// Another request moves the instance: nothing of that is disturbed.
    @Test func aSourceThatIsHeldByOthersIsLeft() throws {
        try Self.open { house, source, target, ids, id in
            source.state.withLock { state in
                state.refuses = ["GET state"]
                state.refusal = "the instance is held already: release it first"
            }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500 && answer.text.contains("held already"), "\(answer.text)")
            #expect(source.state.withLock { $0.released.isEmpty })
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]) && place.pending == nil)
        }
    }

    /// A deployment with `m` on `a` and `n` on `b`, both with a state.
    private static func openWithTwo(
        _ body:
            @escaping @Sendable (ModulesHouse, FakeSupervisor, FakeSupervisor, [String], String)
            async throws -> Void
    ) throws {
        try ModulesHouse.openWithDevices(["a", "b"], options: Self.options) {
            house, supervisors, ids in
            _ = try await house.create("n", try module(fibo))
            _ = try await house.send(
                .post, "/file/module/n/upload",
                json: #"{"fibo":{"method":"get","param0":"integer","output":"integer"}}"#)
            let id = try await house.deploy(
                #"{"device":"\#(ids[0])","module":"m","func":"fibo"},"#
                    + #"{"device":"\#(ids[1])","module":"n","func":"fibo"}"#)
            supervisors[0].state.withLock { $0.states["\(id)/m"] = [1] }
            supervisors[1].state.withLock { $0.states["\(id)/n"] = [2] }
            try await body(house, supervisors[0], supervisors[1], ids, id)
        }
    }

    @Test func aTargetThatRefusesItsNodeGoesOn() throws {
        try Self.openWithTwo { house, source, target, ids, id in
            target.state.withLock { $0.refusesNodes = true }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            #expect(source.state.withLock { $0.held.isEmpty && $0.released.isEmpty })
            // All that was held is let go, also what had no state.
            #expect(target.state.withLock { $0.held.contains("\(id)/m") })
            #expect(
                target.state.withLock { $0.released } == ["\(id)/m": "", "\(id)/n": ""])
            #expect(target.state.withLock { $0.states } == ["\(id)/n": [2]])
            var place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]))
            #expect(place.pending == .array([.string(ids[1])]))
            target.state.withLock { $0.refusesNodes = false }
            await house.orchestrator.checkAll(on: house.loop)
            #expect(target.state.withLock { $0.states } == ["\(id)/n": [2]])
            place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]) && place.pending == nil)
        }
    }

    @Test func aTargetWhoseAnswerToItsNodeIsLostKeepsItsStates() throws {
        try Self.openWithTwo { house, source, target, ids, id in
            target.state.withLock { $0.losesNextAnswer = true }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            #expect(source.state.withLock { $0.held.isEmpty })
            #expect(target.state.withLock { $0.states } == ["\(id)/n": [2]])
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]) && place.pending == nil)
        }
    }

    /// A node in place of an instance whose state cannot be had would end it.
    @Test func aTargetThatDoesNotGiveAStateKeepsItsNode() throws {
        try Self.openWithTwo { house, source, target, ids, id in
            target.state.withLock { $0.refuses = ["GET state"] }
            let before = target.state.withLock { $0.deployCount }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            #expect(answer.text.contains("the state cannot be saved"), "\(answer.text)")
            #expect(target.state.withLock { $0.deployCount } == before)
            #expect(target.state.withLock { $0.states } == ["\(id)/n": [2]])
            #expect(source.state.withLock { $0.held.isEmpty })
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]))
        }
    }

    @Test func aTargetThatHasTheDeploymentKeepsItsOwn() throws {
        try Self.openWithTwo { house, source, target, ids, id in
            source.state.withLock { $0.refuses = ["POST release"] }
            let answer = try await Self.migrate(house, id)
            #expect(answer.status == 500, "\(answer.text)")
            // The old node again, with the state of its own module.
            let (names, states) = target.state.withLock { state in
                (
                    state.nodes[id]?["modules"]?.arrayValue?.compactMap { $0["name"]?.stringValue },
                    state.states
                )
            }
            #expect(names == ["n"] && states["\(id)/n"] == [2])
            let place = try await Self.place(house, id)
            #expect(place.device == .string(ids[0]) && place.pending == nil)
        }
    }
}
