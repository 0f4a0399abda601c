import Glibc
import Testing

/// A `wasmd serve` that runs, at a port that the system chose.
final class ServerProcess {
    private let process: pid_t
    private let errorFile: String
    /// What came through the pipe that is its standard error.
    private var pipeText: String?
    private var hasEnded = false
    private(set) var port: UInt16 = 0

    /// Starts it and waits until it says that it serves.
    ///
    /// - Parameters:
    ///   - listen: nil leaves the addresses to the other arguments.
    ///   - ready: what it says when it serves.
    ///   - command: the words before the options.
    ///   - errors: a pipe for its standard error, which is read until it is ready, and then no more.
    ///   - socket: a listening socket that it gets as systemd would pass it.
    init(
        _ arguments: [String], folder: TemporaryFolder, listen: String? = "127.0.0.1:0",
        variables added: [String] = [], ready: String = "serving at ", socket: Int32? = nil,
        command: [String] = ["serve"], errors: (reading: Int32, writing: Int32)? = nil
    ) throws {
        errorFile = folder.path + "/stderr-\(UInt32.random(in: 0 ... .max))"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let errors {
            posix_spawn_file_actions_adddup2(&actions, errors.writing, 2)
        } else {
            posix_spawn_file_actions_addopen(
                &actions, 2, errorFile, O_CREAT | O_WRONLY | O_APPEND, 0o600)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let addresses = listen.map { ["--listen", $0] } ?? []
        var line = [Wasmd.path] + command + addresses + ["--loops", "1"] + arguments
        if let socket {
            posix_spawn_file_actions_adddup2(&actions, socket, 3)
            line = ["/bin/sh", "-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\""] + line
        }
        var words = line.map { strdup($0) } + [nil]
        var variables = (["PATH=/usr/bin:/bin"] + added).map { strdup($0) } + [nil]
        defer { (words + variables).forEach { free($0) } }
        var process = pid_t()
        let failure = posix_spawn(&process, line[0], &actions, &attributes, &words, &variables)
        guard failure == 0 else { throw ProcessFailure(errno: failure) }
        self.process = process
        if let errors {
            // Blocks until there is something; ends with the last writer.
            close(errors.writing)
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while pipeText?.contains(ready) != true {
                let count = Glibc.read(errors.reading, &buffer, buffer.count)
                guard count > 0 else { throw ProcessFailure(errno: EPIPE) }
                bytes += buffer[..<count]
                pipeText = String(decoding: bytes, as: UTF8.self)
            }
        }
        for _ in 0..<3000 {
            let messages = messages
            if messages.contains(ready) {
                port = Self.port(in: messages) ?? 0
                return
            }
            usleep(10_000)
        }
        throw ProcessFailure(errno: ETIMEDOUT)
    }

    private static func port(in text: String) -> UInt16? {
        guard
            let line = text.split(separator: "\n").first(where: { $0.contains(" at http") })
        else { return nil }
        return line.split(separator: ":").last.flatMap { UInt16($0.prefix { $0.isNumber }) }
    }

    /// What it printed to standard error.
    var messages: String {
        if let pipeText { return pipeText }
        guard let stream = fopen(errorFile, "re") else { return "" }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, stream)], as: UTF8.self)
    }

    /// Waits for a text among the messages.
    func waits(for text: String) -> Bool {
        for _ in 0..<3000 {
            if messages.contains(text) { return true }
            usleep(10_000)
        }
        return false
    }

    var identifier: pid_t { process }

    /// Sends a signal.
    func signal(_ number: Int32) { kill(process, number) }

    /// Waits for the end; returns the exit code, or 128 and the signal, or nil after 20 seconds.
    func end() -> Int32? {
        var status: Int32 = 0
        for _ in 0..<2000 {
            if waitpid(process, &status, WNOHANG) == process {
                hasEnded = true
                let signal = status & 0x7f
                return signal == 0 ? status >> 8 & 0xff : 128 + signal
            }
            usleep(10_000)
        }
        return nil
    }

    deinit {
        guard !hasEnded else { return }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    // MARK: Requests

    /// A connection with a time limit of 20 seconds for each read.
    func connect() throws -> Int32 { try Self.connect(to: port) }

    /// The same to another port of this machine.
    static func connect(to port: UInt16) throws -> Int32 {
        // A child that inherited it would keep the connection open after its end here.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(AF_INET, type, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw ProcessFailure(errno: errno) }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return socket
    }

    static func send(_ socket: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Reads until the end of the connection, or until `isEnough`.
    static func read(_ socket: Int32, until isEnough: (String) -> Bool = { _ in false }) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            bytes += buffer[..<count]
            if isEnough(String(decoding: bytes, as: UTF8.self)) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A request on a connection of its own; the response, to the connection's end.
    func exchange(_ text: String, _ body: [UInt8] = []) throws -> Answer {
        let socket = try connect()
        defer { close(socket) }
        Self.send(socket, Array(text.utf8) + body)
        return Answer(Self.read(socket))
    }

    func get(_ path: String, _ fields: String = "", method: String = "GET") throws -> Answer {
        try exchange("\(method) \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\r\n")
    }

    func post(_ path: String, _ body: [UInt8], _ fields: String = "") throws -> Answer {
        try exchange(
            "POST \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + "Content-Length: \(body.count)\r\n\(fields)\r\n", body)
    }

    /// A response as it was received.
    struct Answer {
        let status: Int
        let head: String
        /// Without its chunks.
        let body: String

        init(_ text: String) {
            // CR LF is one character.
            guard let end = text.range(of: "\r\n\r\n") else {
                (status, head, body) = (0, text, "")
                return
            }
            head = String(text[..<end.lowerBound])
            status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
            let rest = text[end.upperBound...]
            body =
                head.lowercased().contains("transfer-encoding: chunked")
                ? Self.joined(rest) : String(rest)
        }

        private static func joined(_ chunks: Substring) -> String {
            var bytes = Array(chunks.utf8)[...]
            var body: [UInt8] = []
            while let line = bytes.firstIndex(of: 10) {
                let digits = String(decoding: bytes[..<line].dropLast(), as: UTF8.self)
                guard let count = Int(digits, radix: 16), count > 0 else { break }
                body += bytes[(line + 1)...].prefix(count)
                bytes = bytes[(line + 1)...].dropFirst(count + 2)
            }
            return String(decoding: body, as: UTF8.self)
        }

        func field(_ name: String) -> String? {
            let lines = head.split(separator: "\r\n")
            let line = lines.first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            return line.map { String($0.drop { $0 != ":" }.dropFirst(2)) }
        }
    }
}

extension String {
    /// The first place of a text, by its bytes.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        let (all, wanted) = (Array(utf8), Array(text.utf8))
        guard all.count >= wanted.count else { return nil }
        for start in 0...(all.count - wanted.count)
        where all[start..<(start + wanted.count)].elementsEqual(wanted) {
            let lower = utf8.index(startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}
