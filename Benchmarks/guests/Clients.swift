import Glibc
import WasmSystem

/// The other side: makes connections to a unix socket. Then, for each byte of standard input, sends
/// eight bytes on every one, waits for all echoes, and answers with a byte on standard output: `y` if
/// they were what was sent. The first answer, without a command, says that all are connected.
func runClients(count: Int, path: String) throws {
    var sockets: [Int32] = []
    for _ in 0..<count {
        var number = try connect(path)
        // Waits from here on.
        try Kernel.setFlags(number, try Kernel.flags(number).subtracting(.nonblock))
        if number < 3 { number = dup(number) }
        sockets.append(number)
    }
    var answer = UInt8(ascii: "y")
    write(1, &answer, 1)
    var command: UInt8 = 0
    var round: UInt64 = 0
    while read(0, &command, 1) == 1 {
        round += 1
        for socket in sockets {
            var message = round &* 1_000_003 &+ UInt64(socket)
            _ = send(socket, &message, 8, Int32(MSG_NOSIGNAL))
        }
        answer = UInt8(ascii: "y")
        for socket in sockets {
            var echo: UInt64 = 0
            let count = recv(socket, &echo, 8, Int32(MSG_WAITALL))
            if count != 8 || echo != round &* 1_000_003 &+ UInt64(socket) {
                answer = UInt8(ascii: "n")
            }
        }
        write(1, &answer, 1)
    }
}

/// Waits while the listener's queue is full, for which a unix socket fails.
private func connect(_ path: String) throws -> Int32 {
    while true {
        do throws(SystemError) {
            return try Kernel.connect(.unix(Array(path.utf8)))
        } catch {
            guard error == .again else { throw error }
            usleep(1000)
        }
    }
}

/// Clients in a process of their own.
final class ClientProcess {
    private var pid: pid_t = 0
    private let commands: Int32
    /// Where their answers come; nonblocking.
    let answers: Int32

    struct NotStarted: Error {
        let code: Int32
    }

    init(count: Int, path: String) throws {
        let (input, output) = (try Kernel.makePipe(), try Kernel.makePipe())
        commands = input.write
        answers = output.read
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, input.read, 0)
        posix_spawn_file_actions_adddup2(&actions, output.write, 1)
        let words: [String] = ["measure-guests", "--clients", String(count), path]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        let code = posix_spawn(&pid, "/proc/self/exe", &actions, nil, arguments, environ)
        for argument in arguments { free(argument) }
        posix_spawn_file_actions_destroy(&actions)
        close(input.read)
        close(output.write)
        guard code == 0 else { throw NotStarted(code: code) }
        _ = fcntl(answers, F_SETFL, O_NONBLOCK)
    }

    /// Lets all clients send and receive.
    func beginRound() {
        var command: UInt8 = 1
        write(commands, &command, 1)
    }

    /// Their answer; nil if there is none yet.
    func takeAnswer() -> Bool? {
        var answer: UInt8 = 0
        let count = read(answers, &answer, 1)
        if count < 0, errno == EAGAIN { return nil }
        return count == 1 && answer == UInt8(ascii: "y")
    }

    /// Ends the process at once: its guests find their sockets at the end.
    func end() {
        kill(pid, SIGKILL)
        close(commands)
        close(answers)
        waitpid(pid, nil, 0)
    }
}
