import Synchronization
import WasmSystem
import WasmWASI
import WasmdDigests
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// A transport of `wasmd serve`, with its listeners.
final class ServedTransport: Sendable {
    let name: String
    let service: TransportService
    private let resolver: Resolver
    private let state: Mutex<State>

    private struct State: Sendable {
        var content: TransportContent
        /// Sockets that listen already; each becomes a listener once.
        var sockets: [TransportListen.Socket]
        var listeners: [Listener] = []
        var datagramSockets: [DatagramSocket] = []
    }

    /// Where connections are taken.
    let places: [String]

    /// What is opened before the process restricts itself.
    struct Opened: Sendable {
        let content: TransportContent
        fileprivate let sockets: [TransportListen.Socket]

        /// Reads the files and opens the listeners.
        ///
        /// - Throws: `Refusal`.
        init(_ section: TransportSection) throws(Refusal) {
            content = try TransportContent(section)
            var sockets: [TransportListen.Socket] = []
            for address in content.listen {
                do throws(Refusal) {
                    sockets.append(try address.open())
                } catch {
                    for socket in sockets { try? Kernel.close(socket.number) }
                    throw error
                }
            }
            self.sockets = sockets
        }
    }

    /// Starts the modules. After the process has restricted itself.
    ///
    /// - Throws: `Refusal`.
    init(_ opened: Opened, _ resolver: Resolver) throws(Refusal) {
        let content = opened.content
        let section = content.section
        let chain = try content.transports(resolver)
        name = section.name
        self.resolver = resolver
        places = opened.sockets.map(\.text)
        state = Mutex(
            State(content: content, sockets: opened.sockets))
        var options = TransportService.Options()
        options.connectionLimit = section.connections
        options.framesDatagrams = section.framesDatagrams
        options.datagramIdleTime = section.datagramIdleTime
        options.remedy = "allow more with transports.\(section.name).connections"
        let name = name
        options.refused = { reason in
            ServeMessages.write(
                "a connection is refused: \(printable(reason))", about: .transport(name))
        }
        options.ended = { summary in
            guard let outcome = summary.outcome, !outcome.isClean else { return }
            ServeMessages.write(
                "\(printable(summary.peer)): \(printable("\(outcome)"))", about: .transport(name))
        }
        service = TransportService(chain, section.role, to: section.remote, options)
    }

    /// What the settings say now.
    var section: TransportSection { state.withLock { $0.content.section } }

    /// Files of the modules of new connections.
    var modulePaths: [Word] { state.withLock { $0.content.paths } }

    /// Takes connections on all loops from now on. On one of them.
    func serve(on loops: [EventLoop], _ loop: EventLoop) throws {
        let sockets = state.withLock { state in
            defer { state.sockets = [] }
            return state.sockets
        }
        var listeners: [Listener] = []
        var datagramSockets: [DatagramSocket] = []
        for socket in sockets {
            let descriptor = FileDescriptor(owning: socket.number)
            if socket.carriesDatagrams {
                datagramSockets.append(DatagramSocket(adopting: descriptor, on: loop))
            } else {
                listeners.append(try Listener(adopting: descriptor, on: loop))
            }
        }
        let own = listeners
        for other in loops {
            var shared: [Listener] = []
            for listener in own {
                shared.append(other === loop ? listener : try listener.shared(with: other))
            }
            if other !== loop { listeners += shared }
            // Peers of one socket have one loop.
            serve(shared, other === loop ? datagramSockets : [], on: other)
        }
        state.withLock { [listeners, datagramSockets] state in
            state.listeners = listeners
            state.datagramSockets = datagramSockets
        }
        for place in places {
            let remote = service.remote.map { " to \($0)" } ?? ""
            ServeMessages.write(
                "\(service.role.rawValue) at \(place)\(remote)", about: .transport(name))
        }
    }

    private func tell(_ error: any Error) {
        ServeMessages.write(printable("\(error)"), .error, about: .transport(name))
    }

    private func serve(
        _ listeners: [Listener], _ datagramSockets: [DatagramSocket], on loop: EventLoop
    ) {
        loop.spawn { [self, service] in
            do {
                let guests = try GuestLoop(loop)
                for socket in datagramSockets {
                    loop.spawn {
                        do {
                            try await service.serve(socket, on: guests)
                        } catch {
                            self.tell(error)
                        }
                    }
                }
                for listener in listeners {
                    loop.spawn {
                        do {
                            try await service.serve(listener, on: guests)
                        } catch {
                            self.tell(error)
                        }
                    }
                }
            } catch {
                self.tell(error)
            }
        }
    }

    /// Closes the listeners and cancels all connections; waits for their end, which takes little more
    /// than the time that a cancelled worker has.
    func stop(on loop: EventLoop) async {
        for listener in state.withLock({ $0.listeners }) { listener.close() }
        for socket in state.withLock({ $0.datagramSockets }) { socket.close() }
        service.cancelAll()
        let end = LoopInstant.after(section.limits.stopTime + .milliseconds(500))
        while service.statistics.live > 0, LoopInstant.now < end {
            guard (try? await loop.sleep(for: .milliseconds(5))) != nil else { return }
        }
    }

    // MARK: Replacing

    /// A change that was checked and not made yet.
    struct Change: Sendable {
        let transport: ServedTransport
        let content: TransportContent
        let chain: [Transport]

        var section: TransportSection { content.section }

        /// New connections have the new transports from now on; old ones go on.
        func make() {
            transport.state.withLock { $0.content = content }
            transport.service.connectionLimit = section.connections
            transport.service.replace(chain)
        }
    }

    /// Reads the files again; nil if nothing has changed. Not on a loop.
    ///
    /// - Throws: `Refusal`; nothing is changed.
    func change(to section: TransportSection) throws(Refusal) -> Change? {
        let former = state.withLock { $0.content }
        let content = try TransportContent(section, after: former)
        guard content.digest != former.digest else { return nil }
        return Change(
            transport: self, content: content, chain: try content.transports(resolver))
    }
}
