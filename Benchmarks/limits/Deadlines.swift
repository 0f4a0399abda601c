import Glibc
import WasmInterpreter
import WasmText
import WasmWASI

// How long guests of embedders go on after their deadline: rows for `Benchmarks/overshoot`.

/// A guest that never ends, with what it calls.
struct DeadlineCase: Sendable {
    let group: String
    let name: String
    let fields: String
    /// Defines what the guest imports, and prepares the store.
    var prepare: @Sendable (Linker, Store) throws -> Void = { _, _ in }
}

/// Makes the machine hand out the largest budget at once.
private let warm = """
    (func $warm (local $i i32)
      (loop $l (br_if $l (i32.lt_u
        (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 300000)))))
    """

private func endless(_ imports: String, _ body: String, _ more: String = "") -> String {
    "\(imports) \(more) \(warm) (func (export \"run\") (call $warm) (loop $l \(body) (br $l)))"
}

private let work = #"(import "env" "work" (func $work))"#

/// A function of the host that takes 200 µs.
@Sendable private func slowly(_ linker: Linker, _: Store) {
    linker.define("env", "work") { (_: borrowing Caller) in _ = usleep(200) }
}

/// Imports of WASI's functions, given as a name and the types of the parameters.
private func wasi(_ functions: [String]) -> String {
    functions.map { function in
        let words = function.split(separator: " ")
        let name = words[0], types = words.dropFirst().joined(separator: " ")
        return """
            (import "wasi_snapshot_preview1" "\(name)"
              (func $\(name) (param \(types)) (result i32)))
            """
    }.joined()
}

private let open = "path_open i32 i32 i32 i32 i32 i64 i64 i32 i32"

/// A folder in memory with a large file "f" and 200,000 small ones.
@Sendable private func memoryFolder(_ linker: Linker, _: Store) throws {
    let folder = MemoryFolder(byteLimit: 1 << 30)
    var world = WASI()
    world.folders = [.init(folder, guestPath: "/")]
    try linker.define(world)
    try folder.write(Array(repeating: 1, count: 100 << 20), to: "f")
    for index in 0..<200_000 { try folder.write([], to: "many/\(index)") }
}

private let openFile = """
    (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 1)
      (i32.const 1) (i64.const 0x1fffffff) (i64.const 0x1fffffff) (i32.const 0) (i32.const 1008)))
    """
private let memory = #"(memory 4096) (data (i32.const 1000) "f") (data (i32.const 1010) "many")"#

private final class SlowClosures: StoreLimiter, StoreObserver {
    func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
        usleep(200)
        // The memory as it is at first, and nothing more.
        return current == 0
    }
    func didGrowMemory(_ growth: MemoryGrowth) { usleep(200) }
}

private nonisolated(unsafe) let closures = SlowClosures()

