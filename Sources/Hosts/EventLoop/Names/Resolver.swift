import Synchronization
import WasmSystem

/// Finds the addresses of hosts, without the C library: the machine's hosts file, then name servers
/// by UDP, and by TCP where an answer does not fit.
///
///     let resolver = Resolver.ofSystem()
///     let addresses = try await resolver.addresses(of: "example.org", on: loop)
///
/// Each question is sent with a random identifier from a socket with a port of its own, and only an
/// answer of that server to that question counts. Answers are kept for their time to live. It may
/// be used by all loops.
public final class Resolver: Sendable {
    private struct State {
        var cache: NameCache
        var firstServer = 0
    }

    public let configuration: ResolverConfiguration
    private let hosts: HostsFile
    private let state: Mutex<State>

    public init(
        configuration: ResolverConfiguration, hosts: HostsFile = HostsFile(),
        cache: NameCache = NameCache()
    ) {
        self.configuration = configuration
        self.hosts = hosts
        state = Mutex(State(cache: cache))
    }

    /// Configured by `/etc/resolv.conf` and `/etc/hosts`, which are read now: a process that
    /// restricts itself calls this before. Files that are missing count as empty.
    public static func ofSystem() -> Resolver {
        Resolver(
            configuration: ResolverConfiguration(Self.bytes("/etc/resolv.conf")),
            hosts: HostsFile(Self.bytes("/etc/hosts")))
    }

    private static let fileLimit = 1 << 20

    private static func bytes(_ path: StaticString) -> [UInt8] {
        let path = CString(path: path.description.utf8)
        guard let number = try? unsafe Kernel.open(path, .readOnly) else { return [] }
        let file = FileDescriptor(owning: number)
        var buffer = InputBuffer(capacity: 1 << 16)
        var bytes: [UInt8] = []
        while bytes.count < fileLimit {
            let more = unsafe try? buffer.fill { (room) throws(SystemError) in
                try unsafe Kernel.read(file.number, room)
            }
            guard let more, more.count > 0 else { break }
            bytes += buffer.take()
        }
        return bytes
    }

    /// The number of entries of the cache.
    public var cachedCount: Int { state.withLock { $0.cache.count } }

    public func forgetAll() { state.withLock { $0.cache.removeAll() } }

    /// The addresses of a host in the order in which they should be tried (`DestinationOrder`). A
    /// name that is an address in text form gives that address; those of the hosts file keep their
    /// order.
    ///
    /// - Throws: `.noName`, `.noAddress`, or why no server could be asked.
    public func addresses(
        of host: String, on loop: EventLoop
    ) async throws(NameError) -> [HostAddress] {
        if let address = HostAddress(host) { return [address] }
        guard let name = DomainName(host) else { throw .malformedName }
        if let found = hosts.addresses(of: name) { return found }
        var result = NameError.noName
        for candidate in configuration.candidates(for: host) {
            do throws(NameError) {
                return try await look(up: candidate, loop)
            } catch {
                switch error {
                case .noName: continue
                // A name that exists takes precedence over ones that do not.
                case .noAddress: result = error
                default: throw error
                }
            }
        }
        throw result
    }

    private func look(
        up name: DomainName, _ loop: EventLoop
    ) async throws(NameError) -> [HostAddress] {
        let questions = [NameMessage.RecordType.aaaa, .a].map { NameMessage.Question(name, $0) }
        var answers: [NameMessage.Question: NameCache.Answer] = [:]
        state.withLock { state in
            for question in questions {
                answers[question] = state.cache.answer(to: question, at: .now)
            }
        }
        let open = questions.filter { answers[$0] == nil }
        var failure: NameError?
        if !open.isEmpty {
            let asked = await ask(open, loop)
            for (question, outcome) in asked {
                switch outcome {
                case .success(let answer): answers[question] = answer
                case .failure(let error): failure = error
                }
            }
        }
        var addresses: [HostAddress] = []
        for question in questions {
            if case .addresses(let found)? = answers[question] { addresses += found }
        }
        if !addresses.isEmpty { return DestinationOrder.sorted(addresses) }
        if let failure { throw failure }
        throw answers.values.contains(.noAddress) ? .noAddress : .noName
    }

    /// Addresses of a family that are kept of an answer, which may have thousands.
    private static let addressLimit = 32

    private typealias Outcome = Result<NameCache.Answer, NameError>

    /// Asks the servers in turn until each question has an answer.
    private func ask(
        _ questions: [NameMessage.Question], _ loop: EventLoop
    ) async -> [NameMessage.Question: Outcome] {
        var outcomes: [NameMessage.Question: Outcome] = [:]
        let servers = order()
        for attempt in 0..<configuration.attempts {
            for server in servers {
                let open = questions.filter { question in
                    if case .success? = outcomes[question] { false } else { true }
                }
                if open.isEmpty { return outcomes }
                var exchange = NameExchange(
                    server: server, questions: open,
                    deadline: .after(.seconds(configuration.timeout)), loop: loop,
                    // What drops messages with the extension gets one without it.
                    isExtended: attempt == 0)
                await exchange.run()
                for question in open {
                    outcomes[question] = outcome(exchange.results[question], question)
                }
                if case .failure(.loop(.cancelled))? = outcomes[open[0]] { return outcomes }
            }
        }
        return outcomes
    }

    private func order() -> [SystemAddress] {
        let servers = configuration.servers
        guard configuration.rotates, servers.count > 1 else { return servers }
        let first = state.withLock { state in
            state.firstServer = (state.firstServer + 1) % servers.count
            return state.firstServer
        }
        return Array(servers[first...] + servers[..<first])
    }

    /// The result of an answer, which is cached.
    private func outcome(
        _ result: Result<NameMessage, NameError>?, _ question: NameMessage.Question
    ) -> Outcome {
        let message: NameMessage
        switch result {
        case .success(let answer)?: message = answer
        case .failure(let error)?: return .failure(error)
        case nil: return .failure(.timedOut)
        }
        let answer: NameCache.Answer
        let seconds: UInt32
        switch message.responseCode {
        case 0:
            guard let resolved = message.resolved() else { return .failure(.malformedAnswer) }
            let addresses = resolved.addresses.prefix(Self.addressLimit)
                .compactMap { HostAddress(bytes: $0) }
            answer = addresses.isEmpty ? .noAddress : .addresses(addresses)
            seconds = resolved.timeToLive
        case 3:
            answer = .noName
            seconds = message.absenceTime
        default: return .failure(.serverFailure(code: message.responseCode))
        }
        state.withLock { $0.cache.keep(answer, for: question, seconds: seconds, at: .now) }
        return .success(answer)
    }
}
