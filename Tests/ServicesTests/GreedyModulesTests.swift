import Synchronization
import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdEventLoop
import WasmdOperation
import WasmdStorage

@testable import WasmdServices

/// Modules that take what they can, each beside a service that behaves well: they are held to their
/// limits, and the other one notices nothing.
@Suite(.serialized) struct GreedyModulesTests {
    /// What becomes of a greedy module.
    enum End: Sendable, Equatable {
        /// It goes on: what it does is limited, and it does not matter.
        case never
        /// It fails with a reason that has these words.
        case failure(String)
        /// It ends by itself.
        case ended
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let end: End
        let text: String
        var change: @Sendable (inout ServiceDefinition) -> Void = { _ in }

        init(
            _ name: String, _ end: End, _ text: String,
            _ change: @escaping @Sendable (inout ServiceDefinition) -> Void = { _ in }
        ) {
            (self.name, self.end, self.text, self.change) = (name, end, text, change)
        }

        var testDescription: String { name }
    }

    /// At 1000: `M`, `flood`, `mine`.
    private static func guest(_ body: String, more: String = "") -> String {
        ServiceTrial.guest("Mfloodmine", body, more: more)
    }

    /// Publishes this many bytes to `flood`.
    private static func publish(_ size: Int) -> String {
        """
        (call $publish (i32.const 1001) (i32.const 5) (i32.const 2048) (i32.const \(size)))
        """
    }

    /// Reads a message, for which its allocator does something; not for the configuration.
    private static func allocating(_ body: String) -> String {
        guest("(call $read (i32.const 1001) (i32.const 5) (i32.const 16))").replacing(
            "(global.get $next)\n",
            with: "(if (i32.ne (global.get $next) (i32.const 4096)) (then \(body))) "
                + "(global.get $next)\n")
    }

    private static let growing = "(i32.ne (memory.grow (i32.const 1)) (i32.const -1))"

    static let rows: [Row] = [
        // Computes.
        Row("loops", .never, guest("(loop $l (br $l))")),
        Row(
            "loops in its start function", .never,
            guest("", more: "(func $first (loop $l (br $l))) (start $first)")),
        Row(
            "loops in its allocator", .never,
            guest("").replacing(
                "(global.get $next)\n", with: "(loop $l (br $l)) (global.get $next)\n")),
        Row(
            "loops with calls", .never,
            guest(
                "(loop $l (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0))) (br $l))")
        ),
        Row("yields", .never, guest("(loop $l (drop (call $yield)) (br $l))")),
        Row(
            "asks for random bytes", .never,
            guest("(loop $l (drop (call $random (i32.const 0) (i32.const 65536))) (br $l))")),
        Row("uses up its fuel", .failure("fuel"), guest("(loop $l (br $l))")) {
            $0.limits.fuel = 1_000_000
        },
        Row("takes more time than it has", .failure("time"), guest("(loop $l (br $l))")) {
            $0.limits.time = .milliseconds(200)
        },
        Row(
            "recurses without end", .failure("stack"),
            guest("(call $deep)", more: "(func $deep (call $deep) (nop))")
        ) { $0.limits.stack = 1 << 20 },
        // Takes memory.
        Row(
            "grows its memory, then goes on", .never,
            guest("(loop $l (drop (memory.grow (i32.const 1))) (br $l))")),
        Row(
            "grows its memory, then traps", .failure("unreachable"),
            guest("(loop $l (br_if $l \(growing))) (unreachable)")),
        Row(
            "grows a table", .failure("unreachable"),
            guest(
                """
                (loop $l (br_if $l
                  (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                (unreachable)
                """, more: "(table $t 1 funcref)")),
        Row(
            "keeps all strings that it gets", .failure("memory"),
            guest(
                """
                (loop $l
                  \(publish(60_000))
                  (call $read (i32.const 1001) (i32.const 5) (i32.const 16))
                  (br $l))
                """
            ).replacing(
                "(global.get $next)\n",
                with: """
                    (if (i32.gt_u (i32.add (global.get $next) (local.get 3))
                          (i32.mul (memory.size) (i32.const 65536)))
                      (then (drop (memory.grow (i32.const 2)))))
                    (global.get $next)

                    """)),
        Row(
            "publishes from its allocator", .failure(""),
            guest(
                "\(publish(1)) (call $read (i32.const 1001) (i32.const 5) (i32.const 16))"
            ).replacing(
                "(global.get $next)\n",
                with: "(if (i32.ne (global.get $next) (i32.const 4096)) (then \(publish(1)))) "
                    + "(global.get $next)\n")),
        Row(
            "loops in its allocator for a message", .failure("canonical_abi_realloc"),
            allocating("(loop $l (br $l))")),
        Row(
            "calls the host from its allocator without end", .failure("canonical_abi_realloc"),
            allocating(
                "(loop $l (drop (call $random (i32.const 0) (i32.const 65536))) (br $l))")),
        // Floods topics.
        Row("publishes small messages", .never, guest("(loop $l \(publish(1)) (br $l))")),
        Row(
            "publishes the largest messages", .never,
            guest("(loop $l \(publish(65_536)) (br $l))")),
        Row(
            "publishes messages that are too large", .failure("at most 65536"),
            guest("(loop $l \(publish(65_537)) (br $l))")),
        Row(
            "publishes messages of all its memory", .failure("bytes"),
            guest(
                """
                (drop (memory.grow (i32.const 190)))
                (call $publish (i32.const 1001) (i32.const 5) (i32.const 2048) (i32.const 12000000))
                """)),
        Row(
            "publishes to ever other topics", .failure("made 200 topics that hold messages"),
            guest(
                """
                (loop $l
                  (i32.store16 (i32.const 3000) (i32.add (i32.const 0x6161)
                    (i32.or (i32.and (local.get $i) (i32.const 15))
                      (i32.shl (i32.shr_u (local.get $i) (i32.const 4)) (i32.const 8)))))
                  (call $publish (i32.const 3000) (i32.const 2) (i32.const 2048) (i32.const 60000))
                  (local.set $i (i32.add (local.get $i) (i32.const 1)))
                  (br $l))
                """)),
        Row(
            "publishes where it may not", .failure("may not use the topic 'flood'"),
            guest("(loop $l \(publish(1)) (br $l))")
        ) {
            $0.topics = TopicPermissions(
                publishing: [TopicPattern("mine")].compactMap(\.self), subscribing: [])
        },
        Row(
            "reads an empty topic", .never,
            guest(
                """
                (loop $l
                  (call $read (i32.const 1001) (i32.const 5) (i32.const 16))
                  (global.set $next (i32.const 4096))
                  (br $l))
                """)),
        Row(
            "reads values of its configuration", .never,
            guest(
                """
                (loop $l
                  (drop (call $config (i32.const 1001) (i32.const 5) (i32.const 2000)
                    (i32.const 9) (i32.const 16)))
                  (br $l))
                """)
        ) { $0.values = ["flood": [0x78]] },
        // Ends in all ways.
        Row("traps", .failure("unreachable"), guest("unreachable")),
        Row("exits at once", .ended, guest("(call $exit (i32.const 0))")),
        Row("exits with a status", .failure("3"), guest("(call $exit (i32.const 3))")),
        Row(
            "throws an exception", .failure("exception"),
            guest("(throw $e)", more: "(tag $e)")),
        Row(
            "divides by zero", .failure("divi"),
            guest("(drop (i32.div_u (i32.const 1) (local.get $i)))")),
    ]

