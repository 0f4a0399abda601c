import WasmSystem
import WasmdEventLoop
import WasmdStorage

// What the store does in a second, and what it takes: see `measure`, which runs it beside SQLite.
//
//     measure-storage writes FOLDER SECONDS TASKS
//     measure-storage fill FOLDER RECORDS
//     measure-storage open FOLDER
//     measure-storage reads FOLDER SECONDS
//     measure-storage blobs FOLDER COUNT BYTES
//     measure-storage compaction FOLDER        of a folder that was filled

let arguments = CommandLine.arguments
guard arguments.count >= 3 else {
    print("usage: measure-storage writes|fill|open|reads|blobs|compaction FOLDER [NUMBER...]")
    CurrentProcess.exit(2)
}
let folder = Array(arguments[2].utf8)

func number(_ index: Int, _ standard: Int) -> Int {
    arguments.count > index ? Int(arguments[index]) ?? standard : standard
}

@Sendable func now() -> Double { Double(SystemClock.monotonic.now) / 1e9 }

/// A key of 36 bytes, as a UUID has, in no order.
@Sendable func key(_ number: Int) -> [UInt8] {
    var mixed = UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ mixed >> 29) &* 0xbf58_476d_1ce4_e5b9
    let digits = String(mixed | 1 << 63, radix: 16)
    let padding = String(repeating: "0", count: 36 - digits.count)
    return Array((digits + padding).utf8)
}

/// Resident memory that is no file, in bytes.
func memory() -> Int {
    guard let file = try? FileDescriptor(owning: Kernel.open("/proc/self/status", .readOnly)) else {
        return 0
    }
    var buffer = [UInt8](repeating: 0, count: 8192)
    let count = buffer.withUnsafeMutableBytes { (try? Kernel.read(file.number, $0)) ?? 0 }
    for line in String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("RssAnon:") {
        return (Int(line.split(separator: " ").dropLast().last ?? "") ?? 0) * 1024
    }
    return 0
}

func writer(
    _ store: RecordStore, _ task: Int, _ value: [UInt8], until end: Double
) -> @Sendable () async -> Int {
    {
        var count = 0
        while now() < end {
            var transaction = Transaction()
            transaction.put(key(task * 10_000_000 + count), value)
            do { try await store.commit(transaction) } catch { print(error) }
            count += 1
        }
        return count
    }
}

func writes() throws {
    let store = try RecordStore(folder: folder)
    let tasks = number(4, 64)
    let duration = Double(number(3, 3))
    let value = [UInt8](repeating: 7, count: 200)
    let loop = try EventLoop()
    let began = now()
    let total = try loop.run { loop in
        var running: [LoopTask<Int>] = []
        for task in 0..<tasks {
            running.append(loop.spawn(writer(store, task, value, until: began + duration)))
        }
        var total = 0
        for task in running { total += await task.value }
        return total
    }
    let seconds = now() - began
    print(Int(Double(total) / seconds), "writes/s")
    store.close()
}

func fill() throws {
    let store = try RecordStore(folder: folder)
    let value = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var transaction = Transaction()
    let count = number(3, 1_000_000)
    for index in 0..<count {
        // Each in a transaction of its own would be the same in the file but for 64 commits at once.
        transaction.put(key(index), value)
        if index % 64 == 63 {
            try store.commitBlocking(transaction)
            transaction = Transaction()
        }
    }
    try store.commitBlocking(transaction)
    store.close()
    print(store.statistics)
}

func open() throws {
    let before = memory()
    let began = now()
    let store = try RecordStore(folder: folder)
    let seconds = now() - began
    let count = store.statistics.records
    print(
        "\(count) records, \(seconds) s, \((memory() - before) / max(count, 1)) bytes each, peak \(CurrentProcess.peakMemory ?? 0) KiB"
    )
    print(store.report)
}

func reads() throws {
    let store = try RecordStore(folder: folder)
    let loop = try EventLoop()
    let count = store.statistics.records
    try loop.run { loop in
        let began = now()
        var done = 0
        var found = 0
        while now() - began < Double(number(3, 3)) {
            for _ in 0..<100 {
                if try await store.get(key(done &* 7919 % max(count, 1)), on: loop) != nil {
                    found += 1
                }
                done += 1
            }
        }
        print(Int(Double(done) / (now() - began)), "reads/s,", found, "found of", done)
    }
}

func blobs() throws {
    let store = try RecordStore(folder: folder)
    let count = number(3, 2000)
    var bytes = [UInt8](repeating: 1, count: number(4, 4096))
    let began = now()
    for index in 0..<count {
        bytes[0] = UInt8(truncatingIfNeeded: index)
        bytes[1] = UInt8(truncatingIfNeeded: index >> 8)
        _ = try store.blobs.put(bytes)
    }
    print(Int((now() - began) / Double(count) * 1e6), "microseconds for a blob")
    store.close()
}

/// How long writes and reads take while all of the store is compacted.
func compaction() throws {
    let store = try RecordStore(folder: folder)
    let isOver = WordCell()
    let began = now()
    let thread = SystemThread.start {
        let saved = try? store.compact()
        print("compacted in", now() - began, "s,", saved ?? -1, "bytes fewer")
        isOver.advance()
    }
    var writes: [Double] = []
    var reads: [Double] = []
    while isOver.value == 0 {
        var transaction = Transaction()
        transaction.put(key(writes.count % 1000), [1, 2, 3])
        let start = now()
        try store.commitBlocking(transaction)
        let middle = now()
        _ = try store.getBlocking(key(writes.count &* 7919 % 1_000_000))
        writes.append(middle - start)
        reads.append(now() - middle)
    }
    thread?.join()
    for (name, times) in [("writes", writes.sorted()), ("reads", reads.sorted())] {
        let parts = [0.5, 0.99, 0.999, 1].map { part in
            times[min(Int(Double(times.count) * part), times.count - 1)] * 1000
        }
        print(name, times.count, "ms at 50, 99, 99.9 and 100 %:", parts)
    }
    store.close()
}

Signals.ignoreWriteSignals()
switch arguments[1] {
case "writes": try writes()
case "fill": try fill()
case "open": try open()
case "reads": try reads()
case "compaction": try compaction()
default: try blobs()
}
