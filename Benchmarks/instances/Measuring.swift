import Glibc
import Synchronization

/// How often things are done, of 100.
let percentage = max(1, CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100)

/// Microseconds of one `body` on average: the fastest of fifty series, `5 * count` in all. Short
/// series find moments in which nobody else runs.
func microseconds(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
    let count = max(1, count * percentage / 1000)
    var best = Double.infinity
    for _ in 0..<50 {
        let start = ContinuousClock.now
        for _ in 0..<count { try body() }
        best = min(best, (ContinuousClock.now - start) / .microseconds(count))
    }
    return best
}

private final class Work: Sendable {
    let body: @Sendable () throws -> Void
    let failures = Atomic<Int>(0)
    init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
}

/// Runs `body` on several threads at once; false if one threw.
func onThreads(_ count: Int, _ body: @escaping @Sendable () throws -> Void) -> Bool {
    let work = Work(body)
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let started = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                do {
                    try work.body()
                } catch {
                    work.failures.add(1, ordering: .relaxed)
                }
                return nil
            }, Unmanaged.passRetained(work).toOpaque())
        if started == 0 { threads.append(thread) }
    }
    for thread in threads { pthread_join(thread, nil) }
    return work.failures.load(ordering: .relaxed) == 0 && threads.count == count
}

/// Bytes of this process that are in memory.
func residentByteCount() -> Int {
    let file = open("/proc/self/statm", O_RDONLY)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = read(file, &bytes, bytes.count)
    let fields = bytes.prefix(max(0, count)).split(separator: 0x20)
    guard fields.count > 1 else { return 0 }
    return (Int(String(decoding: fields[1], as: UTF8.self)) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
}

/// Makes `count` things and keeps them; prints what each takes of the memory, in KiB.
func reportMemory<Thing>(_ title: String, _ count: Int, _ make: () throws -> Thing) rethrows {
    // What the first ones make for all does not count.
    let first = try (0..<10).map { _ in try make() }
    var kept: [Thing] = []
    kept.reserveCapacity(count)
    let before = residentByteCount()
    for _ in 0..<count { kept.append(try make()) }
    let each = Double(residentByteCount() - before) / Double(count) / 1024
    let padding = String(repeating: " ", count: max(1, 52 - title.count))
    print("\(title)\(padding)\((each * 10).rounded() / 10) KiB")
    withExtendedLifetime((first, kept)) {}
}

/// Prints a row: what was measured, and how long it took.
func report(_ title: String, _ microseconds: Double) {
    let rounded = (microseconds * 100).rounded() / 100
    let padding = String(repeating: " ", count: max(1, 52 - title.count))
    print("\(title)\(padding)\(rounded) µs")
}
