import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdEventLoop
import WasmdGuests
import WasmdOperation
import WasmdStorage

@testable import WasmdServices

/// Modules that open responses, connections, files and records without end, or write without end.
@Suite(.serialized) struct GreedyResourcesTests {
    // MARK: Requests

    /// Requests until one fails, says the number and the last handle, and goes on.
    private static func requesting(_ url: String) -> String {
        let request = """
            (call $req (i32.const 1001) (i32.const \(url.utf8.count))
              (i32.const \(1001 + url.utf8.count)) (i32.const 3) (i32.const 0) (i32.const 0)
              (i32.const 0) (i32.const 0) (i32.const 800) (i32.const 804))
            """
        return ServiceTrial.guest(
            "M\(url)GET",
            """
            (loop $l (local.set $i \(request)) (br_if $l (i32.eqz (local.get $i))))
            (call $number (local.get $i))
            (call $number (i32.load (i32.const 804)))
            (loop $l (drop \(request)) (br $l))
            """)
    }

    /// A server of HTTP that answers each request, or none.
    private func serve(_ trial: ServiceTrial, answers: Bool) throws -> (url: String, Listener) {
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: trial.loop)
        trial.loop.spawn {
            while let stream = try? await listener.accept() {
                trial.loop.spawn {
                    var buffer = InputBuffer(capacity: 4096)
                    while let count = try? await stream.read(into: &buffer), count > 0 {
                        _ = buffer.take()
                        guard answers else { continue }
                        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
                        try? await stream.write(Array(answer.utf8))
                    }
                }
            }
        }
        return ("http://127.0.0.1:\(listener.address?.port ?? 0)/", listener)
    }

    @Test func responsesThatAreNotClosed() throws {
        let notes = try ServiceTrial.run([]) { trial in
            let (url, listener) = try serve(trial, answers: true)
            let greedy = try ServiceTrial.definition("greedy", Self.requesting(url)) {
                $0.outbound = OutboundPolicy(allowing: ["http://127.0.0.1"]) ?? .nothing
            }
            await trial.start([greedy])
            try await trial.waitUntil { trial.notes.lines.count >= 2 }
            try await trial.beats()
            #expect(trial.status("greedy")?.state == .ready)
            #expect(trial.status("greedy")?.requests == 42)
            listener.close()
        }
        #expect(notes.lines == ["Module: M, Message: 13\n", "Module: M, Message: 41\n"])
    }

    @Test func serversThatNeverAnswer() throws {
        let notes = try ServiceTrial.run([]) { trial in
            let (url, listener) = try serve(trial, answers: false)
            let greedy = try ServiceTrial.definition("greedy", Self.requesting(url)) {
                $0.outbound = OutboundPolicy(allowing: ["http://127.0.0.1"]) ?? .nothing
            }
            await trial.start([greedy])
            try await trial.waitUntil { trial.status("greedy")?.requests == 1 }
            try await trial.beats()
            listener.close()
        }
        #expect(notes.lines.isEmpty)
    }

    /// Each argument is as large as the memory.
    @Test(arguments: [(0, "10"), (2, "08"), (4, "09"), (6, "11")])
    func argumentsOfAllMemory(index: Int, number: String) throws {
        var arguments = ["1001", "16", "1017", "3", "0", "0", "0", "0", "800", "804"]
        arguments[index] = "1100"
        arguments[index + 1] = "99000000"
        let call = "(call $req \(arguments.map { "(i32.const \($0))" }.joined(separator: " ")))"
        let text = ServiceTrial.guest(
            "Mhttp://127.0.0.1GET",
            """
            (drop (memory.grow (i32.const 1600)))
            (call $number \(call))
            (loop $l (drop \(call)) (br $l))
            """)
        let notes = try ServiceTrial.run([
            try ServiceTrial.definition("greedy", text) {
                $0.limits.memory = 256 << 20
                $0.outbound = OutboundPolicy(allowing: ["http://127.0.0.1"]) ?? .nothing
            }
        ]) { trial in
            try await trial.waitUntil { trial.notes.lines.count >= 1 }
        }
        #expect(notes.lines == ["Module: M, Message: \(number)\n"])
    }

    // MARK: Connections and files

    /// Accepts until that fails, says the number, and goes on.
    @Test func connectionsThatAreNotClosed() throws {
        let accepting = ServiceTrial.guest(
            "M",
            """
            (loop $l
              (local.set $i (call $accept (i32.const 3) (i32.const 0) (i32.const 32)))
              (br_if $l (i32.eqz (local.get $i))))
            (call $number (local.get $i))
            (loop $l
              (drop (call $accept (i32.const 3) (i32.const 0) (i32.const 32)))
              (br $l))
            """)
        let socket = try ServiceSocket(.ipv4([127, 0, 0, 1], port: 0))
        let address = try #require(socket.address)
        let notes = try ServiceTrial.run([
            try ServiceTrial.definition("greedy", accepting) {
                $0.sockets = [socket]
                $0.limits.descriptors = 20
            }
        ]) { trial in
            var streams: [ByteStream] = []
            for _ in 0..<60 {
                streams.append(try await ByteStream.connect(to: address, on: trial.loop))
            }
            try await trial.waitUntil { !trial.notes.lines.isEmpty }
            try await trial.beats()
            for stream in streams { stream.close() }
        }
        // `mfile`
        #expect(notes.lines == ["Module: M, Message: 33\n"])
    }

    @Test func filesThatAreNotClosed() throws {
        let opening = ServiceTrial.guest(
            "Mfile",
            """
            (loop $l
              (local.set $i (call $open (i32.const 3) (i32.const 0) (i32.const 1001) (i32.const 4)
                (i32.const 1) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 32)))
              (br_if $l (i32.eqz (local.get $i))))
            (call $number (local.get $i))
            (loop $l
              (drop (call $open (i32.const 3) (i32.const 0) (i32.const 1001) (i32.const 4)
                (i32.const 1) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 32)))
              (br $l))
            """)
        let folder = try TestFolder()
        let notes = try ServiceTrial.run([
            try ServiceTrial.definition("greedy", opening) {
                $0.world.folders = [
                    .init(hostPath: folder.path, guestPath: Array(".".utf8))
                ]
                $0.limits.descriptors = 20
            }
        ]) { trial in
            try await trial.waitUntil { !trial.notes.lines.isEmpty }
            try await trial.beats()
        }
        #expect(notes.lines == ["Module: M, Message: 33\n"])
    }

    // MARK: Records

    /// Adds records until that fails, says the number, and goes on.
    @Test(arguments: [(keys: 12, bytes: 1 << 20), (keys: 1000, bytes: 100_000)])
    func storesThatAreFilled(keys: Int, bytes: Int) throws {
        let filling = ServiceTrial.guest(
            "Mstore",
            """
            (loop $l
              (i32.store (i32.const 3000) (local.get $i))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (global.set $error (call $set (i32.const 1001) (i32.const 5) (i32.const 3000)
                (i32.const 4) (i32.const 8192) (i32.const 9000)))
              (br_if $l (i32.eqz (global.get $error))))
            (call $number (global.get $error))
            (call $number (local.get $i))
            ;; A deletion makes room for one.
            (i32.store (i32.const 3000) (i32.const 0))
            (call $number (call $delete (i32.const 1001) (i32.const 5) (i32.const 3000)
              (i32.const 4)))
            (call $number (call $set (i32.const 1001) (i32.const 5) (i32.const 3000)
              (i32.const 4) (i32.const 8192) (i32.const 9000)))
            (i32.store (i32.const 3000) (i32.const 5000))
            (loop $l
              (drop (call $set (i32.const 1001) (i32.const 5) (i32.const 3000) (i32.const 4)
                (i32.const 8192) (i32.const 9000)))
              (br $l))
            """, more: "(global $error (mut i32) (i32.const 0))")
        let folder = try TestFolder()
        let store = try RecordStore(folder: folder.path)
        defer { store.close() }
        let notes = try ServiceTrial.run(
            [
                try ServiceTrial.definition("greedy", filling) {
                    $0.stores = ["store"]
                    $0.storeLimits.keys = keys
                    $0.storeLimits.bytes = bytes
                }
            ], store: store
        ) { trial in
            try await trial.waitUntil { trial.notes.lines.count >= 4 }
            try await trial.beats()
        }
        // The store is full at the key after the last one.
        let count = keys == 12 ? "13" : "12"
        #expect(
            notes.lines == ["05", count, "00", "00"].map { "Module: M, Message: \($0)\n" })
        let records = store.snapshot().keys(prefix: Array("service/kv/store".utf8))
        #expect(records.count == (keys == 12 ? 12 : 11))
    }

    // MARK: Output

    @Test(arguments: [0, 1, 60_000]) func linesWithoutEnd(size: Int) throws {
        let saying = ServiceTrial.guest(
            "M", "(loop $l (call $say (i32.const 4096) (i32.const \(size))) (br $l))")
        let begin = SystemClock.monotonic.now
        let notes = try ServiceTrial.run([try ServiceTrial.definition("greedy", saying)]) { trial in
            try await trial.waitUntil { trial.notes.lines.count > 8 }
            try await trial.beats()
        }
        // What a burst has, and what a second has for each second that it took.
        let seconds = Int((SystemClock.monotonic.now - begin) / 1_000_000_000) + 1
        let cost = size + LineAllowance.lineCost
        let most = LineAllowance.burst + seconds * LineAllowance.bytesPerSecond
        #expect(notes.lines.count * cost <= most)
    }

    /// An allowance is a rate, also for lines that are longer than the burst.
    @Test func allowancesAreRates() {
        var allowance = LineAllowance()
        var (taken, time) = (0, UInt64(0))
        while time < 60_000_000_000 {
            let size = 3 << 20
            if let pause = allowance.take(size, at: time) {
                let parts = pause.components
                time +=
                    UInt64(parts.seconds) * 1_000_000_000
                    + UInt64(parts.attoseconds / 1_000_000_000)
            } else {
                taken += size
            }
        }
        #expect((118 << 20)...(126 << 20) ~= taken)
        var lines = LineAllowance()
        var count = 0
        while lines.take(1, at: 0) == nil { count += 1 }
        #expect(count == LineAllowance.burst / (1 + LineAllowance.lineCost))
    }
}

/// A new folder.
struct TestFolder {
    let path: [UInt8]

    init() throws {
        let number = UInt32.random(in: 0...999_999)
        path = Array("/tmp/wasmd-services-\(SystemClock.monotonic.now)-\(number)".utf8)
        try RecordStore.makeFolder(path)
    }
}
