import WasmInterpreter

// Calls on sockets, which a guest gets from its embedder or accepts from one it got.

extension WASIGuest {
    func sock_accept(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ result: UInt32,
        _ caller: borrowing Caller
    ) throws {
        let listener = try table[fd]
        let number = try listener.socket(.sockAccept)
        let flags = try Fdflags(checking: flags)
        guard flags.isSubset(of: .nonblock) else { throw Errno.inval }
        let result = try memory.result32(result)
        guard table.hasRoom else { throw Errno.mfile }
        let accepted = try listener.waiting(isReading: true, caller) { () throws(Errno) in
            Int(try System.accept(number))
        }
        let connection = Int32(truncatingIfNeeded: try accepted.get())
        let descriptor = Descriptor(
            .socket(connection), filetype: System.socketType(connection), rights: .socket,
            flags: flags)
        result.store(try table.insert(descriptor))
    }

    func sock_recv(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ flags: UInt32,
        _ byteCount: UInt32, _ roflags: UInt32, _ caller: borrowing Caller
    ) throws {
        let descriptor = try table[fd]
        let number = try descriptor.socket(.fdRead)
        guard let flags = UInt16(exactly: flags),
            Riflags.all.rawValue | flags == Riflags.all.rawValue
        else { throw Errno.inval }
        let options = Riflags(rawValue: flags)
        let byteCount = try memory.result32(byteCount)
        let roflags = try memory.pointer(roflags, byteCount: 2)
        var isTruncated = false
        let received = try memory.withVectors(iovs, count: count, caller.stopSignal) {
            (vectors) throws(Errno) in
            let receive = { (vectors: UnsafeBufferPointer<HostVector>) throws(Errno) in
                let received = try System.receive(number, vectors, options)
                isTruncated = received.isTruncated
                return received.byteCount
            }
            // Who only looks finds the same bytes again: there is no waiting for more.
            guard options == .recvWaitall, descriptor.filetype == .socketStream else {
                return try descriptor.waiting(isReading: true, caller) { () throws(Errno) in
                    try receive(vectors)
                }
            }
            return try descriptor.transferringAll(vectors, isReading: true, caller, receive)
        }
        byteCount.store(UInt32(clamping: try received.get()))
        roflags.storeBytes(of: UInt16(isTruncated ? 1 : 0).littleEndian, as: UInt16.self)
    }

    func sock_send(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ flags: UInt32,
        _ result: UInt32, _ caller: borrowing Caller
    ) throws {
        let descriptor = try table[fd]
        _ = try descriptor.socket(.fdWrite)
        // The specification has no flags for sending.
        guard flags == 0 else { throw Errno.inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count, caller.stopSignal) {
            (vectors) throws(Errno) in
            try descriptor.write(vectors, caller)
        }
        result.store(UInt32(clamping: try byteCount.get()))
    }

    func sock_shutdown(_ fd: UInt32, _ how: UInt32) throws(Errno) {
        let number = try table[fd].socket(.sockShutdown)
        guard let how = UInt8(exactly: how), how != 0,
            Sdflags.all.rawValue | how == Sdflags.all.rawValue
        else { throw .inval }
        try System.shutdown(number, Sdflags(rawValue: how))
    }
}

extension Descriptor {
    /// The host's descriptor of a socket; `notsock` for anything else.
    fileprivate func socket(_ needed: Rights) throws(Errno) -> Int32 {
        guard kind == .socket, let number = hostNumber else { throw .notsock }
        try require(needed)
        return number
    }
}
