import WasmInterpreter

// Calls on sockets, which a guest gets from its embedder or accepts from one it got.

extension WASIGuest {
    func sock_accept(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ result: UInt32
    ) throws(Errno) {
        let number = try table[fd].socket(.sockAccept)
        let flags = try Fdflags(checking: flags)
        guard flags.isSubset(of: .nonblock) else { throw .inval }
        let result = try memory.result32(result)
        guard table.hasRoom else { throw .mfile }
        let accepted = try System.accept(number, nonblocking: flags.contains(.nonblock))
        let descriptor = Descriptor(
            .socket(accepted), filetype: System.socketType(accepted), rights: .socket)
        result.store(try table.insert(descriptor))
    }

    func sock_recv(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ flags: UInt32,
        _ byteCount: UInt32, _ roflags: UInt32
    ) throws(Errno) {
        let number = try table[fd].socket(.fdRead)
        guard let flags = UInt16(exactly: flags),
            Riflags.all.rawValue | flags == Riflags.all.rawValue
        else { throw .inval }
        let byteCount = try memory.result32(byteCount)
        let roflags = try memory.pointer(roflags, byteCount: 2)
        let received = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try System.receive(number, vectors, Riflags(rawValue: flags))
        }
        byteCount.store(UInt32(clamping: received.byteCount))
        roflags.storeBytes(
            of: UInt16(received.isTruncated ? 1 : 0).littleEndian, as: UInt16.self)
    }

    func sock_send(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ flags: UInt32,
        _ result: UInt32
    ) throws(Errno) {
        let number = try table[fd].socket(.fdWrite)
        // The specification has no flags for sending.
        guard flags == 0 else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try System.send(number, vectors)
        }
        result.store(UInt32(clamping: byteCount))
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
