import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdDiscovery

/// The whole on the interface of loopback, at a port of its own.
@Suite struct LoopTests {
    private static let port: UInt16 = 25_353

    @Test func findsAServiceOfAnotherDiscovery() throws {
        let loop = try EventLoop()
        let service = try #require(try loop.run { try await Self.find(on: $0) })
        #expect(service.host == DomainName("here.local"))
        #expect(service.addresses.first?.address == .loopback4)
    }

    private static func find(on loop: EventLoop) async throws -> DiscoveredService? {
        var options = LocalDiscovery.Options()
        options.interfaces = [Array("lo".utf8)]
        options.hostName = Array("here".utf8)
        let server = try LocalDiscovery(DiscoverySockets(port: port), on: loop, options: options)
        let client = try LocalDiscovery(DiscoverySockets(port: port), on: loop, options: options)
        #expect(server.failure == nil)
        let log = EventLog()
        _ = client.browse(try webthing(), onEvent: log.take)
        _ = try server.advertise(try service("oven"))
        for _ in 0..<100 where log.names.isEmpty { try await loop.sleep(for: .milliseconds(100)) }
        let found = log.current["oven"]
        server.close()
        for _ in 0..<100 where !log.names.isEmpty { try await loop.sleep(for: .milliseconds(100)) }
        #expect(log.names.isEmpty)
        client.close()
        return found
    }

    @Test func listsTheInterfaces() throws {
        let list = try InterfaceList().list()
        let loopback = try #require(list.first { $0.isLoopback })
        #expect(loopback.name == Array("lo".utf8))
        #expect(
            loopback.addresses.contains { $0.bytes == [127, 0, 0, 1] && $0.prefixLength == 8 })
    }

    @Test func knowsWhatAnAddressReaches() {
        let address = NetworkInterface.Address(bytes: [10, 1, 2, 3], prefixLength: 20)
        #expect(address.reaches([10, 1, 15, 255]))
        #expect(!address.reaches([10, 1, 16, 0]))
        #expect(!address.reaches([UInt8](repeating: 0, count: 16)))
        #expect(
            NetworkInterface.Address(bytes: [1, 2, 3, 4], prefixLength: 0).reaches([9, 9, 9, 9]))
        let host = NetworkInterface.Address(bytes: [1, 2, 3, 4], prefixLength: 32)
        #expect(host.reaches([1, 2, 3, 4]))
        #expect(!host.reaches([1, 2, 3, 5]))
    }

    @Test func closedOnesDoNothing() throws {
        let loop = try EventLoop()
        try loop.run { loop in
            let discovery = try LocalDiscovery(DiscoverySockets(port: Self.port), on: loop)
            discovery.close()
            discovery.close()
            let type = try webthing()
            _ = discovery.browse(type) { _ in }
            #expect(throws: DiscoveryError.closed) {
                _ = try discovery.advertise(
                    AdvertisedService(instance: [65], type: type, port: 1))
            }
        }
    }
}
