// Measures what limits cost and how fast they hold:
//
//     swift run -c release --package-path Benchmarks measure-limits [ROUNDS]
//     swift run -c release --package-path Benchmarks measure-limits --deadlines [ROUNDS [WORD...]]
//
// - how long a guest goes on after `InterruptHandle.interrupt()`, by what it does;
// - what a deadline costs that is armed and not reached;
// - what it takes to suspend a guest and to resume it.
//
// With `--deadlines` how long guests of embedders go on after a deadline: rows for
// `Benchmarks/overshoot`.

import Glibc
import Synchronization
import WasmInterpreter
import WasmText

let guests: [(name: String, fields: String)] = [
    ("loop", #"(func (export "run") (loop $l (br $l)))"#),
    (
        "recursion",
        """
        (func $f (param i32) (if (local.get 0)
          (then (call $f (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "run") (loop $l (call $f (i32.const 1000)) (br $l)))
        """
    ),
    (
        "straight code, cold memory",
        """
        (memory 1024)
        (func (export "run") (local $i i32) (loop $l
          \(String(repeating: """
              (local.set $i (i32.load (i32.and (i32.const 0x3ffffff)
                (i32.add (i32.const 12345678) (i32.mul (local.get $i) (i32.const 1664525))))))
              (i32.store (local.get $i) (local.get $i))
              """, count: 60))
          (br $l)))
        """
    ),
    (
        "memory.fill of 1 GiB",
        """
        (memory 16384)
        (func (export "run") (loop $l
          (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x40000000)) (br $l)))
        """
    ),
    (
        "memory.copy of 60 KiB",
        """
        (memory 1024)
        (func (export "run") (loop $l
          (memory.copy (i32.const 0) (i32.const 0x1000000) (i32.const 61440)) (br $l)))
        """
    ),
    (
        "table.fill of 80 MB",
        """
        (table 10000000 funcref)
        (func (export "run") (loop $l
          (table.fill (i32.const 0) (ref.null func) (i32.const 10000000)) (br $l)))
        """
    ),
    (
        "array.new of 400 MB",
        """
        (type $a (array (mut i64)))
        (func (export "run") (loop $l
          (drop (array.new $a (i64.const 7) (i32.const 50000000))) (br $l)))
        """
    ),
    (
        "collections of 200 MB",
        """
        (type $node (struct (field (ref null $node)) (field (ref null $node))))
        (func $tree (param i32) (result (ref null $node))
          (if (result (ref null $node)) (local.get 0)
            (then (struct.new $node (call $tree (i32.sub (local.get 0) (i32.const 1)))
              (call $tree (i32.sub (local.get 0) (i32.const 1)))))
            (else (ref.null $node))))
        (global $kept (mut (ref null $node)) (ref.null $node))
        (func (export "prepare") (global.set $kept (call $tree (i32.const 23))))
        (func (export "run") (loop $l
          (drop (call $tree (i32.const 18))) (br $l)))
        """
    ),
    (
        "memory.atomic.wait",
        """
        (memory 1 1 shared)
        (func (export "run")
          (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
        """
    ),
]

let clock = ContinuousClock()
let start = clock.now

/// Nanoseconds since the program began.
func now() -> Int64 {
    let (seconds, attoseconds) = start.duration(to: clock.now).components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
}

func instantiate(_ fields: String, _ linker: Linker = Linker()) throws -> Instance {
    let engine = Engine()
    let module = try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
    return try linker.instantiate(module, in: Store(engine: engine))
}

/// Nanoseconds from interruptions to the ends of calls, sorted.
func latencies(_ instance: Instance, rounds: Int) throws -> [Int64] {
    guard let run = instance.function("run") else { return [] }
    let handle = instance.store.interruptHandle
    var latencies: [Int64] = []
    for round in 0..<rounds {
        let moment = Moment()
        Task.detached {
            try await Task.sleep(for: .microseconds(3000 + 977 * (round % 13)))
            moment.asked.store(now(), ordering: .releasing)
            handle.interrupt()
        }
        do {
            _ = try run.call()
        } catch let trap as Trap where trap.code == .interrupted {
            latencies.append(now() - moment.asked.load(ordering: .acquiring))
        }
    }
    return latencies.sorted()
}

final class Moment: Sendable {
    let asked = Atomic<Int64>(0)
}

func milliseconds(_ nanoseconds: Int64) -> String {
    let micros = nanoseconds / 1000
    let fraction = String(1000 + micros % 1000).dropFirst()
    return "\(micros / 1000).\(fraction)"
}

func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
}

