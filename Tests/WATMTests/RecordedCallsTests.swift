import Glibc
import Testing
import WasmInterpreter
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

/// Guests that make the calls which the original host served for published guests, in the recorded
/// order and with the recorded arguments: each must have the recorded result, and the host must call
/// the same functions in the same order. `Tests/Transports/recorded-calls.txt` has the recordings.
///
/// Two differences are wanted, and the guests made here do not show them: a write takes everything (the
/// original took a part), and a guest that polls for ever whether it may write is told at intervals,
/// so there are fewer rounds than the thousands that were recorded.
@Suite struct RecordedCallsTests {
    /// One guest in one role.
    struct Recording: Sendable, CustomTestStringConvertible {
        var name = ""
        var lines: [String] = []

        var testDescription: String { name }
        var role: TransportRole? {
            name.split(separator: " ").last.flatMap { TransportRole(rawValue: String($0)) }
        }
        /// Whether the guest sends something back to the client.
        var answers: Bool {
            lines.contains { $0.hasPrefix(role == .listen ? "fd_write(4," : "fd_write(3,") }
        }
    }

    static let all: [Recording] = {
        let root = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        guard let stream = fopen(root + "/Transports/recorded-calls.txt", "r") else { return [] }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 256 << 10)
        let count = fread(&bytes, 1, bytes.count, stream)
        var all: [Recording] = []
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
            if line.hasPrefix("== ") {
                all.append(Recording(name: String(line.dropFirst(3))))
            } else if !all.isEmpty {
                all[all.count - 1].lines.append(String(line))
            }
        }
        return all
    }()

    @Test func allAreThere() {
        #expect(Self.all.count == 8)
        #expect(Self.all.allSatisfy { $0.role != nil && $0.lines.count > 30 })
    }

    @Test(arguments: all)
    func replaying(recording: Recording) throws {
        let text = try RecordedGuest(recording.lines).text
        let transport = try Transport(module(text), quiet())
        let role = try #require(recording.role)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            var options = TransportService.Options()
            let outcomes = Outcomes()
            options.ended = { summary in outcomes.all.append(summary) }
            let service = TransportService([transport], role, to: server.address, options)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            guests.loop.spawn { try? await service.serve(listener, on: guests) }
            let client = try await ByteStream.connect(to: address, on: guests.loop)
            let data = noise(100)
            try await client.write(data)
            if recording.answers { #expect(try await client.read(count: data.count) == data) }
            client.close()
            #expect(try await guests.eventually { outcomes.all.count == 1 })
            let outcome = try #require(outcomes.all.first?.outcome)
            if case .ended = outcome {} else { Issue.record("\(recording.name): \(outcome)") }
            #expect(outcomes.all.first?.bytesForth == UInt64(data.count))
            listener.close()
        }
    }

    // Used on one loop only.
    private final class Outcomes: @unchecked Sendable { var all: [TransportSummary] = [] }
}

/// The text of a guest that makes recorded calls. A call with another result ends it: its function
/// returns -1000 less the number of the line.
struct RecordedGuest {
    private var functions = ""
    private var number = 0

    struct Malformed: Error { let line: String }

    private struct Call {
        let name: String
        let arguments: [Int]
        /// Nil for none.
        let result: Int?
        let isStart: Bool
        let isReturn: Bool

        /// `fd_read(5,64728,1,64724)=6`, `CALL _water_dial(3)=`, `RETURN _water_dial()=4`
        init(_ line: String) throws {
            let words = line.split(separator: " ")
            isStart = words.first == "CALL"
            isReturn = words.first == "RETURN"
            guard let text = words.last, let open = text.firstIndex(of: "("),
                let close = text.lastIndex(of: ")")
            else { throw Malformed(line: line) }
            name = String(text[..<open])
            arguments = text[text.index(after: open)..<close].split(separator: ",").compactMap {
                Int($0)
            }
            result = Int(text[close...].dropFirst(2))
        }
    }

    /// Parameters of the functions that are imported from WASI.
    private static let parameters = [
        "fd_prestat_get": 2, "args_sizes_get": 2, "fd_fdstat_get": 2, "fd_fdstat_set_flags": 2,
        "environ_sizes_get": 2, "fd_write": 4, "fd_read": 4, "poll_oneoff": 4, "random_get": 2,
        "fd_close": 1,
    ]

    init(_ lines: [String]) throws {
        let calls = try lines.filter { $0 != "..." }.map { try Call($0) }
        for (index, call) in calls.enumerated() {
            number = index
            let rest = calls[(index + 1)...]
            if call.isStart {
                let count = call.arguments.count
                let isStart = call.name == "_start"
                functions += "(func (export \"\(call.name)\")"
                functions += count > 0 ? " (param i32)" : ""
                functions += isStart ? "\n" : " (result i32)\n"
                // The recorded descriptors are those that the host gives here.
                for (place, value) in call.arguments.enumerated() {
                    check("(i32.eq (local.get \(place)) (i32.const \(value)))")
                }
            } else if call.isReturn {
                functions += call.result.map { "(i32.const \($0)))\n" } ?? ")\n"
            } else {
                add(call, before: rest)
            }
        }
    }

    private mutating func check(_ condition: String) {
        functions += "(if (i32.eqz \(condition)) (then (return (i32.const \(-1000 - number)))))\n"
    }

