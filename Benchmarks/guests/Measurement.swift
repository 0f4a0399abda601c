import Glibc
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

struct Settings {
    var count = 1000
    var isEager = false
    var settling = 15
}

/// What is promised of guests that wait; all but the first two for each of them.
enum Promises {
    static let threads = 4
    /// Of a core, while nothing happens.
    static let idleShare = 0.02
    /// Beside what the guest wrote to its memory.
    static let memory = 24 << 10
    static let pageTables = 16 << 10
    static let mappings = 6.0
    static let descriptors = 2.0
}

/// What the process takes.
struct Usage {
    /// Bytes, where shared pages count in proportion: smaps_rollup.
    var memory = 0
    /// The part of it that is memory of guests: of instances that are forks, so that the first page is
    /// one of a file, and more follow.
    var guestMemory = 0
    var pageTables = 0
    var mappings = 0
    var descriptors = 0
    var threads = 0

    static func now() throws -> Usage {
        var usage = Usage()
        usage.memory = try number("Pss:", in: "/proc/self/smaps_rollup") << 10
        usage.pageTables = try number("VmPTE:", in: "/proc/self/status") << 10
        usage.threads = try number("Threads:", in: "/proc/self/status")
        usage.mappings = try lines("/proc/self/maps").count
        var end: Substring = ""
        var isGuests = false
        for line in try lines("/proc/self/smaps") {
            let words = line.split(separator: " ")
            if let range = words.first, range.contains("-"), !range.hasSuffix(":") {
                let ends = range.split(separator: "-")
                isGuests = line.contains("/memfd:wasmd") || isGuests && ends.first == end
                end = ends.last ?? ""
            } else if isGuests, words.first == "Pss:", words.count > 1 {
                usage.guestMemory += (Int(words[1]) ?? 0) << 10
            }
        }
        usage.descriptors = entryCount("/proc/self/fd")
        return usage
    }

