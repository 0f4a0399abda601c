import Glibc
import Synchronization
@_spi(Loops) import WasmInterpreter
import WasmText
import WasmWASI

/// What is promised of guests that wait.
enum Promises {
    static let threads = 2
    /// Bytes of memory for each, by Pss.
    static let byteCount = 24 << 10
    /// Of a core, while nothing happens.
    static let idleShare = 0.02
    /// Nanoseconds from an interruption to the guest's end, of 19 in 20: the machine may be shared.
    static let interruption: Int64 = 1_000_000
}

/// Many guests that echo on a socket each, one loop that waits for all of them.
final class House {
    private let count: Int
    private let loop: WaitLoop
    private let engine = Engine()
    private var guests: [Guest] = []
    private var clients: ClientProcess?
    /// Guests that have ended.
    private let ended = Counter()
    private var failures: [String] = []

    struct NoDescriptors: Error {}

    private struct Guest {
        let execution: Execution
        let handle: InterruptHandle
    }

    /// Reads from descriptor 3 and writes back what it read, until the end.
    private static let text = """
        (module
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (loop $again
              (i32.store (i32.const 0) (i32.const 64))
              (i32.store (i32.const 4) (i32.const 512))
              (br_if 1 (call $read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
              (br_if 1 (i32.eqz (i32.load (i32.const 8))))
              (i32.store (i32.const 4) (i32.load (i32.const 8)))
              (br_if 1 (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
              (br $again))))
        """

    init(guests count: Int) throws {
        self.count = count
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard let loop = WaitLoop() else { throw NoDescriptors() }
        self.loop = loop
    }

    /// Runs everything; false if a promise is broken.
    func measure() throws -> Bool {
        let module = try Module(parseModule(Array(Self.text.utf8)), engine: engine)
        var ends: [(near: Int32, far: Int32)] = []
        for _ in 0..<count {
            var pair: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else {
                throw NoDescriptors()
            }
            _ = fcntl(pair[0], F_SETFD, FD_CLOEXEC)
            ends.append((pair[0], pair[1]))
        }
        let clients = try ClientProcess(ends.map(\.far))
        self.clients = clients
        // The first guest pays for what all share.
        let shared = try makeGuest(module, nil)
        try withExtendedLifetime(shared) {
            let before = try memoryByteCount()
            for (near, _) in ends { guests.append(try makeGuest(module, near)) }
            for guest in guests { drive(guest.execution) }
            check("guests that wait", guests.count - ended.value, atLeast: count)
            for _ in 0..<3 { round(clients) }
            let each = (try memoryByteCount() - before) / count
            check("bytes for each", each, atMost: Promises.byteCount)
        }
        measureIdling()
        measureInterruptions()
        clients.end()
        while loop.hasWatches { loop.runOnce() }
        check("guests that ended", ended.value, atLeast: count)
        for failure in failures { print("FAILED: \(failure)") }
        return failures.isEmpty
    }

    private func makeGuest(_ module: Module, _ socket: Int32?) throws -> Guest {
        var wasi = WASI()
        wasi.standardInput = .null
        wasi.standardOutput = .null
        wasi.standardError = .null
        let linker = Linker()
        let world = try linker.define(wasi)
        if let socket { _ = try world.insert(owning: socket) }
        let store = Store(engine: engine)
        let instance = try linker.instantiate(module, in: store)
        guard let start = instance.function("_start") else { throw NoDescriptors() }
        return Guest(execution: try start.start(), handle: store.interruptHandle)
    }

    /// Lets a guest go on until it waits again or ends.
    private func drive(_ execution: Execution) {
        if case .suspended(.wait)? = try? execution.resume() {
            loop.watch(execution) { [self] in drive(execution) }
        } else {
            ended.increase()
        }
    }

    // MARK: Measuring

    private func round(_ clients: ClientProcess) {
        let start = ContinuousClock.now
        var isOver = false
        var wait = Wait()
        wait.add(clients.answers, .reading)
        loop.watch(wait, []) { isOver = true }
        clients.beginRound()
        while !isOver { loop.runOnce() }
        if !clients.endRound() { failures.append("an echo is wrong") }
        print("echo of all: \(ContinuousClock.now - start)")
    }

    /// Nothing happens for a second.
    private func measureIdling() {
        let before = processorTime()
        let end = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < end { loop.runOnce(nanoseconds: 1_000_000_000) }
        let share = processorTime() - before
        print("processor time of an idle second: \(share) s")
        if share > Promises.idleShare { failures.append("idle guests take \(share) of a core") }
    }

    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Another thread interrupts one guest after the other, and waits for the end of each.
    private func measureInterruptions() {
        let chosen = stride(from: 0, to: count, by: max(count / 100, 1)).map { guests[$0].handle }
        let interrupter = Interrupter(chosen, ended)
        interrupter.start()
        while !interrupter.isDone { loop.runOnce(nanoseconds: 10_000_000) }
        check("threads", interrupter.threadCount, atMost: Promises.threads)
        let times = interrupter.times.sorted()
        guard let last = times.last else { return }
        let usual = times[times.count * 19 / 20]
        print("interruptions: median \(times[times.count / 2]), longest \(last) ns")
        check(
            "nanoseconds of 19 in 20 interruptions", Int(usual), atMost: Int(Promises.interruption))
    }

    private func check(_ name: String, _ value: Int, atMost limit: Int = .max, atLeast: Int = 0) {
        print("\(name): \(value)")
        if value > limit { failures.append("\(name): \(value) is more than \(limit)") }
        if value < atLeast { failures.append("\(name): \(value) is less than \(atLeast)") }
    }

    /// What the process takes, where shared pages count in proportion.
    private func memoryByteCount() throws -> Int {
        guard let file = fopen("/proc/self/smaps_rollup", "r") else { throw NoDescriptors() }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
            let words = text.split(separator: " ")
            if words.first == "Pss:", words.count > 1 { return (Int(words[1]) ?? 0) << 10 }
        }
        throw NoDescriptors()
    }
}

/// A number that two threads look at.
final class Counter: Sendable {
    private let number = Atomic(0)
    var value: Int { number.load(ordering: .sequentiallyConsistent) }
    func increase() { number.add(1, ordering: .sequentiallyConsistent) }
}

/// A thread that interrupts guests one after the other, and takes the time until each has ended.
private final class Interrupter: @unchecked Sendable {
    private let handles: [InterruptHandle]
    private let ended: Counter
    private let done = Atomic(false)
    /// Nanoseconds; filled by the thread until it is done.
    private var measured: [Int64] = []
    private var threads = 0

    init(_ handles: [InterruptHandle], _ ended: Counter) {
        self.handles = handles
        self.ended = ended
    }

    var isDone: Bool { done.load(ordering: .acquiring) }
    var times: [Int64] { isDone ? measured : [] }
    /// Threads of the process while this one ran.
    var threadCount: Int { isDone ? threads : 0 }

    func start() {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Interrupter>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument)
        guard code == 0 else { return done.store(true, ordering: .releasing) }
        pthread_detach(thread)
    }

    private func run() {
        if let folder = opendir("/proc/self/task") {
            while let entry = readdir(folder) {
                if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { threads += 1 }
            }
            closedir(folder)
        }
        for handle in handles {
            let before = ended.value
            let start = ContinuousClock.now
            handle.interrupt()
            while ended.value == before, ContinuousClock.now - start < .seconds(10) {
                sched_yield()
            }
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            measured.append(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
            // The loop goes back to sleep.
            usleep(500)
        }
        done.store(true, ordering: .releasing)
    }
}
