import Glibc
import Testing

@testable import WasmInterpreter
@testable import WasmWASI

@Suite struct PollTests {
    private let millisecond: UInt64 = 1_000_000

    @Test(arguments: TestGuest.Driver.allCases) func clocks(_ driver: TestGuest.Driver) throws {
        let test = try TestGuest(WASI(), driver)
        let start = ContinuousClock.now
        var events = try test.poll([
            .clock(7, 1, 30 * millisecond), .clock(8, 0, 60_000 * millisecond),
        ])
        #expect(events.map(\.userdata) == [7])
        #expect(events.map(\.error) == [.success])
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        events = try test.poll([.clock(1, 0, 0), .clock(2, 1, 0)])
        #expect(events.map(\.userdata) == [1, 2])
        // Times that have passed.
        events = try test.poll([.clock(1, 0, 1, isAbsolute: true)])
        #expect(events.map(\.userdata) == [1])
        try test.guest.clock_time_get(test.memory, 0, 64)
        let soon = test.load(64, UInt64.self) + 20 * millisecond
        events = try test.poll([.clock(1, 0, soon, isAbsolute: true), .clock(2, 1, .max)])
        #expect(events.map(\.userdata) == [1])
        try test.guest.clock_time_get(test.memory, 0, 64)
        #expect(test.load(64, UInt64.self) >= soon)
    }

    @Test(arguments: TestGuest.Driver.allCases) func malformed(_ driver: TestGuest.Driver) throws {
        let test = try TestGuest(WASI(), driver)
        #expect(throws: Errno.inval) { try test.poll([]) }
        #expect(throws: Errno.inval) {
            try test.poll([.init(userdata: 1, tag: 3, body: [0, 0, 0, 0])])
        }
        let events = try test.poll([.clock(1, 2, 0), .clock(2, 3, 0), .clock(3, 99, 0)])
        #expect(events.map(\.error) == [.inval, .inval, .inval])
        #expect(throws: Errno.inval) {
            try test.guest.poll_oneoff(test.memory, 0, 0, .max, 16, .preview1, test.caller)
        }
    }

    @Test(arguments: TestGuest.Driver.allCases) func streamsInMemory(_ driver: TestGuest.Driver)
        throws
    {
        let folder = TestFolder()
        var wasi = WASI()
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        wasi.standardInput = .bytes([1, 2, 3])
        wasi.standardOutput = .null
        let test = try TestGuest(wasi, driver)
        let file = try test.open("file")
        let events = try test.poll([
            .read(1, 0), .write(2, 1), .read(3, 77), .write(4, 0), .read(5, file), .write(6, file),
            .clock(7, 1, 60_000 * millisecond),
        ])
        let byData = Dictionary(uniqueKeysWithValues: events.map { ($0.userdata, $0) })
        #expect(byData.keys.sorted() == [1, 2, 3, 4, 5, 6])
        #expect(byData[1]?.byteCount == 3)
        #expect(byData[2]?.error == .success)
        #expect(byData[3]?.error == .badf)
        #expect(byData[4]?.error == .badf)
        #expect(byData[5]?.byteCount == 6)
        #expect(byData[6]?.error == .badf)
        #expect(byData[1]?.type == .fdRead)
        #expect(byData[2]?.type == .fdWrite)
    }

    @Test(arguments: TestGuest.Driver.allCases) func pipes(_ driver: TestGuest.Driver) throws {
        let (reader, writer) = try System.makePipe()
        var wasi = WASI()
        wasi.standardInput = .descriptor(reader)
        wasi.standardOutput = .descriptor(writer)
        let test = try TestGuest(wasi, driver)
        close(reader)
        close(writer)
        var events = try test.poll([.read(1, 0), .clock(2, 1, 10 * millisecond)])
        #expect(events.map(\.userdata) == [2])
        events = try test.poll([.read(1, 0), .write(2, 1)])
        #expect(events.map(\.userdata) == [2])
        _ = try test.write(1, ["12345"])
        // As long as there is something, every call says so.
        for _ in 0..<2 {
            events = try test.poll([.read(1, 0), .clock(2, 1, 60_000 * millisecond)])
            #expect(events.map(\.userdata) == [1])
            #expect(events.first?.byteCount == 5)
            #expect(events.first?.isHangup == false)
        }
        // Several for one descriptor are told apart.
        events = try test.poll([.read(1, 0), .read(3, 0), .write(4, 1), .write(5, 1)])
        #expect(events.map(\.userdata) == [1, 3, 4, 5])
        #expect(events.map(\.type) == [.fdRead, .fdRead, .fdWrite, .fdWrite])
        _ = try test.read(0)
        try test.guest.fd_close(1)
        events = try test.poll([.read(1, 0)])
        #expect(events.map(\.userdata) == [1])
        #expect(events.first?.isHangup == true)
    }

    @Test(arguments: TestGuest.Driver.allCases) func deadline(_ driver: TestGuest.Driver) throws {
        let test = try TestGuest(WASI(), driver)
        let start = ContinuousClock.now
        test.store.deadline = start + .milliseconds(20)
        let trap = #expect(throws: Trap.self) { try test.poll([.clock(1, 1, .max)]) }
        #expect(trap?.code == .deadlineExceeded)
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        // An event that is there comes before the deadline.
        #expect(try test.poll([.clock(1, 1, 0)]).count == 1)
    }
}
