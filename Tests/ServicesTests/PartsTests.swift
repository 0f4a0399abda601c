import Testing
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP

@testable import WasmdServices

/// Parts of services that need no module.
@Suite struct PartsTests {
    // MARK: Restarts

    @Test func pausesDoubleUpToTheLongest() {
        var counter = RestartCounter(RestartPolicy())
        var pauses: [Duration] = []
        for _ in 0..<8 {
            if let pause = counter.next(hasFailed: true, after: .seconds(1)) {
                pauses.append(pause)
            }
        }
        let expected: [Duration] = [
            .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(16),
            .seconds(30), .seconds(30),
        ]
        #expect(pauses == expected)
        // Five minutes without failure.
        #expect(counter.next(hasFailed: true, after: .seconds(300)) == .milliseconds(500))
        #expect(counter.count == 1)
        #expect(counter.next(hasFailed: true, after: .seconds(299)) == .seconds(1))
    }

    @Test func theLimitIsOfRestartsInSuccession() {
        var policy = RestartPolicy()
        policy.limit = 2
        var counter = RestartCounter(policy)
        #expect(counter.next(hasFailed: true, after: .zero) != nil)
        #expect(counter.next(hasFailed: true, after: .zero) != nil)
        #expect(counter.next(hasFailed: true, after: .zero) == nil)
        #expect(counter.next(hasFailed: true, after: .seconds(301)) != nil)
    }

    @Test(arguments: [
        (RestartPolicy.Mode.always, true, true), (.onFailure, true, false), (.never, false, false),
    ])
    func modes(mode: RestartPolicy.Mode, afterFailure: Bool, afterEnd: Bool) {
        var policy = RestartPolicy()
        policy.mode = mode
        var counter = RestartCounter(policy)
        #expect((counter.next(hasFailed: true, after: .zero) != nil) == afterFailure)
        #expect((counter.next(hasFailed: false, after: .zero) != nil) == afterEnd)
    }

    // MARK: Header lines

    private func read(_ text: String) throws(GuestHTTPError) -> [String] {
        let fields = try HeaderLines.read(Array(text.utf8))
        return (0..<fields.count).map { index in
            let (name, value) = fields[index]
            return String(decoding: name, as: UTF8.self) + "="
                + String(decoding: value, as: UTF8.self)
        }
    }

    @Test func linesBecomeFields() throws {
        #expect(try read("") == ["Accept=*/*"])
        #expect(try read("A:b") == ["A=b", "Accept=*/*"])
        #expect(try read("A:b\n") == ["A=b", "Accept=*/*"])
        #expect(try read("A:b\r\nC:d:e\r\n") == ["A=b", "C=d:e", "Accept=*/*"])
        #expect(try read("A:\n") == ["A=", "Accept=*/*"])
        #expect(try read("accept:x\n") == ["accept=x"])
        // The last one counts.
        #expect(try read("X-A:1\nB:2\nx-a:3\n") == ["X-A=3", "B=2", "Accept=*/*"])
    }

    @Test func fieldsOfTheConnectionAreLeftOut() throws {
        let text =
            "Host:evil\nContent-Length:7\nTransfer-Encoding:chunked\nConnection:close\nTE:x\n"
            + "Upgrade:h2c\nProxy-Authorization:x\nExpect:100-continue\nKeep-Alive:1\n"
        #expect(try read(text) == ["Accept=*/*"])
    }

    @Test(arguments: [
        "no colon", "A:b\n\nC:d", "\n", "a b:c", ":v", "A:\u{e9}", "A:b\u{1}", "A:b\rC:d\n",
        "A:b\r",
        "\u{e9}:x", "A:\u{7f}",
    ])
    func malformedLines(text: String) {
        #expect(throws: GuestHTTPError.invalidEncoding) { try read(text) }
    }

