import Glibc
import Testing

@testable import WasmSystem

@Suite struct SpawnerTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func spawner(_ programs: [String]) throws -> Spawner {
        try Spawner(
            executable: Self.bytes(Probe.path),
            verb: [Self.bytes("probe"), Self.bytes(SpawnerProcess.verb)],
            programs: programs.map(Self.bytes))
    }

    private func program(
        _ identifier: UInt64, _ words: String..., environment: [String] = [], folder: String? = nil
    ) -> SpawnedProgram {
        SpawnedProgram(
            identifier: identifier, path: Self.bytes(words[0]),
            arguments: words.map(Self.bytes), environment: environment.map(Self.bytes),
            folder: folder.map(Self.bytes))
    }

    @Test func aProgramHasWhatItIsGiven() throws {
        let spawner = try spawner(["/bin/sh"])
        let input = try Pipe()
        let output = try Pipe()
        let script = "read line; echo \"$line $A $PWD ${B-none}\"; exit 7"
        try spawner.start(
            program(5, "/bin/sh", "-c", script, environment: ["A=b c"], folder: "/usr"),
            streams: [(0, input.input.number), (1, output.output.number)])
        guard case .started(5, let process)? = try spawner.receive(waits: true) else {
            Issue.record("not started")
            return
        }
        #expect(process > 0)
        try output.output.close()
        #expect(write(input.output.number, "line\n", 5) == 5)
        #expect(try Probe.contents(output.input.number) == "line b c /usr none\n")
        #expect(try spawner.receive(waits: true) == .ended(identifier: 5, .status(7)))
        // Its identifier is free again.
        try spawner.start(program(5, "/bin/sh", "-c", "kill -9 $$"), streams: [])
        _ = try spawner.receive(waits: true)
        #expect(try spawner.receive(waits: true) == .ended(identifier: 5, .signal(9)))
        #expect(try spawner.receive() == nil)
    }

    @Test func onlyItsProgramsAreExecuted() throws {
        let spawner = try spawner(["/bin/sh", "relative", "/no/such/file"])
        for (path, error) in [
            ("/bin/true", SystemError.acces), ("relative", .acces), ("/bin/../bin/sh", .acces),
            ("", .acces), ("/no/such/file", .noent),
        ] {
            try spawner.start(program(1, path), streams: [])
            #expect(try spawner.receive(waits: true) == .failed(identifier: 1, error))
        }
        try spawner.start(program(1, "/bin/sh", folder: "/no/such/folder"), streams: [])
        #expect(try spawner.receive(waits: true) == .failed(identifier: 1, .noent))
    }

    @Test func programsAreKilledWithTheirGroup() throws {
        let spawner = try spawner(["/bin/sh"])
        let pipe = try Pipe()
        try spawner.start(
            program(1, "/bin/sh", "-c", "sleep 100 & sleep 100"),
            streams: [(1, pipe.output.number)])
        try pipe.output.close()
        _ = try spawner.receive(waits: true)
        try spawner.start(program(1, "/bin/sh"), streams: [])
        #expect(try spawner.receive(waits: true) == .failed(identifier: 1, .exist))
        try spawner.signal(15, identifier: 1)
        #expect(try spawner.receive(waits: true) == .ended(identifier: 1, .signal(15)))
        // Both that wrote to the pipe are gone.
        #expect(try Probe.contents(pipe.input.number) == "")
        try spawner.signal(15, identifier: 1)
        #expect(try spawner.receive(waits: true) == .failed(identifier: 1, .srch))
        try spawner.signal(9, identifier: .max)
        #expect(try spawner.receive(waits: true) == .failed(identifier: .max, .srch))
    }

    @Test func moreThanItsLimitAreRefused() throws {
        let spawner = try spawner(["/bin/sh"])
        for identifier: UInt64 in 0..<9 {
            try spawner.start(program(identifier, "/bin/sh", "-c", "sleep 100"), streams: [])
            let reply = try spawner.receive(waits: true)
            if identifier < 8 {
                guard case .started(identifier, _)? = reply else {
                    Issue.record("\(identifier): \(String(describing: reply))")
                    continue
                }
            } else {
                #expect(reply == .failed(identifier: 8, .again))
            }
        }
    }

    @Test func oddMessagesChangeNothing() throws {
        let spawner = try spawner(["/bin/sh"])
        let good = SpawnerCoding.bytes(
            of: .start(program(3, "/bin/sh", "-c", "exit 1")), streams: [])
        var sent = 0
        var messages: [[UInt8]] = [
            [0], [1], [2], [9, 1, 1, 1, 1, 1, 1, 1, 1], Array(repeating: 0xff, count: 5000),
        ]
        for count in stride(from: 1, to: good.count, by: 3) {
            messages.append(Array(good[..<count]))
        }
        for index in stride(from: 9, to: good.count, by: 2) {
            var bytes = good
            bytes[index] = 0xff
            messages.append(bytes)
        }
        messages.append(good + [0])
        let null = FileDescriptor(owning: try Kernel.open("/dev/null", .readWrite))
        for message in messages {
            // With descriptors that no stream is named for, also more than are taken.
            let descriptors = Array(repeating: null.number, count: sent % 6)
            if SpawnerCoding.request(message) != nil, descriptors.isEmpty { continue }
            try Kernel.sendMessage(spawner.socket.number, message, descriptors: descriptors)
            sent += 1
            guard case .failed? = try spawner.receive(waits: true) else {
                Issue.record("\(message) is no mistake")
                return
            }
        }
        #expect(sent > 10)
        // No descriptor stays behind, and it works as before.
        let open = try Kernel.names(inFolder: "/proc/\(spawner.process)/fd").count
        // Streams, the connection, and the folder that is read.
        #expect(open <= 5)
        try spawner.start(program(3, "/bin/sh", "-c", "exit 1"), streams: [(1, null.number)])
        _ = try spawner.receive(waits: true)
        #expect(try spawner.receive(waits: true) == .ended(identifier: 3, .status(1)))
        #expect(throws: SystemError.tooBig) {
            try spawner.start(
                program(4, "/bin/sh", String(repeating: "x", count: 200_000)), streams: [])
        }
    }

    /// When the connection closes, the process ends with all that it started, whatever they ignore.
    @Test func itEndsWithItsConnection() throws {
        let pipe = try Pipe()
        var process: Int32 = 0
        do {
            let spawner = try spawner(["/bin/sh"])
            process = spawner.process
            try spawner.start(
                program(
                    1, "/bin/sh", "-c",
                    "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done"),
                streams: [(1, pipe.output.number)])
            try pipe.output.close()
            _ = try spawner.receive(waits: true)
            for signal: Int32 in [SIGINT, SIGTERM, SIGHUP] { kill(process, signal) }
            var byte: UInt8 = 0
            #expect(read(pipe.input.number, &byte, 1) == 1)
        }
        _ = try Probe.contents(pipe.input.number)
        var status: Int32 = 0
        #expect(waitpid(process, &status, 0) == process)
        #expect(ChildProcess.End(status) == .status(0))
    }

    @Test func messagesComeBack() throws {
        let requests: [SpawnerRequest] = [
            .start(program(.max, "/a", "b", "", environment: ["", "x=y"], folder: "/")),
            .start(program(0, "/a")), .signal(identifier: 7, -1),
        ]
        for request in requests {
            let bytes = SpawnerCoding.bytes(of: request, streams: [2, 0])
            #expect(SpawnerCoding.request(bytes)?.0 == request)
            #expect(SpawnerCoding.identifier(bytes) != 1)
            for count in 0..<bytes.count {
                #expect(SpawnerCoding.request(Array(bytes[..<count])) == nil)
            }
        }
        for reply: SpawnerReply in [
            .started(identifier: 1, process: 2), .failed(identifier: 3, .perm),
            .ended(identifier: 4, .status(255)), .ended(identifier: 5, .signal(9)),
        ] {
            #expect(SpawnerCoding.reply(SpawnerCoding.bytes(of: reply)) == reply)
        }
    }
}