let deadlineCases: [DeadlineCase] = [
    DeadlineCase(
        group: "functions of embedders", name: "closures of 200 µs",
        fields: endless(work, "(call $work)"), prepare: slowly),
    DeadlineCase(
        group: "functions of embedders", name: "closures of 0.02 µs",
        fields: endless(work, "(call $work)"),
        prepare: { linker, _ in linker.define("env", "work") { (_: borrowing Caller) in } }),
    DeadlineCase(
        group: "functions of embedders", name: "functions on slots, by call_indirect",
        fields: endless(
            work, "(call_indirect (type $t) (i32.const 0))",
            "(type $t (func)) (table funcref (elem $work))"),
        prepare: { linker, _ in linker.defineFunction("env", "work") { _, _ in _ = usleep(200) } }),
    DeadlineCase(
        group: "functions of embedders", name: "closures by call_ref",
        fields: endless(
            work, "(call_ref $t (ref.func $work))", "(type $t (func)) (elem declare func $work)"),
        prepare: slowly),
    DeadlineCase(
        group: "functions of embedders", name: "closures by return_call",
        fields: endless(work, "(call $tail)", "(func $tail (return_call $work))"),
        prepare: slowly),
    DeadlineCase(
        group: "functions of embedders", name: "closures by a function of another instance",
        fields: endless(work, "(call $work)"),
        prepare: { linker, store in
            slowly(linker, store)
            let module = try Module(
                parseModule(Array("(module \(work) (func (export \"work\") (call $work)))".utf8)),
                engine: store.engine)
            let other = try linker.instantiate(module, in: store)
            if let function = other.function("work") {
                linker.define("env", "work", .function(function))
            }
        }),
    DeadlineCase(
        group: "functions of embedders", name: "closures that throw what the guest catches",
        fields: endless(
            work + #"(import "env" "tag" (tag $tag))"#,
            "(block $h (try_table (catch $tag $h) (call $work)))"),
        prepare: { linker, store in
            let tag = Tag(store: store, parameters: [])
            linker.define("env", "tag", .tag(tag))
            linker.define("env", "work") { (_: borrowing Caller) in
                usleep(200)
                throw try Exception(tag: tag)
            }
        }),
    DeadlineCase(
        group: "functions of embedders", name: "a limiter of 200 µs",
        fields: endless("", "(drop (memory.grow (i32.const 1)))", "(memory 1)"),
        prepare: { _, store in store.limiter = closures }),
    DeadlineCase(
        group: "functions of embedders", name: "an observer of 200 µs",
        fields: endless("", "(drop (memory.grow (i32.const 1)))", "(memory 1)"),
        prepare: { _, store in store.observer = closures }),
    DeadlineCase(
        group: "folders in memory", name: "fd_pwrite of 200 MiB",
        fields: endless(
            wasi([open, "fd_pwrite i32 i32 i32 i64 i32"]),
            """
            (i32.store (i32.const 4) (i32.const 209715200))
            (drop (call $fd_pwrite (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0)
              (i32.const 8)))
            """, memory + "(func (export \"prepare\") \(openFile))"),
        prepare: memoryFolder),
    DeadlineCase(
        group: "folders in memory", name: "fd_pread of 100 MiB",
        fields: endless(
            wasi([open, "fd_pread i32 i32 i32 i64 i32"]),
            """
            (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 209715200))
            (drop (call $fd_pread (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0)
              (i32.const 8)))
            """, memory + "(func (export \"prepare\") \(openFile))"),
        prepare: memoryFolder),
    DeadlineCase(
        group: "folders in memory", name: "fd_filestat_set_size of 100 MiB, written in between",
        fields: endless(
            wasi([
                open, "fd_pwrite i32 i32 i32 i64 i32", "fd_filestat_set_size i32 i64",
            ]),
            """
            (i32.store (i32.const 4) (i32.const 104857600))
            (drop (call $fd_pwrite (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0)
              (i32.const 8)))
            (drop (call $fd_filestat_set_size (i32.const 4) (i64.const 0)))
            """, memory + "(func (export \"prepare\") \(openFile))"),
        prepare: memoryFolder),
    DeadlineCase(
        group: "folders in memory", name: "path_open of 1,000,000 new files",
        fields: endless(
            wasi([open, "fd_close i32"]),
            """
            (i64.store (i32.const 1000) (i64.extend_i32_u (local.get $i)))
            (i64.store (i32.const 1000) (i64.or (i64.const 0x0101010101010101) (i64.or
              (i64.shl (i64.extend_i32_u (i32.and (local.get $i) (i32.const 0x3fff))) (i64.const 8))
              (i64.shl (i64.extend_i32_u (i32.shr_u (local.get $i) (i32.const 14))) (i64.const 32)))))
            (local.set $i (i32.add (local.get $i) (i32.const 2)))
            (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 8)
              (i32.const 1) (i64.const 0x1fffffff) (i64.const 0x1fffffff) (i32.const 0)
              (i32.const 2000)))
            (drop (call $fd_close (i32.const 4)))
            """, memory
        ).replacing("(func (export \"run\")", with: "(func (export \"run\") (local $i i32)"),
        prepare: memoryFolder),
    DeadlineCase(
        group: "folders in memory", name: "fd_readdir of 200,000 entries",
        fields: endless(
            wasi([open, "fd_readdir i32 i32 i32 i64 i32"]),
            """
            (drop (call $fd_readdir (i32.const 4) (i32.const 65536) (i32.const 0x4000000)
              (i64.const 0) (i32.const 8)))
            """,
            memory
                + """
                (func (export "prepare")
                  (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1010) (i32.const 4)
                    (i32.const 2) (i64.const 0x1fffffff) (i64.const 0x1fffffff) (i32.const 0)
                    (i32.const 2000))))
                """),
        prepare: memoryFolder),
    DeadlineCase(
        group: "folders in memory", name: "fd_write of 200 MiB to an OutputBuffer",
        fields: endless(
            wasi(["fd_write i32 i32 i32 i32"]),
            """
            (i32.store (i32.const 4) (i32.const 209715200))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            """, memory),
        prepare: { linker, _ in
            var world = WASI()
            world.standardOutput = .buffer(OutputBuffer(limit: 2 << 30))
            try linker.define(world)
        }),
]

/// Prints a row for each case: group, name, and the median and longest overshoot of 100 ms in
/// milliseconds.
func measureDeadlines(rounds: Int, words: [String]) throws {
    for item in deadlineCases {
        let title = "\(item.group): \(item.name)"
        guard words.isEmpty || words.contains(where: { title.contains($0) }) else { continue }
        var times: [Int64] = []
        for _ in 0..<rounds {
            let engine = Engine()
            let store = Store(engine: engine)
            let linker = Linker()
            try item.prepare(linker, store)
            let module = try Module(
                parseModule(Array("(module \(item.fields))".utf8)), engine: engine)
            let instance = try linker.instantiate(module, in: store)
            _ = try instance.function("prepare")?.call()
            let start = now()
            store.deadline = .now + .milliseconds(100)
            do {
                _ = try instance.function("run")?.call()
            } catch let trap as Trap where trap.code == .deadlineExceeded {
                times.append(now() - start - 100_000_000)
            }
        }
        times.sort()
        guard let longest = times.last else { continue }
        let median = milliseconds(max(0, times[times.count / 2]))
        print(
            [item.group, item.name, median, milliseconds(max(0, longest))].joined(separator: "\t"))
    }
}