    private static func number(_ name: String, in path: String) throws -> Int {
        for line in try lines(path) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count > 1, words[0] == name { return Int(words[1]) ?? 0 }
        }
        return 0
    }

    private static func lines(_ path: String) throws -> [Substring] {
        guard let file = fopen(path, "r") else { throw SystemError(code: errno) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&part, 1, part.count, file)
            if count == 0 { break }
            bytes += part[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    private static func entryCount(_ path: String) -> Int {
        guard let folder = opendir(path) else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        return count
    }
}

/// One loop, a guest for each connection.
final class Measurement: @unchecked Sendable {
    private let settings: Settings
    private var failures: [String] = []
    /// Guests that have begun and not ended.
    private var running = 0
    private var exits: [UInt32: Int] = [:]
    private var refusals: [String] = []
    private var cancels: [MemorySocket] = []

    init(_ settings: Settings) {
        self.settings = settings
        signal(SIGPIPE, SIG_IGN)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Runs everything; false if a promise is broken.
    func run() throws -> Bool {
        let program = try GuestProgram(Module(path: guestPath(), engine: Engine()))
        let path = "/tmp/measure-guests.\(getpid())"
        defer { unlink(path) }
        return try EventLoop().run { [self] loop in
            let guests = try GuestLoop(loop)
            guests.socketLimit = settings.count + 1
            let listener = try Listener(.unix(Array(path.utf8)), on: loop)
            loop.spawn { [self] in await accept(listener, program, guests) }
            try await measure(path, loop)
            listener.close()
            return failures.isEmpty
        }
    }

    private func accept(_ listener: Listener, _ program: GuestProgram, _ guests: GuestLoop) async {
        while let stream = try? await listener.accept() {
            do {
                let socket = try KernelSocket(adopting: stream.release(), on: guests)
                start(program, socket, guests)
            } catch {
                refusals.append("\(error)")
            }
        }
    }

    private func start(_ program: GuestProgram, _ socket: KernelSocket, _ guests: GuestLoop) {
        let (cancel, guestsEnd) = MemorySocket.makePair(on: guests)
        cancels.append(cancel)
        socket.pair(with: socket)
        var world = WASI(arguments: ["guest", settings.isEager ? "eager" : "echo"])
        world.streams = [socket, guestsEnd]
        world.standardInput = .null
        world.standardOutput = .null
        world.standardError = .null
        var limits = GuestProgram.Limits()
        limits.time = nil
        let run: Run
        do {
            run = Run(executions: try program.begin(in: world, limits: limits))
        } catch {
            return failures.append("\(error)")
        }
        running += 1
        guests.loop.spawn { [self] in
            let outcome = await program.finish(run.executions, on: guests)
            running -= 1
            if case .exited(let code) = outcome {
                exits[code, default: 0] += 1
            } else {
                failures.append("\(outcome)")
            }
        }
    }

    private func measure(_ path: String, _ loop: EventLoop) async throws {
        // The first guest pays for what all share.
        let first = try ClientProcess(count: 1, path: path)
        try await answer(first, loop)
        try await round([first], loop)
        let before = try Usage.now()
        let half = settings.count / 2
        let clients = [
            try ClientProcess(count: half, path: path),
            try ClientProcess(count: settings.count - half, path: path),
        ]
        for process in clients { try await answer(process, loop) }
        for _ in 0..<3 { try await round(clients, loop) }
        check("guests that wait", running - 1, atLeast: settings.count)
        report(before, try Usage.now())
        try await measureIdling(loop)
        try await round(clients, loop)

        let more = try ClientProcess(count: 1, path: path)
        try await wait(loop) { !self.refusals.isEmpty }
        print("one more: \(refusals.first ?? "accepted")")
        if refusals.isEmpty { failures.append("one more was not refused") }

        for process in clients + [first, more] { process.end() }
        let start = ContinuousClock.now
        try await wait(loop) { self.running == 0 }
        print("all clients gone; their guests ended after \(ContinuousClock.now - start)")
        check("guests that are left", running, atMost: 0)
        check("guests that ended by themselves", exits[0] ?? 0, atLeast: settings.count + 1)
        cancels = []
        let after = try Usage.now()
        check("descriptors that are left", after.descriptors - before.descriptors, atMost: 2)
        for failure in failures { print("FAILED: \(failure)") }
    }

    private func report(_ before: Usage, _ after: Usage) {
        func each(_ part: KeyPath<Usage, Int>) -> Double {
            Double(after[keyPath: part] - before[keyPath: part]) / Double(settings.count)
        }
        check("threads", after.threads, atMost: Promises.threads)
        print("bytes of memory for each: \(Int(each(\.memory)))")
        check(
            "bytes of memory for each, beside what the guest wrote",
            Int(each(\.memory) - each(\.guestMemory)), atMost: Promises.memory)
        check("bytes of page tables for each", Int(each(\.pageTables)), atMost: Promises.pageTables)
        check("mappings for each", each(\.mappings), Promises.mappings)
        // The clients' pipes are not a guest's.
        check("descriptors for each", each(\.descriptors), Promises.descriptors)
    }

    private func measureIdling(_ loop: EventLoop) async throws {
        try await loop.sleep(for: .seconds(settings.isEager ? settings.settling : 1))
        let before = processorTime()
        let passes = loop.passCount
        // As long, so that it has the next time when all are told.
        let time = settings.isEager ? settings.settling : 3
        try await loop.sleep(for: .seconds(time))
        let share = (processorTime() - before) / Double(time)
        print("processor time while idle: \(share) of a core, \(loop.passCount - passes) polls")
        if share > Promises.idleShare { failures.append("idle guests take \(share) of a core") }
    }

    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func round(_ clients: [ClientProcess], _ loop: EventLoop) async throws {
        let start = ContinuousClock.now
        let before = processorTime()
        for process in clients { process.beginRound() }
        for process in clients { try await answer(process, loop) }
        print(
            "echo of all: \(ContinuousClock.now - start), processor time "
                + "\(processorTime() - before) s")
    }

    private func answer(_ process: ClientProcess, _ loop: EventLoop) async throws {
        var answer: Bool?
        try await wait(loop) {
            answer = process.takeAnswer()
            return answer != nil
        }
        if answer != true { failures.append("an echo is wrong or missing") }
    }

    private func wait(_ loop: EventLoop, until condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while !condition(), ContinuousClock.now < end {
            try await loop.sleep(for: .milliseconds(5))
        }
    }

    private func check(_ name: String, _ value: Int, atMost limit: Int = .max, atLeast: Int = .min)
    {
        print("\(name): \(value)")
        if value > limit { failures.append("\(name): \(value) is more than \(limit)") }
        if value < atLeast { failures.append("\(name): \(value) is less than \(atLeast)") }
    }

    private func check(_ name: String, _ value: Double, _ limit: Double) {
        print("\(name): \(value)")
        // A pipe and a timer more or less are not a guest's.
        if value > limit + 0.05 { failures.append("\(name): \(value) is more than \(limit)") }
    }
}

/// Executions that are handed to their task, on the same thread.
private struct Run: @unchecked Sendable {
    let executions: [Execution]
}

/// The guest beside the source of this program.
func guestPath() -> String {
    let file = #filePath
    return String(file.prefix(upTo: file.lastIndex(of: "/") ?? file.startIndex)) + "/guest.wasm"
}
