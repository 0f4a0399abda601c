import WasmInterpreter

// Calls on sockets, which a guest gets from its embedder or accepts.

extension WASIGuest {
    func sock_accept(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ result: UInt32,
        _ caller: borrowing Caller
    ) throws {
        let listener = try table[fd]
        // A socket of the embedder is a connection.
        guard listener.streamSocket == nil else { throw Errno.inval }
        let stream = listener.guestStream as? any StreamListener
        if stream == nil { _ = try listener.socket(.sockAccept) }
        let flags = try Fdflags(checking: flags)
        guard flags.isSubset(of: .nonblock) else { throw Errno.inval }
        if let stream {
            try listener.require(.sockAccept)
            return try accept(memory, listener, stream, flags, result)
        }
        try accept(memory, listener, flags, result)
    }

    /// Accepts a connection from a listener of the embedder, or waits for one.
    private func accept(
        _ memory: GuestMemory, _ listener: Descriptor, _ stream: any StreamListener,
        _ flags: Fdflags, _ result: UInt32
    ) throws {
        let result32 = try memory.result32(result)
        guard table.hasRoom else { throw Errno.mfile }
        var socket: (any StreamSocket)?
        let waits = listener.isPatient && !stream.isPolled
        let accepted = try listener.patiently(waits) { () throws(Errno) in
            socket = try stream.accept()
            return 0
        }
        guard case .bytes = accepted, let socket else {
            guard case .notYet(_, let turn) = accepted else { throw Errno.again }
            throw waiting(listener.wait(isReading: true, since: turn)) { [self] memory, _ in
                try accept(memory, listener, stream, flags, result)
            }
        }
        let descriptor = Descriptor(socket, [.reading, .writing])
        try descriptor.setFlags(flags)
        result32.store(try table.insert(descriptor))
    }

    /// Accepts a connection, or waits for one.
    private func accept(
        _ memory: GuestMemory, _ listener: Descriptor, _ flags: Fdflags, _ result: UInt32
    ) throws {
        let number = try listener.socket(.sockAccept)
        let result32 = try memory.result32(result)
        guard table.hasRoom else { throw Errno.mfile }
        let accepted = try listener.patiently(listener.isPatient) { () throws(Errno) in
            Int(try System.accept(number))
        }
        guard case .bytes(let connection) = accepted else {
            throw waiting(listener.wait(isReading: true, since: 0)) { [self] memory, _ in
                try accept(memory, listener, flags, result)
            }
        }
        let accepted32 = Int32(truncatingIfNeeded: connection)
        let descriptor = Descriptor(
            .socket(accepted32), filetype: System.socketType(accepted32), rights: .socket,
            flags: flags)
        result32.store(try table.insert(descriptor))
    }

    func sock_recv(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ flags: UInt32,
        _ byteCount: UInt32, _ roflags: UInt32, _ caller: borrowing Caller
    ) throws {
        let descriptor = try table[fd]
        try descriptor.requireSocket(.fdRead)
        guard let flags = UInt16(exactly: flags),
            Riflags.all.rawValue | flags == Riflags.all.rawValue
        else { throw Errno.inval }
        try receive(
            memory,
            ReceiveCall(
                descriptor: descriptor, iovs: iovs, count: count, options: Riflags(rawValue: flags),
                byteCount: byteCount, roflags: roflags),
            after: 0, caller)
    }

    /// The arguments of `sock_recv`.
    private struct ReceiveCall {
        let descriptor: Descriptor
        let iovs: UInt32
        let count: UInt32
        let options: Riflags
        /// Addresses of the results.
        let byteCount: UInt32
        let roflags: UInt32
    }

    /// Receives, or waits for more.
    ///
    /// - Parameter done: bytes received before the guest waited.
    private func receive(
        _ memory: GuestMemory, _ call: ReceiveCall, after done: Int, _ caller: borrowing Caller
    ) throws {
        let descriptor = call.descriptor
        try descriptor.requireSocket(.fdRead)
        let byteCount = try memory.result32(call.byteCount)
        let roflags = try memory.pointer(call.roflags, byteCount: 2)
        var isTruncated = false
        let received = try memory.withVectors(call.iovs, count: call.count, caller.stopSignal) {
            (vectors) throws(Errno) in
            let receive = { (vectors: UnsafeBufferPointer<HostVector>) throws(Errno) in
                let received = try descriptor.receive(vectors, call.options)
                isTruncated = received.isTruncated
                return received.byteCount
            }
            // Peeked bytes stay queued, so waiting for the full count could never end.
            guard call.options == .recvWaitall, descriptor.filetype == .socketStream else {
                return try descriptor.patiently(descriptor.isPatient) { () throws(Errno) in
                    try receive(vectors)
                }
            }
            return try descriptor.transferringAll(
                vectors, after: done, isPatient: descriptor.isPatient, caller.stopSignal, receive)
        }
        switch received {
        case .bytes(let count):
            byteCount.store(UInt32(clamping: count))
            roflags.storeBytes(of: UInt16(isTruncated ? 1 : 0).littleEndian, as: UInt16.self)
        case .notYet(let done, let turn):
            throw waiting(descriptor.wait(isReading: true, since: turn)) { [self] memory, caller in
                try receive(memory, call, after: done, caller)
            }
        }
    }

    func sock_send(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ flags: UInt32,
        _ result: UInt32, _ caller: borrowing Caller
    ) throws {
        let descriptor = try table[fd]
        try descriptor.requireSocket(.fdWrite)
        // The specification has no flags for sending.
        guard flags == 0 else { throw Errno.inval }
        try write(memory, descriptor, iovs, count, result, after: 0, caller)
    }

    func sock_shutdown(_ fd: UInt32, _ how: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireSocket(.sockShutdown)
        guard let how = UInt8(exactly: how), how != 0,
            Sdflags.all.rawValue | how == Sdflags.all.rawValue
        else { throw .inval }
        let directions = Sdflags(rawValue: how)
        guard let socket = descriptor.streamSocket else {
            return try System.shutdown(descriptor.socket(.sockShutdown), directions)
        }
        var ended: Wait.Directions = []
        if directions.contains(.rd) { ended.insert(.reading) }
        if directions.contains(.wr) { ended.insert(.writing) }
        try socket.shutdown(ended)
    }
}

extension Descriptor {
    /// The host's descriptor of a socket; `notsock` for anything else.
    fileprivate func socket(_ needed: Rights) throws(Errno) -> Int32 {
        guard kind == .socket, let number = hostNumber else { throw .notsock }
        try require(needed)
        return number
    }

    /// Throws `notsock` for anything but a socket of the host or the embedder, `notcapable` without
    /// the right.
    fileprivate func requireSocket(_ needed: Rights) throws(Errno) {
        guard kind == .socket || streamSocket != nil else { throw .notsock }
        try require(needed)
    }

    /// Receives once; `isTruncated` is set if a message was longer than the buffers.
    fileprivate func receive(
        _ vectors: UnsafeBufferPointer<HostVector>, _ options: Riflags
    ) throws(Errno) -> (byteCount: Int, isTruncated: Bool) {
        guard let stream = virtualFile as? EmbedderStream else {
            return try System.receive(socket(.fdRead), vectors, options)
        }
        let peeks = options.contains(.recvPeek)
        let isTruncated = stream.isTruncated(for: vectors)
        return (try peeks ? stream.peek(vectors) : stream.read(vectors), isTruncated)
    }
}
