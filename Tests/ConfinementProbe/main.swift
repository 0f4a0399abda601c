// A program that restricts itself and then does what an attacker inside of it would, for the tests
// of `Confinement`. Also the helper process of the tests of `Spawner`.

import Glibc
import WasmSystem

@_silgen_name("syscall")
func systemCall(_ number: Int, _ a: Int, _ b: Int, _ c: Int, _ d: Int, _ e: Int, _ f: Int) -> Int

func call(_ number: Int, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0) -> String {
    systemCall(number, a, b, c, d, 0, 0) >= 0 ? "ok" : SystemError.ofLastCall.name
}

func say(_ name: String, _ result: String) { print("\(name): \(result)") }

func open(_ path: String, _ flags: Int32) -> String {
    let descriptor = Glibc.open(path, flags, 0o600)
    if descriptor < 0 { return SystemError.ofLastCall.name }
    close(descriptor)
    return "ok"
}

func connect(_ family: Int32, port: UInt16) -> String {
    let socket = Glibc.socket(family, Int32(SOCK_STREAM.rawValue), 0)
    if socket < 0 { return "socket \(SystemError.ofLastCall.name)" }
    defer { close(socket) }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafeBytes(of: &name) { bytes in
        Glibc.connect(
            socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
            socklen_t(bytes.count))
    }
    return result == 0 ? "ok" : SystemError.ofLastCall.name
}

#if arch(x86_64)
    let numbers = (
        execve: 59, execveat: 322, ptrace: 101, unshare: 272, setns: 308, mount: 165, kill: 62,
        bpf: 321, keyctl: 250, reading: 310, seccomp: 317, perf: 298, userfault: 323, clone: 56,
        chroot: 161, personality: 135, tgkill: 234, prctl: 157
    )
#else
    let numbers = (
        execve: 221, execveat: 281, ptrace: 117, unshare: 97, setns: 268, mount: 40, kill: 129,
        bpf: 280, keyctl: 219, reading: 270, seccomp: 277, perf: 241, userfault: 282, clone: 220,
        chroot: 51, personality: 92, tgkill: 131, prctl: 167
    )
#endif

/// Restricts itself to a folder and a port, and tries to get out.
func attack(_ folder: String, _ outside: String, _ port: UInt16) {
    var confinement = Confinement()
    confinement.landlock.allow(.path(Array(folder.utf8)), .readWrite)
    confinement.landlock.connectPorts = [port]
    confinement.landlock.bindPorts = []
    confinement.calls = Confinement.serverCalls(hasUnixSockets: false)
    let before = Glibc.open(outside + "/secret", O_RDONLY)
    do {
        say("enforced", try confinement.enforce().description)
    } catch {
        say("enforced", "\(error)")
        exit(1)
    }
    say("read inside", open(folder + "/inside", O_RDONLY))
    say("make inside", open(folder + "/made", O_WRONLY | O_CREAT))
    say("remove inside", unlink(folder + "/made") == 0 ? "ok" : SystemError.ofLastCall.name)
    say("list inside", open(folder, O_RDONLY | O_DIRECTORY))
    var byte: UInt8 = 0
    say("open before", pread(before, &byte, 1, 0) == 1 ? "ok" : "no")
    say("read /etc/passwd", open("/etc/passwd", O_RDONLY))
    say("read outside", open(outside + "/secret", O_RDONLY))
    say("read by ..", open(folder + "/../outside/secret", O_RDONLY))
    say("read by a link", open(folder + "/link", O_RDONLY))
    say("make outside", open(outside + "/made", O_WRONLY | O_CREAT))
    say("write outside", open(outside + "/secret", O_WRONLY | O_TRUNC))
    say("remove outside", unlink(outside + "/secret") == 0 ? "ok" : SystemError.ofLastCall.name)
    say(
        "move outside",
        rename(folder + "/inside", outside + "/x") == 0 ? "ok" : SystemError.ofLastCall.name)
    say("read memory", open("/proc/self/mem", O_RDWR))
    say("read by descriptor", open("/proc/self/fd/\(before)", O_RDONLY))

    let program = strdup("/bin/true")
    let path = Int(bitPattern: program)
    var list: [UnsafeMutablePointer<CChar>?] = [program, nil]
    let arguments = list.withUnsafeMutableBytes { Int(bitPattern: $0.baseAddress) }
    say("execve", call(numbers.execve, path, arguments, 0))
    say("execveat", call(numbers.execveat, -100, path, arguments, 0))
    say("new process", call(numbers.clone, Int(SIGCHLD)))
    say("new namespace by clone", call(numbers.clone, 0x1000_0000 | 0x1_0900))
    say("clone3", call(435, 0, 0))
    say("ptrace", call(numbers.ptrace, 0))
    say("unshare", call(numbers.unshare, 0x1000_0000))
    say("setns", call(numbers.setns, Int(before), 0))
    say("mount", call(numbers.mount, path, path, path))
    say("chroot", call(numbers.chroot, path))
    say("kill", call(numbers.kill, Int(getppid()), 0))
    say("tgkill outside", call(numbers.tgkill, Int(getppid()), Int(getppid()), 0))
    say("tgkill inside", call(numbers.tgkill, Int(getpid()), Int(getpid()), 0))
    say("bpf", call(numbers.bpf))
    say("keyctl", call(numbers.keyctl))
    say("process_vm_readv", call(numbers.reading, Int(getppid())))
    say("perf_event_open", call(numbers.perf))
    say("userfaultfd", call(numbers.userfault))
    say("io_uring_setup", call(425, 1, 0))
    say("pidfd_open", call(434, Int(getppid()), 0))
    say("another filter", call(numbers.seccomp, 1, 0, 0))
    say("personality", call(numbers.personality, 0x40000))
    say("dumpable", call(numbers.prctl, 4, 1))
    var character = CChar(65)
    say(
        "type into terminal",
        ioctl(0, 0x5412, &character) == 0 ? "ok" : SystemError.ofLastCall.name)
    var limit = rlimit(rlim_cur: 10, rlim_max: 10)
    say(
        "set a limit",
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
            ? "ok" : SystemError.ofLastCall.name)
    say("connect", connect(AF_INET, port: port))
    say("connect elsewhere", connect(AF_INET, port: port ^ 1))
    say("unix socket", connect(AF_UNIX, port: 0))
    say("netlink socket", connect(16, port: 0))
    say("packet socket", connect(17, port: 0))

    nonisolated(unsafe) var inThread = ""
    let started = SystemThread.start {
        inThread = open("/etc/passwd", O_RDONLY)
    }
    started?.join()
    say("thread", started == nil ? "none" : "ok")
    say("read /etc/passwd in it", inThread)
    // What a program needs goes on.
    say("random", (0..<3).allSatisfy { _ in UInt64.random(in: 0...9) < 10 } ? "ok" : "no")
    say("memory", [UInt8](repeating: 1, count: 64 << 20).count == 64 << 20 ? "ok" : "no")
}

