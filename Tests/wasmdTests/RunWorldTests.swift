import Glibc
import Synchronization
import Testing

@testable import wasmd

/// What options of `wasmd run` let a program find around it.
@Suite struct RunWorldTests {
    private let folder: TemporaryFolder
    private static let guests = Repository.root + "/Tests/Guests"

    init() throws { folder = try TemporaryFolder() }

    @Test func standardInput() throws {
        let count = "Examples/wordcount/wordcount.wasm"
        let file = try folder.write("input", Array("one two\nthree\n".utf8))
        let result = try wasmd("run", "--stdin", file, count, folder: Repository.root)
        #expect(result.output.split { $0 == " " || $0 == "\n" } == ["2", "3", "14"])
        let missing = try wasmd("run", "--stdin", "missing", count, folder: Repository.root)
        #expect(missing.status == 1)
        #expect(missing.error == "wasmd: missing: No such file or directory\n")
    }

    @Test func workingFolder() throws {
        let module = try #require(Repository.bytes("Examples/wordcount/wordcount.wasm"))
        try folder.write("count.wasm", module)
        try folder.write("input", Array("one two\nthree\n".utf8))
        let result = try wasmd(
            "run", "--dir", ".", "--chdir", folder.path, "count.wasm", "input", folder: "/")
        #expect(result.output.hasSuffix(" input\n"))
        #expect(result.status == 0)
        let missing = try wasmd("run", "--chdir", folder.path + "/missing", "count.wasm")
        #expect(missing.status == 1)
    }

    /// Runs the echo server of the guests until it has served `count` connections, made by
    /// `connect`: from as many threads, each with messages of its own.
    private func serve(
        _ options: [String], count: Int, messages: Int, connect: @escaping @Sendable () -> Int32
    ) throws {
        let failures = Atomic(0)
        let group = ThreadGroup()
        for index in 0..<count {
            group.start {
                if !Self.exchange(connect, messages: messages, seed: UInt8(index % 250)) {
                    failures.add(1, ordering: .relaxed)
                }
            }
        }
        let result = try run(
            Wasmd.path, ["run"] + options + [Self.guests + "/echo.wasm", String(count)])
        group.join()
        #expect(failures.load(ordering: .relaxed) == 0)
        #expect(result.error == "")
        #expect(result.output == "\(count) connections, \(count * messages * 3000) bytes\n")
        #expect(result.status == 0)
    }

    /// Sends messages and reads each back; false if something else came.
    private static func exchange(
        _ connect: () -> Int32, messages: Int, seed: UInt8
    ) -> Bool {
        var number: Int32 = -1
        // The server may not have started yet.
        for _ in 0..<3000 where number < 0 {
            number = connect()
            if number < 0 { usleep(10_000) }
        }
        defer { close(number) }
        let message = (0..<3000).map { UInt8(truncatingIfNeeded: $0) ^ seed }
        var answer = [UInt8](repeating: 0, count: message.count)
        for _ in 0..<messages {
            let flags = Int32(MSG_NOSIGNAL)
            guard send(number, message, message.count, flags) == message.count,
                recv(number, &answer, answer.count, Int32(MSG_WAITALL)) == answer.count,
                answer == message
            else { return false }
        }
        return true
    }

    @Test func listensOnTCP() throws {
        // None of these is given to a socket that asks for any port.
        let free = (UInt16(20_000)..<32_000).shuffled().first { Self.isFree($0) }
        let port = try #require(free)
        try serve(["--tcplisten", "127.0.0.1:\(port)"], count: 50, messages: 20) {
            Self.connect(port)
        }
    }

    @Test func listensOnAPath() throws {
        let path = folder.path + "/socket"
        try serve(
            ["--dir", folder.path + "::/", "--tcplisten", "unix:" + path], count: 20, messages: 5
        ) {
            Self.connect(path)
        }
        #expect(access(path, F_OK) != 0)
    }

