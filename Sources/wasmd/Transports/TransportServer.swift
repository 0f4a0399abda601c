import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// Carries connections until a signal comes, or until the one connection has ended.
struct TransportServer {
    private let settings: TransportSettings
    private let role: TransportRole
    private let files: TransportFiles
    private let content: TransportFiles.Content
    private let lines: TransportLines
    private let listeners: [TransportListen.Socket]

    /// - Parameter listeners: sockets that listen already.
    init(
        _ settings: TransportSettings, _ role: TransportRole, _ files: TransportFiles,
        _ content: TransportFiles.Content, _ lines: TransportLines,
        _ listeners: [TransportListen.Socket]
    ) {
        self.settings = settings
        self.role = role
        self.files = files
        self.content = content
        self.lines = lines
        self.listeners = listeners
    }

    /// - Returns: the exit code.
    func run() throws -> Int32 {
        let listeners = listeners
        lines.start()
        defer { lines.finish() }
        let group = try LoopGroup(count: settings.loopCount)
        return try group.run { loop in
            let signals = try SignalStream(
                [Signals.termination, Signals.interrupt, Signals.hangup], on: loop)
            if role == .run { return try await runEntry(signals, loop) }
            let service = service()
            if listeners.isEmpty {
                return try await serveStandardStreams(service, signals, loop)
            }
            try await serve(service, listeners, signals, group, loop)
            return ExitCode.success
        }
    }

    private func service() -> TransportService {
        var options = TransportService.Options()
        if let limit = settings.connectionLimit { options.connectionLimit = limit }
        options.framesDatagrams = settings.framesDatagrams
        if let time = settings.datagramIdleTime { options.datagramIdleTime = time }
        let lines = lines
        options.ended = { lines.ended($0) }
        options.refused = { lines.refused($0) }
        return TransportService(content.chain, role, to: settings.remote, options)
    }

    /// Opens the listeners.
    ///
    /// - Parameter configured: where to listen, if the command line does not say.
    static func listen(
        _ settings: TransportSettings, _ role: TransportRole, _ configured: String?
    ) throws(Refusal) -> [TransportListen.Socket] {
        var addresses = settings.addresses
        if addresses.isEmpty, role != .run, let text = configured {
            guard let address = TransportListen(Array(text.utf8)) else {
                throw Refusal(file: text, reason: "network.listener.address is no address")
            }
            addresses = [address]
        }
        var sockets: [TransportListen.Socket] = []
        for address in addresses { sockets.append(try address.open()) }
        return sockets
    }

    // MARK: Listeners

    private func serve(
        _ service: TransportService, _ sockets: [TransportListen.Socket], _ signals: SignalStream,
        _ group: LoopGroup, _ loop: EventLoop
    ) async throws {
        var listeners: [Listener] = []
        var datagrams: [DatagramSocket] = []
        for socket in sockets where socket.carriesDatagrams {
            datagrams.append(
                DatagramSocket(adopting: FileDescriptor(owning: socket.number), on: loop))
        }
        for socket in sockets where !socket.carriesDatagrams {
            listeners.append(
                try Listener(adopting: FileDescriptor(owning: socket.number), on: loop))
        }
        for other in group.loops {
            var shared: [Listener] = []
            for listener in listeners {
                shared.append(other === loop ? listener : try listener.shared(with: other))
            }
            let own = shared
            // Peers of one socket have one loop.
            let ownDatagrams = other === loop ? datagrams : []
            let lines = lines
            other.spawn {
                do {
                    let guests = try GuestLoop(other)
                    for socket in ownDatagrams {
                        other.spawn {
                            do {
                                try await service.serve(socket, on: guests)
                            } catch {
                                lines.refused("\(error)")
                            }
                        }
                    }
                    for listener in own {
                        other.spawn {
                            do {
                                try await service.serve(listener, on: guests)
                            } catch {
                                lines.refused("\(error)")
                            }
                        }
                    }
                } catch {
                    lines.refused("\(error)")
                }
            }
            listeners += own.filter { listener in !listeners.contains { $0 === listener } }
        }
        for socket in sockets { lines.listening(role, socket.text, settings.remote) }
        while try await signals.next() == Signals.hangup { await reload(service, loop) }
        for listener in listeners { listener.close() }
        for socket in datagrams { socket.close() }
        await end(service, signals, loop)
    }

