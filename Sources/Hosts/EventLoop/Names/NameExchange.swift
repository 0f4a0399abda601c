import WasmSystem

/// Questions to one server, and their answers: all at once over UDP, and over TCP those whose
/// answer is too long.
struct NameExchange {
    let server: SystemAddress
    let questions: [NameMessage.Question]
    let deadline: LoopInstant
    let loop: EventLoop
    /// Whether questions announce that longer datagrams are accepted: EDNS.
    let isExtended: Bool
    private(set) var results: [NameMessage.Question: Result<NameMessage, NameError>] = [:]

    /// Messages that answer no question are ignored; more than this many from a server, or from an
    /// attacker in its place, end the exchange.
    private static let strayLimit = 100

    init(
        server: SystemAddress, questions: [NameMessage.Question], deadline: LoopInstant,
        loop: EventLoop, isExtended: Bool = true
    ) {
        self.server = server
        self.questions = questions
        self.deadline = deadline
        self.loop = loop
        self.isExtended = isExtended
    }

    mutating func run() async {
        do throws(LoopError) {
            try await askByDatagrams()
        } catch {
            fail(error)
        }
        for question in questions {
            guard case .success(let message)? = results[question], message.isTruncated else {
                continue
            }
            do throws(LoopError) {
                results[question] = try await askByStream(question)
            } catch {
                results[question] = .failure(Self.reason(error))
            }
        }
    }

    private static func reason(_ error: LoopError) -> NameError {
        error == .timedOut ? .timedOut : .loop(error)
    }

    private mutating func fail(_ error: LoopError) {
        for question in questions where results[question] == nil {
            results[question] = .failure(Self.reason(error))
        }
    }

    private mutating func askByDatagrams() async throws(LoopError) {
        let socket: DatagramSocket
        do throws(SystemError) {
            // The kernel chooses a random port, and accepts messages of this server only.
            socket = try DatagramSocket(connectedTo: server, on: loop)
        } catch {
            throw .system(error)
        }
        defer { socket.close() }
        socket.deadline = deadline
        var open: [UInt16: NameMessage.Question] = [:]
        func ask(_ question: NameMessage.Question, _ limit: UInt16?) async throws(LoopError) {
            let identifier = Self.identifier { open[$0] == nil }
            open[identifier] = question
            try await socket.send(
                NameMessage.query(identifier, question, datagramLimit: limit))
        }
        var isExtended = isExtended
        for question in questions {
            try await ask(question, isExtended ? NameMessage.datagramLimit : nil)
        }
        for _ in 0..<Self.strayLimit where !open.isEmpty {
            let bytes = try await socket.receive().bytes
            if isExtended, let identifier = NameMessage.refusesForm(bytes),
                open[identifier] != nil
            {
                // An old server: again without the extension.
                isExtended = false
                let again = Array(open.values)
                open = [:]
                for question in again { try await ask(question, nil) }
                continue
            }
            // The rest of a message is read only if it may be the answer.
            guard let identifier = NameMessage.readIdentifier(bytes),
                let question = open[identifier], let message = NameMessage(bytes),
                message.answers(identifier, question)
            else { continue }
            results[question] = .success(message)
            open[identifier] = nil
        }
        for question in open.values { results[question] = .failure(.malformedAnswer) }
    }

    private static func identifier(where isFree: (UInt16) -> Bool) -> UInt16 {
        while true {
            let identifier = UInt16.random(in: .min ... .max)
            if isFree(identifier) { return identifier }
        }
    }

    /// Specification: RFC 1035, section 4.2.2; RFC 7766.
    private func askByStream(
        _ question: NameMessage.Question
    ) async throws(LoopError) -> Result<NameMessage, NameError> {
        let stream = try await ByteStream.connect(to: server, on: loop, deadline: deadline)
        defer { stream.close() }
        stream.deadline = deadline
        let identifier = Self.identifier { _ in true }
        let query = NameMessage.query(identifier, question)
        let length = UInt16(truncatingIfNeeded: query.count)
        try await stream.write(
            [UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)] + query)
        var buffer = InputBuffer(capacity: 4096)
        var bytes: [UInt8] = []
        while true {
            if bytes.count >= 2 {
                let wanted = Int(bytes[0]) << 8 | Int(bytes[1])
                if bytes.count >= wanted + 2 {
                    guard let message = NameMessage(Array(bytes[2..<wanted + 2])),
                        message.answers(identifier, question), !message.isTruncated
                    else { return .failure(.malformedAnswer) }
                    return .success(message)
                }
            }
            if try await stream.read(into: &buffer) == 0 { return .failure(.malformedAnswer) }
            bytes += buffer.take()
        }
    }
}