    /// Nothing is left however the program ends, and what a killed one left is replaced; a file that is
    /// no socket, or on which somebody listens, stays.
    @Test(arguments: ["", "TERM", "HUP", "KILL"])
    func filesOfSockets(signal: String) throws {
        let path = folder.path + "/socket"
        let script = """
            "$0" run --timeout 10m --tcplisten unix:"$1" "$2" & p=$!
            while [ ! -S "$1" ]; do sleep 0.05; done
            "$0" run --tcplisten unix:"$1" "$2"; echo second $?
            [ -z "$3" ] || { kill -$3 $p; wait $p; echo first $?; }
            """
        if !signal.isEmpty {
            let result = try run(
                "/bin/bash",
                ["-mc", script, Wasmd.path, path, Self.guests + "/echo.wasm", signal])
            let status = ["TERM": 143, "HUP": 129, "KILL": 137][signal] ?? 0
            #expect(result.output == "second 1\nfirst \(status)\n")
            #expect(result.error.contains("cannot listen on unix:\(path): another program listens"))
            #expect((access(path, F_OK) == 0) == (signal == "KILL"))
        }
        let (result, _) = try timed(100, reaching: .running) {
            try wasmd(
                "run", "--timeout", $0, "--tcplisten", "unix:" + path, Self.guests + "/echo.wasm")
        }
        #expect(result.status == 134)
        #expect(access(path, F_OK) != 0)
        let file = try folder.write("file", [1, 2, 3])
        #expect(
            try wasmd("run", "--tcplisten", "unix:" + file, Self.guests + "/echo.wasm").status == 1)
        #expect(access(file, F_OK) == 0)
    }

    /// A port that the system chose is said, and can be connected to.
    @Test func chosenPorts() throws {
        let (result, _) = try timed(100, reaching: .running) {
            try wasmd(
                "run", "--timeout", $0, "--tcplisten", "127.0.0.1:0", "--tcplisten", "[::1]:0",
                Self.guests + "/echo.wasm")
        }
        let lines = result.error.split(separator: "\n")
        for (line, prefix) in zip(lines, ["127.0.0.1:", "[::1]:"]) {
            let start = "wasmd: listening on \(prefix)"
            #expect(line.hasPrefix(start))
            #expect(UInt16(line.dropFirst(start.count)).map { $0 > 0 } == true)
        }
        let (listener, port) = Self.listen()
        let taken = try wasmd(
            "run", "--tcplisten", "127.0.0.1:\(port)", Self.guests + "/echo.wasm")
        #expect(taken.status == 1)
        #expect(taken.error.contains("cannot listen on 127.0.0.1:\(port): address in use"))
        close(listener)
    }

    @Test func takesOverASocket() throws {
        let (listener, port) = Self.listen()
        _ = fcntl(listener, F_SETFD, 0)
        try serve(["--listen-fd", String(listener)], count: 20, messages: 5) { Self.connect(port) }
        close(listener)
        let result = try wasmd("run", "--listen-fd", "999", Self.guests + "/echo.wasm")
        #expect(result.status == 1)
        #expect(result.error.contains("descriptor 999"))
    }

    /// A program that waits for ever in a call ends with its time, and with the right code.
    @Test func timeoutEndsWaiting() throws {
        let (result, _) = try timed(100, reaching: .running) {
            try wasmd(
                "run", "--timeout", $0, "--tcplisten", "127.0.0.1:0", Self.guests + "/echo.wasm")
        }
        #expect(result.status == 134)
        #expect(result.error.contains("\nwasmd: trap: "))
        #expect(!result.error.contains("in a call of the host"))
    }

    // MARK: Sockets

    /// Whether nobody listens at the port.
    private static func isFree(_ port: UInt16) -> Bool {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(number) }
        return withUnsafeBytes(of: address(port)) { bytes in
            bind(
                number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count)) == 0
        }
    }

    private static func listen() -> (Int32, UInt16) {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = Self.address(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(number, $0, size)
                _ = Glibc.listen(number, 64)
                _ = getsockname(number, $0, &size)
            }
        }
        return (number, UInt16(bigEndian: address.sin_port))
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        return address
    }

    private static func connect(_ port: UInt16) -> Int32 {
        connect(AF_INET, address(port))
    }

    private static func connect(_ path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return connect(AF_UNIX, address)
    }

    private static func connect<Name>(_ family: Int32, _ name: Name) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(family, type, 0)
        let answer = withUnsafeBytes(of: name) { bytes in
            Glibc.connect(
                number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count))
        }
        if answer == 0 { return number }
        close(number)
        return -1
    }
}

/// Threads of a test that may block.
private final class ThreadGroup {
    private var threads: [pthread_t] = []

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let answer = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(Body(body)).toOpaque())
        if answer == 0 { threads.append(thread) }
    }

    func join() {
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }
}
