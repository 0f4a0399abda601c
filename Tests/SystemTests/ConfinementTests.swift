import Glibc
import Testing

@testable import WasmSystem

@Suite struct ConfinementTests {
    /// What an attacker inside of a restricted process reaches, and what not.
    @Test func anAttackerStaysInside() throws {
        let folder = "/tmp/confinement-\(getpid())"
        defer { _ = try? remove(folder) }
        for name in ["", "/inside", "/outside"] { mkdir(folder + name, 0o700) }
        for name in ["/inside/inside", "/outside/secret"] {
            let file = FileDescriptor(
                owning: try Kernel.open(folder + name, [.writeOnly, .create]))
            var byte: UInt8 = 65
            #expect(write(file.number, &byte, 1) == 1)
        }
        symlink(folder + "/outside/secret", folder + "/inside/link")
        let listener = FileDescriptor(
            owning: try Kernel.listen(.ipv4([127, 0, 0, 1], port: 0)))
        let port = try #require(try Kernel.localAddress(listener.number)?.port)

        let version = Landlock.version
        let results = try Probe.run(
            ["attack", folder + "/inside", folder + "/outside", "\(port)"])
        func expect(_ name: String, _ expected: String...) {
            #expect(
                expected.contains(results[name] ?? "nothing"),
                "\(name): \(results[name] ?? "nothing"), not \(expected)")
        }
        let enforced = try #require(results["enforced"])
        for name in [
            "read inside", "make inside", "remove inside", "list inside", "open before", "thread",
            "random", "memory", "tgkill inside", "connect",
        ] {
            expect(name, "ok")
        }
        if version == 0 {
            // The kernel lacks it, and the report names that.
            #expect(enforced.hasPrefix("no Landlock in this kernel"))
        } else {
            #expect(enforced.hasPrefix("Landlock \(version): files"))
            #expect(enforced.contains("sockets and signals") == (version >= 6))
            for name in [
                "read /etc/passwd", "read outside", "read by ..", "read by a link", "make outside",
                "remove outside", "read memory", "read by descriptor",
                "read /etc/passwd in it",
            ] {
                expect(name, "EACCES")
            }
            expect("write outside", "EACCES")
            expect("move outside", "EACCES", "EXDEV")
            if version >= 4 { expect("connect elsewhere", "EACCES") }
        }
        guard enforced.hasSuffix("system calls") else {
            #expect(enforced.hasSuffix("no filter of system calls in this kernel"))
            return
        }
        for name in [
            "execve", "execveat", "new process", "new namespace by clone", "ptrace", "unshare",
            "setns", "mount", "chroot", "kill", "tgkill outside", "bpf", "keyctl",
            "process_vm_readv", "perf_event_open", "userfaultfd", "io_uring_setup", "pidfd_open",
            "another filter", "personality", "dumpable", "type into terminal", "set a limit",
        ] {
            expect(name, "EPERM")
        }
        expect("clone3", "ENOSYS")
        for name in ["unix socket", "netlink socket", "packet socket"] {
            expect(name, "socket EPERM")
        }
        #expect(try Probe.read(folder + "/outside/secret") == "A")
    }

    /// What is left to a process that is restricted as a server is.
    @Test func aServerKeepsItsFoldersAndListeners() throws {
        let folder = "/tmp/confinement-serve-\(getpid())"
        defer { _ = try? remove(folder) }
        for name in ["", "/site", "/data", "/kept"] { mkdir(folder + name, 0o700) }
        for name in ["/site/module", "/kept/file", "/secret"] {
            _ = FileDescriptor(owning: try Kernel.open(folder + name, [.writeOnly, .create]))
        }
        let listener = FileDescriptor(
            owning: try Kernel.listen(.ipv4([127, 0, 0, 1], port: 0)))
        let port = try #require(try Kernel.localAddress(listener.number)?.port)
        let results = try Probe.run(["serve", folder, "\(port)"])
        let enforced = try #require(results["enforced"])
        for name in [
            "read a module", "list the modules", "make data", "remove data", "read what is kept",
            "poll", "copy a listener", "processors",
        ] {
            #expect(results[name] == "ok", "\(name)")
        }
        #expect(results["threads"] == (Landlock.version == 0 ? "1" : "?"))
        #expect(results["accept"] == "EAGAIN")
        if Landlock.version > 0 {
            for name in [
                "write a module", "make a module", "write what is kept", "read outside",
                "read hosts", "read memory", "read outside in a thread",
            ] {
                #expect(results[name] == "EACCES", "\(name): \(results[name] ?? "")")
            }
        }
        guard enforced.hasSuffix("system calls") else { return }
        for name in ["socket", "unix socket"] {
            #expect(results[name] == "socket EPERM", "\(name)")
        }
        #expect(results["listen"] == "refused")
        for name in ["execve", "new process", "ptrace", "kill"] {
            #expect(results[name] == "EPERM", "\(name)")
        }
    }

    @Test func restrictionsComeBeforeThreads() throws {
        let results = try Probe.run(["threads"])
        #expect(results["enforced"] == nil)
        #expect(results["refused"]?.hasPrefix("the process has 2 threads") == true)
    }

    @Test func aProcessStartsInOrder() throws {
        let results = try Probe.run(["order"])
        for step in StartOrder.allCases { #expect(results["\(step)"] == "1", "\(step)") }
        #expect(results["one more"] == "2")
        #expect(results["execve"] == (SeccompFilter.isAvailable ? "EPERM" : "EFAULT"))
    }

    @Test func theReportSaysWhatIsMissing() {
        var report = Confinement.Report(landlock: .init(version: 0), calls: false)
        #expect(!report.isWhole)
        #expect(
            report.description
                == "no Landlock in this kernel; no filter of system calls in this kernel")
        report.landlock = .init(version: 3, files: true, links: true, truncation: true)
        report.calls = true
        #expect(report.isUseful)
        #expect(!report.isWhole)
        report.landlock.isWhole = true
        #expect(report.isWhole)
        #expect(report.description == "Landlock 3: files, links, truncation; system calls")
    }

    private func remove(_ folder: String) throws {
        for name in try Kernel.names(inFolder: folder) {
            let path = "\(folder)/\(String(decoding: name, as: UTF8.self))"
            if rmdir(path) == 0 || unlink(path) == 0 { continue }
            try remove(path)
        }
        rmdir(folder)
    }
}