    @Test(arguments: rows) func isHeldToItsLimits(row: Row) throws {
        let greedy = try ServiceTrial.definition("greedy", row.text, row.change)
        let notes = try ServiceTrial.run([greedy]) { trial in
            switch row.end {
            case .never:
                try await trial.waitUntil { trial.status("greedy")?.state == .ready }
                try await trial.beats()
                #expect(trial.status("greedy")?.state == .ready)
            case .failure: try await trial.waitForFailure("greedy")
            case .ended: try await trial.waitUntil { trial.status("greedy")?.state == .ended }
            }
            let totals = trial.broker.totals
            #expect(totals.bytes <= BrokerLimits().bytes)
            #expect(totals.topics <= 203)
        }
        if case .failure(let words) = row.end {
            let isTold = notes.events.contains {
                $0.hasPrefix("greedy failed, next in never: ") && $0.contains(words)
            }
            #expect(isTold, "\(notes.events)")
        }
    }

    /// A module that fails, or ends, at once and again: pauses grow, and there is a limit.
    @Test(arguments: ["unreachable", "(call $exit (i32.const 0))", "(call $exit (i32.const 9))"])
    func endsAgainAndAgain(body: String) throws {
        let greedy = try ServiceTrial.definition("greedy", Self.guest(body)) {
            $0.restart.mode = .always
            $0.restart.limit = 4
            $0.restart.firstPause = .milliseconds(1)
            $0.restart.longestPause = .milliseconds(4)
        }
        let notes = try ServiceTrial.run([greedy]) { trial in
            try await trial.waitUntil {
                trial.status("greedy")?.starts == 5
                    && [.failed, .ended].contains(trial.status("greedy")?.state)
            }
        }
        let pauses = notes.events.filter { $0.hasPrefix("greedy failed") }
            .map { $0.split(separator: ":")[0] }
        if body.contains("const 0") {
            #expect(pauses.isEmpty)
        } else {
            #expect(
                pauses == [
                    "greedy failed, next in 0.001 seconds", "greedy failed, next in 0.002 seconds",
                    "greedy failed, next in 0.004 seconds", "greedy failed, next in 0.004 seconds",
                    "greedy failed, next in never",
                ])
        }
    }

    // MARK: Messages

    /// A service whose topics have nothing in them may go on to others: it is not ended.
    @Test func topicsThatAreEmptyDoNotCount() throws {
        let changing = Self.guest(
            """
            (loop $l
              (i32.store16 (i32.const 3000) (i32.add (i32.const 0x6161)
                (i32.or (i32.and (local.get $i) (i32.const 15))
                  (i32.shl (i32.shr_u (local.get $i) (i32.const 4)) (i32.const 8)))))
              (call $publish (i32.const 3000) (i32.const 2) (i32.const 2048) (i32.const 10))
              (call $read (i32.const 3000) (i32.const 2) (i32.const 16))
              (global.set $next (i32.const 4096))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 320))))
            (call $say (i32.const 1000) (i32.const 1))
            """)
        let notes = try ServiceTrial.run([
            try ServiceTrial.definition("changing", changing) { $0.topicLimit = 10 }
        ]) { trial in
            try await trial.waitUntil { trial.status("changing")?.state == .ended }
            #expect(trial.broker.totals.topics <= 13)
        }
        #expect(notes.lines == ["Module: M, Message: M\n"])
    }

    /// A subscriber that takes one message and then nothing more keeps what its queue may have.
    @Test func aSubscriberThatNeverReads() throws {
        let stuck = Self.guest(
            "(call $subscribe (i32.const 1001) (i32.const 5) (i32.const 16)) (loop $l (br $l))")
        let flood = Self.guest("(loop $l \(Self.publish(10_000)) (br $l))")
        let pattern = try #require(TopicPattern("flood"))
        try ServiceTrial.run([
            try ServiceTrial.definition("stuck", stuck),
            try ServiceTrial.definition("flood", flood),
        ]) { trial in
            func waiting() -> SubscriptionStatistics? {
                trial.broker.subscriptions.first { $0.patterns == [pattern] }
            }
            // Its queue is full: the oldest messages are dropped from now on.
            try await trial.waitUntil { (waiting()?.bytes ?? 0) > 8_000_000 }
            try await trial.beats()
            let (held, most) = (try #require(waiting()), SubscriptionOptions())
            #expect(held.bytes <= most.queueBytes && held.waiting <= most.queue)
        }
    }

    @Test func subscriptionsAreLimited() throws {
        // Topics keep their last value, so that each subscription has a message at once.
        let many = Self.guest(
            """
            (loop $l
              (i32.store16 (i32.const 3000) (i32.add (i32.const 0x6161)
                (i32.or (i32.and (local.get $i) (i32.const 15))
                  (i32.shl (i32.shr_u (local.get $i) (i32.const 4)) (i32.const 8)))))
              (call $publish (i32.const 3000) (i32.const 2) (i32.const 2048) (i32.const 10))
              (call $subscribe (i32.const 3000) (i32.const 2) (i32.const 16))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br $l))
            """)
        let notes = try ServiceTrial.run(
            [try ServiceTrial.definition("greedy", many)], { $0.dynamic?.retains = true }
        ) { trial in
            try await trial.waitForFailure("greedy")
            // They ended with the run.
            #expect(trial.broker.subscriptions.count == 2)
        }
        #expect(notes.events.contains { $0.contains("has 64 subscriptions, which is the limit") })
    }

    /// What a neighbour has published and nobody has read yet stays, whatever a flood takes.
    @Test func aFloodTakesNobodysMessages() throws {
        let flood = Self.guest(
            """
            (loop $l
              (i32.store16 (i32.const 3000) (i32.add (i32.const 0x6161)
                (i32.and (local.get $i) (i32.const 15))))
              (call $publish (i32.const 3000) (i32.const 2) (i32.const 2048) (i32.const 60000))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br $l))
            """)
        let mail = try #require(TopicName("mail"))
        let later = try #require(TopicName("later"))
        try ServiceTrial.run(
            [
                try ServiceTrial.definition("flood", flood) {
                    $0.after = ["neighbour"]
                }
            ], { $0.limits.bytes = 4 << 20 }
        ) { trial in
            for number in 1...3 { try await trial.broker.publish([UInt8(number)], to: mail) }
            let before = trial.broker.totals.dropped
            try await trial.waitUntil { trial.broker.totals.dropped > before + 500 }
            // There is room for a new topic, too.
            for number in 1...3 { try await trial.broker.publish([UInt8(number)], to: later) }
            try await trial.waitUntil { trial.broker.totals.dropped > before + 1000 }
            #expect(trial.broker.totals.bytes <= 4 << 20)
            for topic in [mail, later] {
                for number in 1...3 {
                    #expect(try trial.broker.read(topic)?.payload == [UInt8(number)])
                }
            }
        }
    }

}
