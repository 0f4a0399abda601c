import Glibc

/// The other side: for each byte of standard input, sends eight bytes on every socket, waits for all
/// echoes, and answers with a byte on standard output: `y` if they were what was sent.
func runClients(_ sockets: [Int32]) {
    var command: UInt8 = 0
    var round: UInt64 = 0
    while read(0, &command, 1) == 1 {
        round += 1
        for socket in sockets {
            var message = round &* 1_000_003 &+ UInt64(socket)
            _ = send(socket, &message, 8, Int32(MSG_NOSIGNAL))
        }
        var answer = UInt8(ascii: "y")
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

/// The clients, in a process of their own.
final class ClientProcess {
    private var pid: pid_t = 0
    private let commands: Int32
    /// Where their answers come.
    let answers: Int32

    struct NotStarted: Error {
        let code: Int32
    }

    /// - Parameter sockets: their ends, which are closed here.
    init(_ sockets: [Int32]) throws {
        var input: [Int32] = [-1, -1], output: [Int32] = [-1, -1]
        pipe(&input)
        pipe(&output)
        commands = input[1]
        answers = output[0]
        for number in [commands, answers] { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, input[0], 0)
        posix_spawn_file_actions_adddup2(&actions, output[1], 1)
        var arguments: [UnsafeMutablePointer<CChar>?] =
            (["measure-waiting", "--clients"] + sockets.map { String($0) }).map { strdup($0) }
        arguments.append(nil)
        let code = posix_spawn(&pid, "/proc/self/exe", &actions, nil, arguments, environ)
        for argument in arguments { free(argument) }
        posix_spawn_file_actions_destroy(&actions)
        for number in [input[0], output[1]] + sockets { close(number) }
        guard code == 0 else { throw NotStarted(code: code) }
    }

    /// Lets all clients send and receive.
    func beginRound() {
        var command: UInt8 = 1
        write(commands, &command, 1)
    }

    /// Whether all echoes were right; to be asked when `answers` is readable.
    func endRound() -> Bool {
        var answer: UInt8 = 0
        return read(answers, &answer, 1) == 1 && answer == UInt8(ascii: "y")
    }

    /// Ends the process; the guests find their sockets at the end.
    func end() {
        close(commands)
        close(answers)
        waitpid(pid, nil, 0)
    }
}