@Suite struct SeccompFilterTests {
    /// What the kernel's machine makes of a call.
    private func outcome(
        _ program: [BPFInstruction], number: UInt32, architecture: UInt32,
        _ arguments: [UInt64] = []
    ) -> UInt32? {
        var words = [number, architecture, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0
            words += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var at = 0
        for _ in 0..<program.count where at < program.count {
            let instruction = program[at]
            at += 1
            switch instruction.code {
            case 0x20: accumulator = words[Int(instruction.operand / 4)]
            case 0x54: accumulator &= instruction.operand
            case 0x05: at += Int(instruction.operand)
            case 0x15:
                at += Int(
                    accumulator == instruction.operand ? instruction.ifTrue : instruction.ifFalse)
            case 0x35:
                at += Int(
                    accumulator >= instruction.operand ? instruction.ifTrue : instruction.ifFalse)
            case 0x06: return instruction.operand
            default: return nil
            }
        }
        return nil
    }

    private let allowed: UInt32 = 0x7fff_0000
    private let refused: UInt32 = 0x0005_0001

    @Test(arguments: SeccompFilter.Architecture.allCases)
    func exactlyTheCallsOfTheSetsAreAllowed(_ architecture: SeccompFilter.Architecture) {
        let sets: [SystemCalls] = [
            .memory, .files, .waiting, .threads, .signals, .process, .connections, .sockets,
        ]
        for last in 0..<sets.count {
            let calls = sets[...last].reduce(SystemCalls(calls: [])) { $0 + $1 }
            let numbers = Set(calls.calls.compactMap { $0.number(architecture) })
            #expect(numbers.count == calls.calls.filter { $0.number(architecture) != nil }.count)
            let program = SeccompFilter(allowing: calls, refusal: .error(.perm))
                .program(for: architecture)
            #expect(program.count < 4096)
            for number: UInt32 in 0..<700 {
                let outcome = outcome(
                    program, number: number, architecture: architecture.auditNumber)
                #expect(outcome == (numbers.contains(number) ? allowed : refused), "\(number)")
            }
            for number: UInt32 in [0x4000_0000, 0x4000_0001, .max, 0x3fff_ffff] {
                #expect(
                    outcome(program, number: number, architecture: architecture.auditNumber)
                        == refused)
            }
        }
        // No programs, processes, namespaces or kernel interfaces are in any of them.
        let names = Set(sets.flatMap(\.names))
        for name in [
            "execve", "execveat", "ptrace", "fork", "vfork", "clone", "clone3", "unshare", "setns",
            "mount", "chroot", "kill", "bpf", "keyctl", "seccomp", "socket", "prctl", "ioctl",
            "io_uring_setup", "process_vm_readv", "pidfd_open", "perf_event_open", "personality",
        ] {
            #expect(!names.contains(name))
        }
    }

    @Test func anotherArchitectureEndsTheProcess() {
        for architecture in SeccompFilter.Architecture.allCases {
            let program = Confinement.engineCalls.program(for: architecture)
            for other: UInt32 in [0, 0x4000_0003, 0x4000_0028, ~architecture.auditNumber] {
                #expect(outcome(program, number: 0, architecture: other) == 0x8000_0000)
            }
        }
    }

    @Test func argumentsDecide() {
        var filter = SeccompFilter(allowing: .memory, refusal: .kill)
        filter.allowThreads()
        filter.allowSockets(ofFamilies: [2, 10])
        filter.allowTerminalQueries()
        filter.allowLimitQueries()
        filter.allowSignals(toThreadsOf: 77)
        let program = filter.program(for: .x86)
        func result(_ number: UInt32, _ arguments: UInt64...) -> UInt32? {
            outcome(program, number: number, architecture: 0xc000_003e, arguments)
        }
        let killed: UInt32 = 0x8000_0000
        #expect(result(56, 0x3d_0f00) == allowed)
        for flag: UInt64 in [
            0x1000_0000, 0x2000_0000, 0x4000_0000, 0x2_0000, 0x80, 0x0200_0000, 0x0400_0000,
            0x0800_0000,
        ] {
            #expect(result(56, 0x3d_0f00 | flag) == killed)
        }
        #expect(result(56, 17) == killed)
        #expect(result(435, 0) == 0x0005_0026)
        #expect(result(41, 2) == allowed)
        #expect(result(41, 10) == allowed)
        #expect(result(41, 1) == killed)
        #expect(result(41, 16) == killed)
        #expect(result(16, 0, 0x5413) == allowed)
        #expect(result(16, 0, 0x5412) == killed)
        #expect(result(302, 0, 7, 0) == allowed)
        #expect(result(302, 0, 7, 0x7fff_1000) == killed)
        #expect(result(234, 77) == allowed)
        #expect(result(234, 78) == killed)
        #expect(result(12) == allowed)
        #expect(result(59) == killed)
    }
}
