import Testing
import WasmSystem
import WasmdEventLoop

private func receivingFails(_ socket: DatagramSocket) async -> LoopError? {
    do throws(LoopError) {
        _ = try await socket.receive()
        return nil
    } catch {
        return error
    }
}

@Suite struct DatagramTests {
    @Test(arguments: [
        SystemAddress.ipv4([127, 0, 0, 1], port: 0),
        .ipv6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], port: 0),
    ])
    func messagesArriveWhole(_ address: SystemAddress) throws {
        try onLoop { loop in
            guard let server = try? DatagramSocket(boundTo: address, on: loop) else {
                // No IPv6 on this machine.
                guard case .ipv6 = address else { throw LoopError.closed }
                return
            }
            let client = try DatagramSocket(
                connectedTo: try #require(server.localAddress), on: loop)
            try await client.send([1, 2, 3])
            try await client.send([])
            try await client.send([UInt8](repeating: 9, count: 1000))
            let first = try await server.receive()
            #expect(first.bytes == [1, 2, 3])
            #expect(first.sender == client.localAddress)
            #expect(try await server.receive().bytes == [])
            let cut = try await server.receive(limit: 10)
            #expect(cut.bytes.count == 10)
            #expect(cut.isTruncated)
            try await server.send([4], to: first.sender)
            #expect(try await client.receive().bytes == [4])
        }
    }

    @Test func waitingForAMessageTimesOut() throws {
        try onLoop { loop in
            let socket = try DatagramSocket(boundTo: loopback, on: loop)
            socket.deadline = .after(.milliseconds(5))
            #expect(await receivingFails(socket) == .timedOut)
        }
    }

    @Test func aPeerThatIsNotThereIsReported() throws {
        try onLoop { loop in
            let server = try DatagramSocket(boundTo: loopback, on: loop)
            let address = try #require(server.localAddress)
            server.close()
            let client = try DatagramSocket(connectedTo: address, on: loop)
            client.deadline = .after(.seconds(5))
            try await client.send([1])
            #expect(await receivingFails(client) == .system(.connrefused))
        }
    }

    @Test func membersOfAGroupReceiveWhatIsSentToIt() throws {
        guard let interface = Kernel.interfaceIndex(CString(path: "lo".utf8)) else { return }
        let received = try onLoop { loop in try await Self.multicast(interface, on: loop) }
        // Nil: no route for multicast in this sandbox.
        if let received { #expect(received == [[1, 2], [1, 2]]) }
    }

    private static func multicast(
        _ interface: UInt32, on loop: EventLoop
    ) async throws -> [[UInt8]]? {
        let any = SystemAddress.ipv4([0, 0, 0, 0], port: 0)
        let member = try DatagramSocket(boundTo: any, sharesPort: true, on: loop)
        let port = try #require(member.localAddress?.port)
        let second = try DatagramSocket(
            boundTo: .ipv4([0, 0, 0, 0], port: port), sharesPort: true, on: loop)
        let group = SystemAddress.ipv4([224, 0, 0, 251], port: port)
        try member.join(group, interface: interface)
        try second.join(group, interface: interface)
        let sender = try DatagramSocket(boundTo: any, on: loop)
        try sender.setMulticast(interface: interface)
        member.deadline = .after(.seconds(5))
        second.deadline = .after(.seconds(5))
        let sending = await failure { () throws(LoopError) in
            try await sender.send([1, 2], to: group)
        }
        if sending == .system(.netunreach) { return nil }
        #expect(sending == nil)
        let received = [try await member.receive().bytes, try await second.receive().bytes]
        try member.leave(group, interface: interface)
        // It is no member any more.
        let again = await failure { () throws(LoopError) in
            try member.leave(group, interface: interface)
        }
        #expect(again == .system(.addrnotavail))
        return received
    }
}
