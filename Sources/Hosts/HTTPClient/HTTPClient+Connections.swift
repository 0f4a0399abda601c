import WasmSystem
import WasmdEventLoop
import WasmdHTTP

// The connections of a client: those without a request, and how new ones are made.

extension HTTPClient {
    /// A connection for a request: one that was kept, or a new one.
    func connection(
        _ key: Key, _ request: ClientRequest
    ) async throws -> (ClientConnection, isUsed: Bool) {
        let deadline = min(.after(options.connectTimeout), request.deadline)
        do {
            while true {
                if let connection = takeIdle(key) { return (connection, true) }
                guard key.isSecure, let tls = options.tls, options.connector == nil else {
                    let stream = try await connect(key, deadline)
                    return (made(stream, nil, key), false)
                }
                guard key.unixPath == nil else { throw HTTPClientError.noTLS }
                guard let slot = try await slot(key, tls, deadline) else { continue }
                let (stream, session) = try await connect(key, tls, slot, deadline)
                return (made(stream, session, key), false)
            }
        } catch let error as LoopError {
            throw Self.connecting(error)
        } catch let error as TLSError {
            switch error {
            case .timedOut: throw HTTPClientError.timedOut(.connecting)
            case .loop(.cancelled): throw HTTPClientError.cancelled
            default: throw HTTPClientError.tls(error)
            }
        }
    }

    private static func connecting(_ error: LoopError) -> HTTPClientError {
        switch error {
        case .timedOut: .timedOut(.connecting)
        case .cancelled: .cancelled
        default: .connecting(error)
        }
    }

    private func made(
        _ stream: ByteStream, _ session: TLSSession?, _ key: Key
    ) -> ClientConnection {
        opened += 1
        return ClientConnection(stream, session, key, options)
    }

    // MARK: Connections without a request

    private func takeIdle(_ key: Key) -> ClientConnection? {
        let now = LoopInstant.now
        while let connection = idle[key]?.popLast() {
            if idle[key]?.isEmpty == true { idle[key] = nil }
            let isYoung = now < connection.idleSince + options.idleTimeout
            try? connection.stream.onEnd(nil)
            if isYoung, connection.isFresh { return connection }
            connection.close()
        }
        return nil
    }

    /// Keeps a connection whose response is complete, if it can be used again.
    func finish(_ connection: ClientConnection) {
        guard connection.finish() else { return }
        let key = connection.key
        guard options.idleLimit > 0 else { return connection.close() }
        let isWanted = turns[key]?.isEmpty == false
        // Another host's request needs the process.
        if key.isSecure, !isWanted, options.tls?.isContended == true { return connection.close() }
        if idle[key, default: []].count >= options.idleLimit { idle[key]?.removeFirst().close() }
        connection.idleSince = .now
        idle[key, default: []].append(connection)
        try? connection.stream.onEnd { [weak self, weak connection] in
            guard let self, let connection else { return }
            idle[key]?.removeAll { $0 === connection }
            if idle[key]?.isEmpty == true { idle[key] = nil }
            connection.close()
        }
        if isWanted { turns[key]?.removeFirst().sleep.cancel() }
        beginSweep()
    }

    /// Closes connections when they were idle for `idleTimeout`.
    private func beginSweep() {
        guard sweep == nil, let oldest = idle.values.joined().map(\.idleSince).min() else { return }
        sweep = LoopTimer(at: oldest + options.idleTimeout, on: loop) { [weak self] in
            guard let self else { return }
            sweep = nil
            let now = LoopInstant.now
            for (key, connections) in idle {
                let old = connections.filter { $0.idleSince + options.idleTimeout <= now }
                for connection in old { connection.close() }
                idle[key]?.removeAll { connection in old.contains { $0 === connection } }
                if idle[key]?.isEmpty == true { idle[key] = nil }
            }
            beginSweep()
        }
    }

    // MARK: New connections

    private func connect(_ key: Key, _ deadline: LoopInstant) async throws -> ByteStream {
        if let path = key.unixPath {
            return try await .connect(to: .unix(path), on: loop, deadline: deadline)
        }
        if let connector = options.connector {
            return try await connector(
                HTTPDestination(
                    host: key.host, port: key.port, isSecure: key.isSecure, loop: loop,
                    deadline: deadline))
        }
        if key.isSecure { throw HTTPClientError.noTLS }
        let isProxy = options.proxy.map { $0.host == key.host && $0.port == key.port } ?? false
        let addresses = try await addresses(
            key.host, key.port, deadline, isChecked: !isProxy)
        return try await connect(addresses, key.port, deadline)
    }

