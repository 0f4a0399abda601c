import WasmSystem
import WasmdEventLoop
import WasmdHTTP

extension TLSProgram {
    /// Connects to a host with TLS, for other protocols than HTTP. The certificate must be for the
    /// host, as for requests.
    ///
    /// The process of the connection is killed when the stream is closed: what was written just
    /// before may not have left. Who needs it to arrive waits for the end of the peer's bytes.
    ///
    /// - Throws: `TLSError`, `NameError`, `HostError`, `LoopError`.
    public func connect(
        to host: Authority.Host, port: UInt16, resolver: Resolver, on loop: EventLoop,
        deadline: LoopInstant
    ) async throws -> ByteStream {
        guard let slot = takeSlot() else { throw TLSError.limit(limit) }
        let name = String(decoding: host.bytes, as: UTF8.self)
        let addresses = try await loop.withDeadline(deadline) {
            try await resolver.addresses(of: name, on: loop)
        }
        guard let first = addresses.first else { throw NameError.noAddress }
        var address = first.with(port: port)
        if addresses.count > 1 {
            // The program tries one address, and for minutes: a connection that is closed at once
            // shows which one works.
            let probe = try await ByteStream.connect(
                to: addresses, port: port, on: loop, deadline: deadline)
            defer { probe.close() }
            guard let found = probe.peerAddress else { throw LoopError.system(.notconn) }
            address = found
        }
        var target = TLSTarget(host: host, port: port, address: address)
        target.application = nil
        return try await connect(target, slot, on: loop, deadline: deadline).0
    }
}