    @Test func fieldsBecomeLines() throws {
        var fields = Fields()
        try fields.append(name: Array("Content-Type".utf8), value: Array("text/plain".utf8))
        try fields.append(name: Array("X-A".utf8), value: Array("a:b".utf8))
        let text = String(decoding: try HeaderLines.write(fields), as: UTF8.self)
        #expect(text == "content-type:text/plain\nx-a:a:b\n")
        var other = Fields()
        try other.append(name: Array("X".utf8), value: [0xff])
        #expect(throws: GuestHTTPError.runtime) { try HeaderLines.write(other) }
    }

    // MARK: Binaries

    private func find(_ files: [String]) throws(OriginalServices.Missing) -> [String: String] {
        let services = try OriginalServices(root: Array("r".utf8)) { path in
            files.contains(String(decoding: path, as: UTF8.self))
        }
        var found: [String: String] = [:]
        for (module, place) in services.places {
            found[module.rawValue] =
                String(decoding: place.path, as: UTF8.self) + " in "
                + String(decoding: place.folder, as: UTF8.self)
        }
        return found
    }

    private static func path(_ module: String, _ kind: String, _ base: String = "r") -> String {
        "\(base)/\(module)_module/target/wasm32-wasi/\(kind)/\(module)_module.wasm"
    }

    @Test func releaseGoesBeforeDebugAndTheNewLayoutBeforeTheOlder() throws {
        let path = Self.path
        var files = ["server", "gateway", "telemetry"].map { path($0, "debug", "r/modules") }
        #expect(try find(files)["server"] == "\(files[0]) in r/modules")
        files += [path("server", "release", "r/modules"), path("gateway", "debug", "r")]
        #expect(
            try find(files) == [
                "server": "\(path("server", "release", "r/modules")) in r/modules",
                "gateway": "\(path("gateway", "debug", "r")) in r",
                "telemetry": "\(path("telemetry", "debug", "r/modules")) in r/modules",
            ])
    }

    @Test func whatIsMissingNamesThePathsThatWereTried() {
        do throws(OriginalServices.Missing) {
            _ = try find([Self.path("server", "release")])
            Issue.record("something was found")
        } catch {
            #expect(error.module == .gateway)
            #expect(
                error.tried.map { String(decoding: $0, as: UTF8.self) } == [
                    Self.path("gateway", "release"), Self.path("gateway", "debug"),
                    Self.path("gateway", "release", "r/modules"),
                    Self.path("gateway", "debug", "r/modules"),
                ])
        }
    }

    // MARK: Lines

    @Test func timesHaveMicroseconds() {
        let time = MicrosecondTime(nanoseconds: 1_795_826_049_913_531_999)
        #expect("\(time)" == "2026-11-28T00:34:09.913531Z")
        #expect("\(MicrosecondTime(nanoseconds: 1_000))" == "1970-01-01T00:00:00.000001Z")
    }

    @Test func linesAreHeldBackWhenTheyComeTooFast() {
        var allowance = LineAllowance()
        var now: UInt64 = 5_000_000_000
        #expect(allowance.take(Int(LineAllowance.burst), at: now) == nil)
        let pause = allowance.take(1000, at: now)
        #expect(pause != nil)
        now += 1_000_000
        #expect(allowance.take(1000, at: now) == nil)
        // A longer line than the burst needs all of it.
        now += 60_000_000_000
        #expect(allowance.take(Int.max, at: now) == nil)
        #expect(allowance.take(1, at: now) != nil)
    }

    // MARK: Failures of requests

    @Test func failuresAreToldOnceAndNotTooManyAtOnce() {
        var messages = FailureMessages()
        let start = LoopInstant.now
        let told = { (text: String, seconds: Int) in
            messages.take(text, at: start + .seconds(seconds))
        }
        let first = (0..<20).map { told("\($0)", 0) }
        #expect(first.count { $0 } == 8)
        // The same, another, and one that is told again after a minute.
        let later = [told("0", 30), told("20", 30), told("1", 61), told("20", 89), told("20", 91)]
        #expect(later == [false, true, true, false, true])
    }
}
