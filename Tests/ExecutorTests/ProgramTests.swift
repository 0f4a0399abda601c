import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP

/// Stored programs of WASI.
@Suite struct ProgramTests {
    private static let binary = [("Content-Type", "application/wasm")]

    /// Prints a part of its world: `%BODY%` puts it at 1024, and leaves its length on the stack.
    private static func printer(_ body: String) -> String {
        """
        (module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_sizes_get"
            (func $argSizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get"
            (func $environ (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $environSizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 900) "secret")
          (func (export "_start")
            (local $n i32)
            \(body)
            (local.set $n)
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (local.get $n))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
        """
    }

    private func open(
        _ options: Executor.Options = Executor.Options(),
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(options, surfaces: { [ModuleSurface($0)] }, body)
    }

    private func store(_ house: ExecutorHouse, _ text: String) async throws -> String {
        let answer = try await house.send(.post, "/wasm", try module(text), Self.binary)
        return try #require(answer.json["id"]?.stringValue)
    }

    @Test func argumentsAndEnvironment() throws {
        let arguments = Self.printer(
            """
            (drop (call $args (i32.const 16) (i32.const 1024)))
            (drop (call $argSizes (i32.const 8) (i32.const 12)))
            (i32.load (i32.const 12))
            """)
        let environment = Self.printer(
            """
            (drop (call $environ (i32.const 16) (i32.const 1024)))
            (drop (call $environSizes (i32.const 8) (i32.const 12)))
            (i32.load (i32.const 12))
            """)
        try open { house in
            let id = try await store(house, arguments)
            let run = try await house.send(.post, "/wasm/\(id)?arg=one&arg=two%20%C3%A9&arg=")
            #expect(run.text == "\(id)\u{0}one\u{0}two é\u{0}\u{0}")
            #expect(run.field("wasmd-exit-code") == "0")
            #expect(run.field("content-type") == "text/plain; charset=utf-8")
            let other = try await store(house, environment)
            let shown = try await house.send(.post, "/wasm/\(other)?env=A=1&env=B=x=y")
            #expect(shown.text == "A=1\u{0}B=x=y\u{0}")
            // The environment of one run is not that of the next.
            #expect(try await house.send(.post, "/wasm/\(other)").text == "")
            for query in ["env=A", "env==1", "env=A%001", "arg=%00"] {
                #expect(try await house.send(.post, "/wasm/\(other)?\(query)").status == 400)
            }
        }
    }

    /// Each run has an empty folder: what one run writes, the next does not find.
    @Test func theFolderIsPrivate() throws {
        // Creates a file that must not be there, and prints the error.
        let text = Self.printer(
            """
            (i32.store8 (i32.const 1024) (i32.add (i32.const 48)
              (call $open (i32.const 3) (i32.const 0) (i32.const 900) (i32.const 6)
                (i32.const 5) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 32))))
            (i32.const 1)
            """)
        try open { house in
            let id = try await store(house, text)
            for _ in 0..<3 {
                #expect(try await house.send(.post, "/wasm/\(id)").text == "0")
            }
        }
    }

    @Test func outputIsBounded() throws {
        var options = Executor.Options()
        options.limits.output = 5000
        let text = Self.printer(
            """
            (loop $l
              (i32.store (i32.const 0) (i32.const 0))
              (i32.store (i32.const 4) (i32.const 1000))
              (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
              (br $l))
            (i32.const 0)
            """)
        try open(options) { house in
            let id = try await store(house, text)
            let run = try await house.send(.post, "/wasm/\(id)")
            #expect(run.status == 500 && run.json["error"]?["limit"] == "output", "\(run.text)")
        }
    }
}
