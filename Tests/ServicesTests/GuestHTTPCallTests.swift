import Testing
import WasmInterpreter
import WasmSystem
import WasmdEventLoop
import WasmdOperation

@testable import WasmdServices

/// The functions of `wasi_experimental_http` for responses, called by a guest in all ways.
@Suite struct GuestHTTPCallTests {
    /// What all responses have; `/latin` has a field beside that is no UTF-8.
    private static let fields = "Content-Length: 6\r\nX-Test: yes\r\nX-Empty:\r\n"
    /// The same as the guest gets it.
    private static let lines = "content-length:6\nx-test:yes\nx-empty:\n"

    private func serve(_ loop: EventLoop) throws -> Listener {
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
        loop.spawn {
            while let stream = try? await listener.accept() {
                loop.spawn {
                    var buffer = InputBuffer(capacity: 4096)
                    while let count = try? await stream.read(into: &buffer), count > 0 {
                        let isLatin = buffer.take().starts(with: Array("GET /latin".utf8))
                        var answer = Array("HTTP/1.1 200 OK\r\n\(Self.fields)".utf8)
                        if isLatin { answer += Array("X-Latin: ".utf8) + [0xe4, 0x0d, 0x0a] }
                        try? await stream.write(answer + Array("\r\n123456".utf8))
                    }
                }
            }
        }
        return listener
    }

    /// A text in the guest's memory.
    private struct Place {
        var at: Int
        var count: Int
        var words: String { "(i32.const \(at)) (i32.const \(count))" }
    }

