import WasmInterpreter
import WasmWASI
import WasmdEventLoop
import WasmdGuests

// The preview of the Rust host. To dial, the host calls a function for each piece of bytes; to run,
// it calls an entry, which serves until it returns.

extension TransportSession {
    /// Serves with a guest of the preview.
    func runPreview(_ sockets: consuming Sockets) async throws -> TransportOutcome {
        let entry = try entry ?? transport.function(of: role, hasRemote: sockets.hasRemote)
        let clear = sockets.clear
        let (instance, guest) = try await makeInstance(sockets)
        try await initialise(instance, guest)
        if role == .run {
            return try await serve(instance, entry)
        }
        guard let clear else { return .refused("there is no connection to dial for") }
        return try await copy(instance, guest, clear)
    }

    private func name(_ function: String) -> Name {
        Name((transport.version == .preview ? "_water_" : "_") + function)
    }

    private func initialise(_ instance: Instance, _ guest: TransportGuest) async throws {
        // The older one takes whether to log everything.
        let arguments: [Value] = transport.version == .preview ? [] : [.i32(0)]
        _ = try await call(instance, name("init"), arguments)
        let configure = name("config")
        guard instance.function(configure) != nil, transport.configuration != nil else { return }
        let number = guest.pullConfiguration()
        guard number >= 0 else { throw TransportOutcome.Fault.outcome(.limit("descriptors")) }
        _ = try await call(instance, configure, [.i32(number)])
    }

    private func serve(_ instance: Instance, _ entry: Name) async throws -> TransportOutcome {
        guard let function = instance.function(entry) else {
            return .refused("\(entry) is not exported")
        }
        setDeadline(transport.options.limits.time)
        becameReady()
        _ = try await guests.finish(function.start())
        return .ended
    }

    // MARK: Dialing

    /// Bytes that the guest is given at once.
    private static let pieceLimit = 16 << 10

    private func copy(
        _ instance: Instance, _ guest: TransportGuest, _ clear: GuestSocket
    ) async throws -> TransportOutcome {
        let (own, guestsEnd) = MemorySocket.makePair(on: guests)
        bytesEnd = own
        guard let number = guest.push(guestsEnd) else { return .limit("descriptors") }
        try await setInbound(instance, guest, number, guestsEnd)
        do {
            _ = try await call(instance, name("dial"), [])
        } catch {
            // The guest panics if it has no connection.
            if let reason = guest.dialFailure { return .unreachable(reason) }
            throw error
        }
        guard let remote = guest.lastDialed else {
            return .unreachable(guest.dialFailure ?? "the guest made no connection")
        }
        guard let read = instance.function(name("read")),
            let write = instance.function(name("write"))
        else { return .refused("\(name("read")) and \(name("write")) are not exported") }
        setSides(near: clear, far: remote)
        setDeadline(transport.options.limits.time)
        becameReady()
        while !isInterrupted {
            let turns = (clear.changes.turn, remote.changes.turn, own.changes.turn)
            if clear.readableByteCount != nil {
                let bytes = try clear.readNow(upTo: Self.pieceLimit)
                if bytes.isEmpty { return .ended }
                try await own.write(bytes)
                let count = try await count(write.start([.i64(Int64(bytes.count))]))
                guard count == bytes.count else {
                    return .failed(function: "\(name("write"))", number: "\(count)")
                }
            } else if remote.readableByteCount != nil {
                let count = try await count(read.start())
                guard count > 0 else { return .ended }
                let bytes = try await own.read(upTo: Int(clamping: count))
                try await send(bytes, to: clear, unlessClosed: own)
            } else {
                try await guests.wait(
                    forAnyOf: [
                        (clear.changes, turns.0), (remote.changes, turns.1), (own.changes, turns.2),
                    ])
            }
        }
        return .cancelled
    }

    /// Gives the guest the side in clear: one descriptor, or one to read from and one to write to.
    private func setInbound(
        _ instance: Instance, _ guest: TransportGuest, _ number: Int32, _ socket: MemorySocket
    ) async throws {
        let function = name("set_inbound")
        guard let count = instance.function(function)?.type.parameters.count, count == 2 else {
            _ = try await call(instance, function, [.i32(number)])
            return
        }
        // Both are the same connection: it ends when the guest has closed both.
        guard let writer = guest.push(socket) else {
            throw TransportOutcome.Fault.outcome(.limit("descriptors"))
        }
        _ = try await call(instance, function, [.i32(number), .i32(writer)])
    }

    private func count(_ execution: Execution) async throws -> Int64 {
        if case .i64(let number)? = try await guests.finish(execution).first { number } else { 0 }
    }

    /// - Parameter own: is closed when nothing is waited for any more.
    private func send(
        _ bytes: [UInt8], to socket: GuestSocket, unlessClosed own: MemorySocket
    ) async throws {
        var position = 0
        while position < bytes.count, !isInterrupted {
            let turns = (socket.changes.turn, own.changes.turn)
            do throws(Errno) {
                position += try socket.writeNow(bytes, from: position)
                continue
            } catch {
                guard error == .again else { throw error }
            }
            try await guests.wait(
                forAnyOf: [(socket.changes, turns.0), (own.changes, turns.1)])
        }
    }
}