/// Restricts itself as `wasmd serve` does, works, and tries to get out.
func serve(_ folder: String, _ port: UInt16) throws {
    let listener = try Kernel.listen(.ipv4([127, 0, 0, 1], port: 0))
    let opened = Glibc.open(folder + "/data", O_RDONLY | O_DIRECTORY)
    let path = { (name: String) in Array((folder + name).utf8) }
    say(
        "enforced",
        try Confinement.serving(
            [path("/site")], folders: [(path("/data"), false), (path("/kept"), true)]
        ).enforce().description)
    say("threads", count())
    // What a server does.
    say("read a module", open(folder + "/site/module", O_RDONLY))
    say("list the modules", open(folder + "/site", O_RDONLY | O_DIRECTORY))
    say("make data", open(folder + "/data/made", O_WRONLY | O_CREAT))
    say("remove data", unlinkat(opened, "made", 0) == 0 ? "ok" : SystemError.ofLastCall.name)
    say("read what is kept", open(folder + "/kept/file", O_RDONLY))
    do {
        _ = try Poller()
        say("poll", "ok")
    } catch {
        say("poll", "\(error)")
    }
    say("accept", accept(listener, nil, nil) < 0 ? SystemError.ofLastCall.name : "ok")
    say("copy a listener", dup(listener) >= 0 ? "ok" : SystemError.ofLastCall.name)
    let thread = SystemThread.start {
        say("read outside in a thread", open("/etc/passwd", O_RDONLY))
    }
    thread?.join()
    say("processors", availableProcessors() >= 1 ? "ok" : "none")
    // What it does not.
    say("write a module", open(folder + "/site/module", O_WRONLY))
    say("make a module", open(folder + "/site/other", O_WRONLY | O_CREAT))
    say("write what is kept", open(folder + "/kept/file", O_WRONLY))
    say("read outside", open(folder + "/secret", O_RDONLY))
    say("read hosts", open("/etc/hosts", O_RDONLY))
    say("read memory", open("/proc/self/mem", O_RDWR))
    say("socket", connect(AF_INET, port: port))
    say("unix socket", connect(AF_UNIX, port: 0))
    say("listen", (try? Kernel.listen(.ipv4([127, 0, 0, 1], port: 0))) == nil ? "refused" : "ok")
    let program = strdup("/bin/true")
    var list: [UnsafeMutablePointer<CChar>?] = [program, nil]
    let arguments = list.withUnsafeMutableBytes { Int(bitPattern: $0.baseAddress) }
    say("execve", call(numbers.execve, Int(bitPattern: program), arguments, 0))
    say("new process", call(numbers.clone, Int(SIGCHLD)))
    say("ptrace", call(numbers.ptrace, 0))
    say("kill", call(numbers.kill, Int(getppid()), 0))
}

func count() -> String { CurrentProcess.threadCount.map { "\($0)" } ?? "?" }

let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case SpawnerProcess.verb:
    _ = SpawnerProcess.run(programs: arguments.dropFirst(2).map { Array($0.utf8) }, limit: 8)
case "attack" where arguments.count == 5:
    attack(arguments[2], arguments[3], UInt16(arguments[4]) ?? 1)
case "serve" where arguments.count == 4:
    do { try serve(arguments[2], UInt16(arguments[3]) ?? 1) } catch { say("failed", "\(error)") }
case "threads":
    let thread = SystemThread.start { usleep(1_500_000) }
    do {
        say("enforced", try Confinement().enforce().description)
    } catch {
        say("refused", "\(error)")
    }
    thread?.join()
case "order":
    do {
        try StartOrder.run(
            configuration: { say("configuration", count()) },
            opening: { _ in say("opening", count()) },
            spawner: { _ in say("spawner", count()) },
            restrictions: { _, _ in
                say("restrictions", count())
                var confinement = Confinement()
                confinement.landlock.allow(.path(Array("/proc".utf8)), .read)
                return confinement
            },
            threads: { _, _, report in
                say("threads", count())
                let thread = SystemThread.start { usleep(200_000) }
                say("one more", count())
                thread?.join()
                say("execve", call(numbers.execve, 0, 0, 0))
            })
    } catch {
        say("failed", "\(error)")
    }
default:
    say("Landlock", "\(Landlock.version)")
    say("seccomp", "\(SeccompFilter.isAvailable)")
}