    /// Calls, and what each returns. Handle 0 is the response of `/latin`, 1 that of `/plain`.
    @Test func calls() throws {
        let notes = try ServiceTrial.run([]) { trial in
            let listener = try serve(trial.loop)
            let base = "http://127.0.0.1:\(listener.address?.port ?? 0)"
            var text = "M"
            func place(_ words: String, _ count: Int? = nil) -> Place {
                defer { text += words }
                let at = 1000 + text.utf8.count - 2 * text.count { $0 == "\\" }
                return Place(at: at, count: count ?? words.utf8.count)
            }
            let get = place("GET")
            let (latin, plain) = (place(base + "/latin"), place(base + "/plain"))
            let (test, empty) = (place("X-TEST"), place("x-empty"))
            let (odd, missing) = (place("x-latin"), place("x-no"))
            let malformed = place("\\ff", 1)
            let nowhere = "(i32.const -1)"
            func request(_ url: Place, handle: Int = 804) -> String {
                """
                (call $req \(url.words) \(get.words) (i32.const 0) (i32.const 0)
                  (i32.const 0) (i32.const 0) (i32.const 800) (i32.const \(handle)))
                """
            }
            func header(
                _ handle: Int, _ name: String, value: String = "(i32.const 3000)", size: Int,
                written: String = "(i32.const 2900)"
            ) -> String {
                "(call $header (i32.const \(handle)) \(name) \(value) (i32.const \(size)) \(written))"
            }
            func all(_ handle: Int, size: Int, value: String = "(i32.const 3000)") -> String {
                "(call $all (i32.const \(handle)) \(value) (i32.const \(size)) (i32.const 2900))"
            }
            func body(
                _ handle: Int, size: Int, value: String = "(i32.const 3000)",
                written: String = "(i32.const 2900)"
            ) -> String {
                "(call $body (i32.const \(handle)) \(value) (i32.const \(size)) \(written))"
            }
            let written = "(i32.load (i32.const 2900))"
            let handle = "(i32.load (i32.const 804))"
            let size = Self.lines.utf8.count
            let rows: [(call: String, result: Int)] = [
                (request(latin), 0), (handle, 0), (request(plain), 0), (handle, 1),
                // The number of the handle has no place: the response is not kept.
                (request(plain, handle: -1), 3),
                // Names in any case, and buffers of all sizes.
                (header(0, test.words, size: 3), 0), (written, 3),
                (header(0, test.words, size: 2), 4), (header(0, test.words, size: 0), 4),
                (header(0, empty.words, size: 0), 0), (written, 0),
                (header(9, test.words, size: 9), 1), (header(-1, test.words, size: 9), 1),
                (header(0, missing.words, size: 9), 5),
                (header(0, "(i32.const 0) (i32.const 0)", size: 9), 5),
                (header(0, malformed.words, size: 9), 6),
                (header(0, "(i32.const -1) (i32.const 6)", size: 9), 4),
                (header(0, "(i32.const 0) (i32.const 0x7fffffff)", size: 9), 4),
                (header(0, "(i32.const 0) (i32.const 70000)", size: 9), 5),
                (header(0, test.words, value: nowhere, size: 9), 3),
                (header(0, test.words, size: 9, written: nowhere), 3),
                // A value that is no UTF-8 is passed alone, and not with all.
                (header(0, odd.words, size: 9), 0), (written, 1),
                ("(i32.and (i32.load8_u (i32.const 3000)) (i32.const 63))", 0xe4 & 63),
                (all(0, size: 9000), 12), (all(1, size: size), 0), (written, size),
                (all(1, size: size - 1), 4), (all(9, size: 9000), 1),
                (all(1, size: 9000, value: nowhere), 3),
                // What could not be passed stays.
                (body(0, size: 4, value: nowhere), 3), (body(0, size: 4, written: nowhere), 3),
                (body(9, size: 4), 1), (body(0, size: 0), 0), (written, 0),
                (body(0, size: 4), 0), (written, 4),
                ("(i32.sub (i32.load8_u (i32.const 3000)) (i32.const 48))", 1),
                (body(0, size: -1), 0), (written, 2),
                ("(i32.sub (i32.load8_u (i32.const 3000)) (i32.const 48))", 5),
                (body(0, size: 4), 0), (written, 0), (body(1, size: 99), 0), (written, 6),
                // Closed, also twice; numbers go on from the last one.
                ("(call $close (i32.const 0))", 0), ("(call $close (i32.const 0))", 0),
                (header(0, test.words, size: 9), 1), (all(0, size: 9000), 1),
                (body(0, size: 4), 1), (request(plain), 0), (handle, 2),
                ("(call $close (i32.const 2))", 0), (request(plain), 0), (handle, 2),
            ]
            let imports = """
                (import "wasi_experimental_http" "header_get"
                  (func $header (param i32 i32 i32 i32 i32 i32) (result i32)))
                (import "wasi_experimental_http" "headers_get_all"
                  (func $all (param i32 i32 i32 i32) (result i32)))
                (import "wasi_experimental_http" "body_read"
                  (func $body (param i32 i32 i32 i32) (result i32)))
                (import "wasi_experimental_http" "close" (func $close (param i32) (result i32)))
                (memory (export "memory") 2)
                """
            let guest = ServiceTrial.guest(
                text, rows.map { "(call $number \($0.call))" }.joined(separator: "\n")
            ).replacing("(memory (export \"memory\") 2)", with: imports)
            let definition = try ServiceTrial.definition("caller", guest) {
                $0.outbound = OutboundPolicy(allowing: ["http://127.0.0.1"]) ?? .nothing
            }
            await trial.start([definition])
            try await trial.waitUntil { trial.status("caller")?.state == .ended }
            let found = trial.notes.lines.map { $0.dropLast().suffix(2) }
            #expect(found.count == rows.count)
            for (row, found) in zip(rows, found) { #expect(Int(found) == row.result, "\(row)") }
            listener.close()
        }
        #expect(!notes.lines.isEmpty)
    }

    /// A guest that exports no memory.
    @Test func noMemory() throws {
        let text = """
            (module
              (import "wasi_experimental_http" "req" (func $req
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
              (import "wasi_experimental_http" "header_get"
                (func $header (param i32 i32 i32 i32 i32 i32) (result i32)))
              (import "wasi_experimental_http" "headers_get_all"
                (func $all (param i32 i32 i32 i32) (result i32)))
              (import "wasi_experimental_http" "body_read"
                (func $body (param i32 i32 i32 i32) (result i32)))
              (func $check (param i32)
                (if (i32.ne (local.get 0) (i32.const 2)) (then unreachable)))
              (func (export "go")
                (local $n i32)
                (call $check (call $req (local.get $n) (local.get $n) (local.get $n)
                  (local.get $n) (local.get $n) (local.get $n) (local.get $n) (local.get $n)
                  (local.get $n) (local.get $n)))
                (call $check (call $header (local.get $n) (local.get $n) (local.get $n)
                  (local.get $n) (local.get $n) (local.get $n)))
                (call $check (call $all (local.get $n) (local.get $n) (local.get $n)
                  (local.get $n)))
                (call $check (call $body (local.get $n) (local.get $n) (local.get $n)
                  (local.get $n)))))
            """
        try ServiceTrial.run([
            try ServiceTrial.definition("caller", text) { $0.entry = .function("go") }
        ]) { trial in
            try await trial.waitUntil {
                [.ended, .failed].contains(trial.status("caller")?.state)
            }
            #expect(trial.status("caller")?.state == .ended)
        }
    }
}
