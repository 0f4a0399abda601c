import Testing
import WasmInterpreter
import WasmText
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer
import WasmdPrograms

/// A program with a memory; `say` prints `count` bytes from an address.
private func program(_ body: String, data: String = "") throws -> ServedProgram {
    let text = """
        (module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get"
            (func $environment (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 4)
          (data (i32.const 1024) "\(data)")
          (func $say (param $from i32) (param $count i32)
            (i32.store (i32.const 0) (local.get $from))
            (i32.store (i32.const 4) (local.get $count))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
          (func $sleep (param $nanoseconds i64)
            (memory.fill (i32.const 64) (i32.const 0) (i32.const 48))
            (i32.store (i32.const 80) (i32.const 1))
            (i64.store (i32.const 88) (local.get $nanoseconds))
            (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 200))))
          (func (export "_start") (local $i i32) \(body)))
        """
    return try ServedProgram(
        Module(parseModule(Array(text.utf8)), engine: Engine()), name: "test")
}

/// What came of a request.
private struct Answer: Equatable {
    var status: UInt16
    var type = ""
    var body: String
}

/// Sends requests to a program that is served, one after another.
private func answers(
    of program: ServedProgram, _ options: ProgramHandler.Options = ProgramHandler.Options(),
    to bodies: [[UInt8]] = [[]], path: String = "/"
) throws -> [Answer] {
    let handler = ProgramHandler(program, in: WASI(), options)
    let server = HTTPServer { try await handler.answer($0, $1) }
    return try EventLoop().run { loop in
        let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
        let client = HTTPClient(on: loop)
        var answers: [Answer] = []
        for body in bodies {
            let url = try #require(
                URL(Array("http://127.0.0.1:\(address?.port ?? 0)\(path)".utf8)))
            let request = ClientRequest(
                body.isEmpty ? .get : .post, url, body: body.isEmpty ? .none : .bytes(body))
            let response = try await client.send(request)
            let type = response.fields.first("content-type").map {
                String(decoding: $0, as: UTF8.self)
            }
            answers.append(
                Answer(
                    status: response.status.code, type: type ?? "",
                    body: String(decoding: try await response.body(), as: UTF8.self)))
        }
        return answers
    }
}

private let echo = """
    (i32.store (i32.const 0) (i32.const 2048))
    (loop $next
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $i (i32.load (i32.const 8)))
      (if (local.get $i)
        (then
          (call $say (i32.const 2048) (local.get $i))
          (i32.store (i32.const 0) (i32.const 2048))
          (br $next))))
    """

@Suite struct ProgramHandlerTests {
    @Test func aBodyWithoutHeaderLinesIsText() throws {
        let program = try program("(call $say (i32.const 1024) (i32.const 5))", data: "hello")
        let expected = Answer(status: 200, type: "text/plain; charset=utf-8", body: "hello")
        #expect(try answers(of: program, to: [[], []]) == [expected, expected])
    }

    @Test func headerLinesAreTheHead() throws {
        let program = try program(
            "(call $say (i32.const 1024) (i32.const 45))",
            data: #"Status: 404 Gone\0aContent-Type: text/html\0a\0a<p>"#)
        #expect(
            try answers(of: program) == [Answer(status: 404, type: "text/html", body: "<p>")])
    }

    @Test func theBodyIsStandardInput() throws {
        let long = Array(repeating: UInt8(ascii: "x"), count: 300_000)
        let result = try answers(of: try program(echo), to: [Array("abc".utf8), long])
        #expect(result.map(\.body) == ["abc", String(decoding: long, as: UTF8.self)])
    }

    @Test func theRequestIsInTheEnvironment() throws {
        let program = try program(
            """
            (drop (call $sizes (i32.const 16) (i32.const 20)))
            (drop (call $environment (i32.const 65536) (i32.const 131072)))
            (call $say (i32.const 131072) (i32.load (i32.const 20)))
            """)
        let body = try answers(of: program, path: "/a%20b/c?x=1&y").first?.body ?? ""
        let variables = body.split(separator: "\0").map(String.init)
        for wanted in [
            "REQUEST_METHOD=GET", "PATH_INFO=/a b/c", "QUERY_STRING=x=1&y",
            "GATEWAY_INTERFACE=CGI/1.1", "SERVER_NAME=127.0.0.1", "REMOTE_ADDR=127.0.0.1",
        ] {
            #expect(variables.contains(wanted), "\(wanted)")
        }
    }

    @Test func whatIsPrintedBeforeAWaitIsSentThen() throws {
        let program = try program(
            """
            (call $say (i32.const 1024) (i32.const 2))
            (call $sleep (i64.const 5000000))
            (call $say (i32.const 1026) (i32.const 2))
            """, data: "onto")
        #expect(try answers(of: program).map(\.body) == ["onto"])
    }

    @Test func failuresAndLimitsHaveAStatus() throws {
        var options = ProgramHandler.Options()
        options.limits.time = .milliseconds(30)
        options.bodyLimit = 10
        let endless = try answers(of: try program("(loop $l (br $l))"), options)
        #expect(endless.map(\.status) == [504])
        options.limits.time = .seconds(60)
        #expect(try answers(of: program("(unreachable)"), options).map(\.status) == [500])
        let ended = try answers(of: program("(call $exit (i32.const 3))"), options)
        #expect(
            ended == [
                Answer(
                    status: 500, type: "text/plain; charset=utf-8",
                    body: "The program ended with 3.\n")
            ])
        let long = Array(repeating: UInt8(1), count: 11)
        #expect(try answers(of: program(echo), options, to: [long]).map(\.status) == [413])
        let malformed = try program(
            "(call $say (i32.const 1024) (i32.const 21))", data: #"Status: x\0aLocation: \0a"#)
        #expect(try answers(of: malformed, options).map(\.status) == [502])
    }

    @Test func oneMoreThanMayRunIsRefused() throws {
        var options = ProgramHandler.Options()
        options.places = RunPlaces(running: 2, waiting: 0)
        let handler = ProgramHandler(
            try program("(call $sleep (i64.const 50000000))"), in: WASI(), options)
        let server = HTTPServer { try await handler.answer($0, $1) }
        let statuses = try EventLoop().run { loop in
            let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            let url = try #require(URL(Array("http://127.0.0.1:\(address?.port ?? 0)/".utf8)))
            let tasks = (0..<3).map { _ in
                loop.spawn {
                    try? await HTTPClient(on: loop).send(ClientRequest(.get, url)).status.code
                }
            }
            var statuses: [UInt16] = []
            for task in tasks { statuses.append(await task.value ?? 0) }
            return statuses.sorted()
        }
        #expect(statuses == [200, 200, 503])
        #expect(handler.runningCount == 0)
    }
}