func measureInterruptions(rounds: Int) throws {
    print("milliseconds from interrupt() to the end of the call")
    print(padded("", 28), padded("median", 9), padded("90 %", 9), padded("99 %", 9), "longest")
    for (name, fields) in guests {
        let instance = try instantiate(fields)
        _ = try instance.function("prepare")?.call()
        let sorted = try latencies(instance, rounds: rounds)
        guard let longest = sorted.last else { continue }
        let columns = [50, 90, 99].map { percent in
            padded(milliseconds(sorted[sorted.count * percent / 100]), 9)
        }
        print(padded(name, 28), columns.joined(separator: " "), milliseconds(longest))
    }
}

/// Times of `body` with and without a deadline, by turns; medians.
func measureArmed(rounds: Int) throws {
    let instance = try instantiate(
        """
        (func $fib (export "fib") (param i32) (result i32)
          (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
              (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func (export "loop") (param i32) (result i32) (local i32)
          (loop $l
            (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 31)) (local.get 0)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
          (local.get 1))
        """)
    for (name, argument) in [("fib", Int32(30)), ("loop", 20_000_000)] {
        guard let function = instance.function(Name(name)) else { continue }
        var times: [[Int64]] = [[], []]
        for round in 0..<(2 * rounds) {
            instance.store.deadline = round % 2 == 0 ? nil : .now + .seconds(3600)
            let begin = now()
            _ = try function.call([.i32(argument)])
            times[round % 2].append(now() - begin)
        }
        let medians = times.map { $0.sorted()[$0.count / 2] }
        print(
            padded(name, 28), "free", milliseconds(medians[0]), "ms, with deadline",
            milliseconds(medians[1]), "ms:",
            "\(Double(medians[1] * 1000 / max(1, medians[0])) / 10 - 100) %")
    }
}

/// What it takes to leave a guest at a host function and to go on.
func measureSuspension() throws {
    let linker = Linker()
    linker.define("env", "wait") { (_: borrowing Caller) -> Int32 in throw Suspension(0) }
    let instance = try instantiate(
        """
        (import "env" "wait" (func $wait (result i32)))
        (func (export "run") (loop $l (br_if $l (call $wait))))
        """, linker)
    guard let run = instance.function("run") else { return }
    let count: Int64 = 200_000
    let execution = try run.start()
    _ = try execution.resume()
    var begin = now()
    for _ in 0..<count { _ = try execution.resume(returning: [.i32(1)]) }
    print(padded("suspend and resume", 28), (now() - begin) / count, "ns")
    begin = now()
    for _ in 0..<count {
        let execution = try run.start()
        _ = try execution.resume()
        _ = try execution.resume(returning: [.i32(0)])
    }
    print(padded("start, wait once, finish", 28), (now() - begin) / count, "ns")
}

if CommandLine.arguments.dropFirst().first == "--deadlines" {
    let words = CommandLine.arguments.dropFirst(2)
    try measureDeadlines(
        rounds: words.first.flatMap { Int($0) } ?? 5, words: Array(words.dropFirst()))
    exit(0)
}
let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100
try measureInterruptions(rounds: rounds)
print()
try measureArmed(rounds: min(rounds, 11))
print()
try measureSuspension()