    private func connect(
        _ addresses: [HostAddress], _ port: UInt16, _ deadline: LoopInstant
    ) async throws(LoopError) -> ByteStream {
        do throws(HostError) {
            return try await ByteStream.connect(
                to: addresses, port: port, on: loop, deadline: deadline)
        } catch {
            guard case .connection(let reason) = error else { throw .system(.hostunreach) }
            throw reason
        }
    }

    /// The addresses of a host that may be connected to; at least one.
    private func addresses(
        _ host: Authority.Host, _ port: UInt16, _ deadline: LoopInstant, isChecked: Bool
    ) async throws -> [HostAddress] {
        var addresses: [HostAddress]
        switch host {
        case .address(let address):
            addresses =
                HostAddress(String(decoding: address.bytes, as: UTF8.self)).map { [$0] } ?? []
        case .name(let name):
            if let resolver = options.resolver {
                let text = String(decoding: name, as: UTF8.self)
                let loop = loop
                do {
                    addresses = try await loop.withDeadline(deadline) {
                        try await resolver.addresses(of: text, on: loop)
                    }
                } catch let error as NameError {
                    if case .loop(let reason) = error { throw reason }
                    throw HTTPClientError.name(error)
                }
            } else {
                guard name == Array("localhost".utf8) else {
                    throw HTTPClientError.unknownName(name)
                }
                addresses = [.loopback4, .loopback6]
            }
        }
        if isChecked {
            let before = addresses.count
            addresses = addresses.filter(options.isAllowed)
            if let isAllowed = options.isAllowedFor {
                addresses = addresses.filter { isAllowed($0, host, port) }
            }
            if addresses.isEmpty, before > 0 { throw HTTPClientError.addressNotAllowed }
        }
        if addresses.isEmpty { throw HTTPClientError.name(.noAddress) }
        return addresses
    }

    // MARK: New connections with TLS

    private func connect(
        _ key: Key, _ tls: TLSProgram, _ slot: TLSProgram.Slot, _ deadline: LoopInstant
    ) async throws -> (ByteStream, TLSSession) {
        let proxy = options.proxy
        let port = proxy?.port ?? key.port
        let addresses = try await addresses(
            proxy?.host ?? key.host, port, deadline, isChecked: proxy == nil)
        let address: SystemAddress
        if addresses.count == 1 {
            address = addresses[0].with(port: port)
        } else if let known = preferred[key],
            addresses.contains(where: { $0.with(port: port) == known })
        {
            address = known
        } else {
            // The program tries one address, and for minutes: a connection that is closed at once
            // shows which one works.
            let probe = try await connect(addresses, port, deadline)
            guard let found = probe.peerAddress else { throw LoopError.system(.notconn) }
            probe.close()
            address = found
            if preferred.count >= 256 { preferred = [:] }
            preferred[key] = found
        }
        let target = TLSTarget(
            host: key.host, port: key.port, address: address, isProxied: proxy != nil,
            authorization: proxy?.authorization)
        do throws(TLSError) {
            return try await tls.connect(target, slot, on: loop, deadline: deadline)
        } catch {
            preferred[key] = nil
            throw error
        }
    }

    /// The right to start a TLS program. Nil after a wait: a connection may have become free.
    private func slot(
        _ key: Key, _ tls: TLSProgram, _ deadline: LoopInstant
    ) async throws -> TLSProgram.Slot? {
        if let slot = tls.takeSlot() { return slot }
        closeOneSecure()
        if let slot = tls.takeSlot() { return slot }
        tls.askForRoom()
        let loop = loop
        let sleep = loop.spawn { (try? await loop.sleep(until: deadline)) != nil }
        let number = tls.add(waiting: sleep)
        turns[key, default: []].append((number, sleep))
        let isOver = await withTaskCancellationHandler {
            await sleep.value
        } onCancel: {
            sleep.cancel()
        }
        tls.remove(waiting: number)
        turns[key]?.removeAll { $0.number == number }
        if turns[key]?.isEmpty == true { turns[key] = nil }
        if Task.isCancelled || isOver {
            // The turn that this task may have been given is for the next one.
            tls.wakeNext()
            if Task.isCancelled { throw HTTPClientError.cancelled }
            throw TLSError.limit(tls.limit)
        }
        return nil
    }

    /// Closes the connection with TLS that was idle for the longest time, so that its process ends.
    func closeOneSecure() {
        guard loop.isCurrent else { return }
        let oldest = idle.filter { $0.key.isSecure }.values.compactMap(\.first)
            .min { $0.idleSince < $1.idleSince }
        guard let oldest else { return }
        idle[oldest.key]?.removeAll { $0 === oldest }
        if idle[oldest.key]?.isEmpty == true { idle[oldest.key] = nil }
        oldest.close()
    }
}