    private mutating func add(_ call: Call, before rest: ArraySlice<Call>) {
        switch call.name {
        case "host_defer": functions += "(call $host_defer)\n"
        case "poll_oneoff": addPoll(call, before: rest)
        default:
            if call.name == "fd_read" || call.name == "fd_write", call.arguments.count == 4 {
                let isStandard = call.arguments[0] < 3
                let count =
                    call.name == "fd_read"
                    ? "(i32.const 16384)" : isStandard ? "(i32.const 1)" : "(global.get $n)"
                functions += "(i32.store (i32.const \(call.arguments[1])) (i32.const 1900000))\n"
                functions += "(i32.store (i32.const \(call.arguments[1] + 4)) \(count))\n"
            }
            var text = "(call $\(call.name)"
            for (place, argument) in call.arguments.enumerated() {
                let isLong = call.name == "clock_time_get" && place == 1
                text += isLong ? " (i64.const \(argument))" : " (i32.const \(argument))"
            }
            text += ")"
            checkResult(of: call, text, before: rest)
        }
    }

    /// `_start` returns nothing, so a wrong result traps there.
    private mutating func checkResult(of call: Call, _ text: String, before rest: ArraySlice<Call>)
    {
        let condition = "(i32.eq \(text) (i32.const \(call.result ?? 0)))"
        let isInStart = rest.first { $0.isReturn }?.name == "_start"
        if isInStart {
            functions += "(if (i32.eqz \(condition)) (then (unreachable)))\n"
        } else {
            check(condition)
        }
        guard call.name == "fd_read", call.result == 0 else { return }
        functions += "(global.set $n (i32.load (i32.const \(call.arguments[3]))))\n"
        // Bytes are written on at once; where none are, this was the end.
        let isEnd = rest.first?.name != "fd_write" || (rest.first?.arguments.first ?? 0) < 3
        check(isEnd ? "(i32.eqz (global.get $n))" : "(global.get $n)")
    }

    /// Waits as the recorded guest did: for a clock, for three descriptors, or for three descriptors in
    /// both directions until the one that is read next is ready.
    private mutating func addPoll(_ call: Call, before rest: ArraySlice<Call>) {
        let (input, output, count) = (call.arguments[0], call.arguments[1], call.arguments[2])
        let poll =
            "(call $poll_oneoff "
            + call.arguments.map { "(i32.const \($0))" }.joined(separator: " ") + ")"
        guard count > 1 else {
            functions += "(i64.store offset=24 (i32.const \(input)) (i64.const 10000000))\n"
            functions += "(i32.store offset=16 (i32.const \(input)) (i32.const 1))\n"
            return check("(i32.eqz \(poll))")
        }
        for index in 0..<count {
            let (descriptor, tag) = count == 3 ? (index + 3, 1) : (index / 2 + 3, index % 2 + 1)
            let place = input + index * 48
            functions += "(call $subscribe (i32.const \(place)) (i32.const \(descriptor)) "
            functions += "(i32.const \(tag)))\n"
        }
        guard count == 6, let next = rest.first(where: { $0.name == "fd_read" }) else {
            return check("(i32.eqz \(poll))")
        }
        functions += "(loop $again\(number)\n"
        check("(i32.eqz \(poll))")
        functions += """
            (br_if $again\(number) (i32.eqz (call $has (i32.const \(output))
              (i32.load (i32.const \(call.arguments[3]))) (i32.const \(next.arguments[0])))))
            )

            """
    }

    var text: String {
        let imports = Self.parameters.map { name, count in
            let parameters = Array(repeating: "i32", count: count).joined(separator: " ")
            return "(import \"wasi_snapshot_preview1\" \"\(name)\" "
                + "(func $\(name) (param \(parameters)) (result i32)))"
        }
        return """
            (module
              (import "env" "host_dial" (func $host_dial (result i32)))
              (import "env" "host_accept" (func $host_accept (result i32)))
              (import "env" "host_defer" (func $host_defer))
              (import "wasi_snapshot_preview1" "clock_time_get"
                (func $clock_time_get (param i32 i64 i32) (result i32)))
              \(imports.joined(separator: "\n"))
              (memory (export "memory") 32)
              (global $n (mut i32) (i32.const 0))
              (func (export "_water_v0"))
              (func $subscribe (param $at i32) (param $fd i32) (param $tag i32)
                (i64.store (local.get $at) (i64.extend_i32_u (local.get $fd)))
                (i32.store8 offset=8 (local.get $at) (local.get $tag))
                (i32.store offset=16 (local.get $at) (local.get $fd)))
              ;; whether one of the events says that the descriptor can be read
              (func $has (param $at i32) (param $count i32) (param $fd i32) (result i32)
                (loop $next
                  (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
                  (if (i32.and
                      (i32.eq (i32.load8_u offset=10 (local.get $at)) (i32.const 1))
                      (i32.eq (i32.load (local.get $at)) (local.get $fd)))
                    (then (return (i32.const 1))))
                  (local.set $at (i32.add (local.get $at) (i32.const 32)))
                  (local.set $count (i32.sub (local.get $count) (i32.const 1)))
                  (br $next))
                (unreachable))
              \(functions))
            """
    }
}
