import Glibc
import Testing

/// What a process printed and how it ended.
struct ProcessResult {
    var status: Int32
    var output: String
    var error: String
    var outputBytes: [UInt8]
}

struct ProcessFailure: Error { let errno: Int32 }

/// Runs a program to its end. `status` is its exit code, or 128 and the signal that ended it.
///
/// - Parameter signal: sent once the program has printed something to standard output: when it got
///   that far is known then, however slow the machine is.
func run(
    _ program: String, _ arguments: [String], input: [UInt8] = [], folder: String? = nil,
    environment: [String] = ["PATH=/usr/bin:/bin", "LC_ALL=C"], signal: Int32? = nil
) throws -> ProcessResult {
    let files = try (0..<3).map { _ in try TemporaryFile() }
    defer { files.forEach { $0.close() } }
    try files[0].write(input)

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, file) in files.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, file.descriptor, Int32(target))
    }

    // Threads of tests block signals, which a program would inherit.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    // The shell goes to the folder: not every C library can do that when it starts a process.
    let script = "cd \"$0\" && exec \"$@\""
    let line =
        folder.map { ["/bin/sh", "-c", script, $0, program] + arguments } ?? [program] + arguments
    var words = line.map { strdup($0) } + [nil]
    var variables = environment.map { strdup($0) } + [nil]
    defer { (words + variables).forEach { free($0) } }
    var process = pid_t()
    let failure = posix_spawn(&process, line[0], &actions, &attributes, &words, &variables)
    guard failure == 0 else { throw ProcessFailure(errno: failure) }

    var status: Int32 = 0
    var hasEnded = false
    if let signal {
        while files[1].size == 0, !hasEnded {
            usleep(10_000)
            hasEnded = waitpid(process, &status, WNOHANG) == process
        }
        if !hasEnded { kill(process, signal) }
    }
    while !hasEnded {
        hasEnded = waitpid(process, &status, 0) == process
        guard hasEnded || errno == EINTR else { throw ProcessFailure(errno: errno) }
    }
    let ending = status & 0x7f
    let output = try files[1].contents()
    return ProcessResult(
        status: ending == 0 ? status >> 8 & 0xff : 128 + ending,
        output: String(decoding: output, as: UTF8.self),
        error: String(decoding: try files[2].contents(), as: UTF8.self), outputBytes: output)
}

/// A line of bash that closes what it inherited besides the standard streams: tests that run beside
/// its own may have descriptors open that children get.
let closingOtherDescriptors =
    "for n in /proc/$$/fd/*; do n=${n##*/}; ((n < 3)) || exec {n}>&-; done; "

/// A file without a name, which cannot fill up as a pipe does.
private struct TemporaryFile {
    let descriptor: Int32

    init() throws {
        let path = "/tmp/wasmd-tests-\(UInt64.random(in: 0 ... .max))"
        // Other processes that are started meanwhile do not inherit it.
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ProcessFailure(errno: errno) }
        unlink(path)
    }

    func write(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(
                    descriptor, buffer.baseAddress.map { $0 + written }, bytes.count - written)
            }
            guard count > 0 else { throw ProcessFailure(errno: errno) }
            written += count
        }
        lseek(descriptor, 0, SEEK_SET)
    }

    /// Without moving the place at which the program writes.
    var size: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    func contents() throws -> [UInt8] {
        let size = size
        guard size > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, 0))
        }
    }

    func close() { Glibc.close(descriptor) }
}