    /// Reads modules and configurations again; old connections keep theirs.
    private func reload(_ service: TransportService, _ loop: EventLoop) async {
        let files = files
        let role = role
        let hasRemote = settings.remote != nil
        let settings = TransportFiles.Settings(all: settings)
        let read = try? await loop.blocking { () -> Result<TransportFiles.Content, Refusal> in
            do throws(Refusal) {
                let content = try files.read()
                for (transport, name) in zip(content.chain, content.names) {
                    do throws(TransportError) {
                        try transport.check(role, hasRemote: hasRemote)
                    } catch {
                        throw Refusal(file: name, reason: "\(error)")
                    }
                }
                try content.checkDatagrams(settings.all, role)
                return .success(content)
            } catch {
                return .failure(error)
            }
        }
        switch read {
        case .success(let content)?:
            service.replace(content.chain)
            lines.replaced(content.names)
        case .failure(let refusal)?: lines.notReplaced(refusal)
        case nil: break
        }
    }

    /// Cancels all connections and waits for their end; a second signal ends the wait.
    private func end(
        _ service: TransportService, _ signals: SignalStream, _ loop: EventLoop
    ) async {
        service.cancelAll()
        let second = loop.spawn { (try? await signals.next()) != nil }
        let waiting = loop.spawn { [settings] in
            let end = LoopInstant.after(settings.limits.stopTime + .milliseconds(500))
            while service.statistics.live > 0, LoopInstant.now < end {
                guard (try? await loop.sleep(for: .milliseconds(5))) != nil else { return }
            }
        }
        let watch = loop.spawn { if await second.value { waiting.cancel() } }
        await waiting.value
        second.cancel()
        watch.cancel()
        lines.totals(service.statistics)
    }

    // MARK: One connection

    /// Carries standard input and output as one connection.
    private func serveStandardStreams(
        _ service: TransportService, _ signals: SignalStream, _ loop: EventLoop
    ) async throws -> Int32 {
        let guests = try GuestLoop(loop)
        let (own, clear) = MemorySocket.makePair(on: guests)
        // Other processes may share these files, and expect them to be as they were.
        let before = [Kernel.standardInput, Kernel.standardOutput].map { number in
            (number, try? Kernel.flags(number))
        }
        defer {
            for (number, flags) in before { if let flags { try? Kernel.setFlags(number, flags) } }
        }
        let input = try ByteStream(
            adopting: FileDescriptor(owning: try Kernel.duplicate(Kernel.standardInput)), on: loop)
        let output = try ByteStream(
            adopting: FileDescriptor(owning: try Kernel.duplicate(Kernel.standardOutput)), on: loop)
        let reading = loop.spawn {
            var buffer = InputBuffer(capacity: 16 << 10)
            while let count = try? await input.read(into: &buffer), count > 0 {
                guard (try? await own.write(buffer.take())) != nil else { return }
            }
            own.endWriting()
        }
        let writing = loop.spawn {
            while let bytes = try? await own.read(), !bytes.isEmpty {
                guard (try? await output.write(bytes)) != nil else { break }
            }
            own.close()
        }
        let stopping = loop.spawn {
            while let number = try? await signals.next() {
                if number != Signals.hangup { return service.cancelAll() }
            }
        }
        let summary = await service.serve(clear, peer: "standard input", on: guests)
        stopping.cancel()
        reading.cancel()
        await writing.value
        lines.totals(service.statistics)
        return summary?.outcome?.isClean == true ? ExitCode.success : ExitCode.refused
    }

    private func runEntry(_ signals: SignalStream, _ loop: EventLoop) async throws -> Int32 {
        guard let transport = content.chain.first else { return ExitCode.refused }
        let guests = try GuestLoop(loop)
        let entry = settings.entry.map { Name($0) }
        let running = loop.spawn { () -> Result<TransportOutcome, any Error> in
            do {
                return .success(try await transport.run(entry: entry, on: guests))
            } catch {
                return .failure(error)
            }
        }
        let stopping = loop.spawn {
            while let number = try? await signals.next() {
                if number != Signals.hangup { return running.cancel() }
            }
        }
        let outcome = try await running.value.get()
        stopping.cancel()
        lines.ended(running: outcome)
        return outcome.isClean ? ExitCode.success : ExitCode.refused
    }
}
