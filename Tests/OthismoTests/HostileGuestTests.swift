import Testing
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// Guests that mean harm: what they do stays theirs, and others go on.
@Suite struct HostileGuestTests {
    /// The exports of a generation, with bodies of functions in the text format.
    private func guest(
        _ generation: Int, allocate: String = "i32.const 1024", run: String = "", more: String = ""
    ) -> String {
        switch generation {
        case 1:
            """
            (import "othismo" "send_message" (func $send (param i32 i32) (result i32)))
            (memory (export "memory") 1) \(more)
            (func (export "prepare_inbox") (param i32) (result i32) \(allocate))
            (func (export "message_received") \(run))
            """
        case 2:
            """
            (import "othismo" "_send_message" (func $send (param i32 i32) (result i32)))
            (memory (export "memory") 1) \(more)
            (func (export "_allocate_message") (param i32) (result i32) \(allocate))
            (func (export "_message_received") (param i32))
            (func (export "_run") \(run))
            """
        default:
            """
            (import "othismo" "_send_message" (func $send (param i32 i32) (result i32)))
            (memory (export "memory") 1) \(more)
            (func (export "_allocate_message") (param i32 i32 i32) (result i32) \(allocate))
            (func (export "_run") \(run))
            """
        }
    }

    /// A message as a data segment at address 0, and how many bytes it has.
    private func message(to path: String, size: Int = 0) throws -> (segment: String, count: Int) {
        var payload: [Document.Member] = [Document.Member("x.y", .object([]))]
        if size > 0 {
            payload.append(Document.Member("z", .string(String(repeating: "a", count: size))))
        }
        let bytes = try Envelope(sendTo: Array(path.utf8), payload: payload).encoded()
        let digits = Array("0123456789abcdef")
        let text = bytes.map { "\\\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        return ("(data (i32.const 0) \"\(text)\")", bytes.count)
    }

    private let loop = "(loop $more (br $more))"

    private func house(
        _ text: String, _ change: (inout Exchange.Options) -> Void = { _ in }
    ) throws -> House {
        let house = try House(change)
        try house.add(text, "hostile")
        try house.instantiate("hostile", "/h")
        try house.instantiate("counter3", "/c")
        return house
    }

    /// The code of the error that a message to `/h` gets; another guest still answers afterwards.
    private func code(_ house: House) throws -> [String] {
        let codes = try house.send("/h", "x.y").compactMap(\.errorCode)
        #expect(house.value(try house.sendPatiently("/c", "counter.add")) != nil)
        return codes
    }

    @Test(arguments: 1...3) func trapsInAllocate(_ generation: Int) throws {
        let house = try house(guest(generation, allocate: "unreachable"))
        #expect(try code(house) == ["trap"])
        #expect(try code(house) == ["trap"])
    }

    @Test(arguments: 1...3, [-1, 65_535, 65_536, Int32.min, 0x7fff_ffff])
    func pointersOutOfBounds(_ generation: Int, _ pointer: Int32) throws {
        let house = try house(guest(generation, allocate: "i32.const \(pointer)"))
        #expect(try code(house) == ["bad_buffer"])
    }

    @Test(arguments: 1...3) func neverReturns(_ generation: Int) throws {
        func code(_ text: String) throws -> [String] {
            try self.code(try house(text) { $0.deliveryTimeout = .milliseconds(200) })
        }
        for text in [
            guest(generation, allocate: "\(loop) i32.const 0"), guest(generation, run: loop),
            guest(generation, more: "(func (export \"_othismo_start\") \(loop))"),
        ] {
            #expect(try code(text) == ["timeout"])
        }
        // A start function runs when the instance is woken.
        let start = guest(generation, more: "(func $start \(loop)) (start $start)")
        #expect(try code(start) == ["timeout"])
    }

    @Test(arguments: 1...3) func sendsWhatIsNotThere(_ generation: Int) throws {
        for arguments in ["i32.const -16 i32.const 100", "i32.const 65530 i32.const 64"] {
            let house = try house(guest(generation, run: "\(arguments) call $send drop"))
            #expect(try code(house) == ["bad_buffer"])
        }
        // More than a message may have.
        let large = try house(
            guest(generation, run: "i32.const 0 i32.const 0x7fffffff call $send drop"))
        #expect(try code(large) == ["too_large"])
    }

    /// Messages without end: their count and their bytes are limited for a delivery.
    @Test(arguments: 1...3) func floods(_ generation: Int) throws {
        for (path, size) in [("/c", 0), ("/", 0), ("/nobody", 30_000), ("/c", 30_000), ("/h", 0)] {
            let (segment, count) = try message(to: path, size: size)
            let house = try house(
                guest(
                    generation,
                    run: "(loop $more i32.const 0 i32.const \(count) call $send drop (br $more))",
                    more: segment)
            ) {
                $0.sendLimit = 200
                $0.sendBytes = 1 << 20
            }
            #expect(try code(house) == ["too_many_sends"], "\(path) \(size)")
        }
    }

    /// All messages together have a limit, whoever they are for.
    @Test func floodsOfTheConsole() throws {
        let (segment, count) = try message(to: "/", size: 30_000)
        let house = try house(
            guest(
                3, run: "(loop $more i32.const 0 i32.const \(count) call $send drop (br $more))",
                more: segment)
        ) {
            $0.waitingBytes = 1 << 20
        }
        #expect(try code(house) == ["queue_full"])
    }

    /// Two messages to itself for each one that it gets: the queue stays short, others are served.
    @Test func doubles() throws {
        let (segment, count) = try message(to: "/h")
        let send = "i32.const 0 i32.const \(count) call $send drop"
        let house = try house(guest(3, run: "\(send) \(send)", more: segment)) {
            $0.queueLimit = 50
            $0.batchDeliveries = 200
        }
        try house.post("/h", "x.y")
        _ = try house.drain(10)
        #expect(house.exchange.waitingCount <= 150)
        try house.post("/c", "counter.add")
        #expect(house.value(try house.drain(3).filter { $0["counter.value"] != nil }) == 1)
        // And so after a restart.
        try house.restart()
        #expect(house.exchange.waitingCount > 0 && house.exchange.waitingCount <= 150)
    }

    /// Each asks the next one and waits for it; the last one asks the first.
    @Test func longCircles() throws {
        let house = try House { $0.depthLimit = 8 }
        for index in 0..<20 {
            let (segment, count) = try message(to: "/g\((index + 1) % 20)")
            try house.add(
                guest(1, run: "i32.const 0 i32.const \(count) call $send drop", more: segment),
                "m\(index)")
            try house.instantiate("m\(index)", "/g\(index)")
        }
        try house.instantiate("counter3", "/c")
        try house.post("/g0", "x.y")
        _ = try house.drain(2)
        #expect(house.exchange.statistics.failures == 0)
        #expect(house.exchange.statistics.deliveries > 20)
        try house.post("/c", "counter.add")
        #expect(house.value(try house.drain(2).filter { $0["counter.value"] != nil }) == 1)
    }
}
