import Testing
import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop
import WasmdWasmiot

@Suite struct WasmiotDiscoveryTests {
    @Test func supervisorsAreAdvertisedAsExistingOnesAre() throws {
        let service = try #require(
            AdvertisedService(supervisor: "pi.5000", listener: .ipv4([10, 0, 0, 1], port: 5000)))
        #expect(service.instance == Array("pi.5000".utf8))
        #expect(service.type == ServiceType("_webthing._tcp.local."))
        #expect(service.port == 5000)
        #expect(service.listener == .ipv4([10, 0, 0, 1]))
        #expect(service.addressKey == "address")
        #expect(
            service.text.strings.map { String(decoding: $0, as: UTF8.self) } == ["path=/", "tls=0"])
        let long = String(repeating: "\u{e9}", count: 40)
        let cut = try #require(
            AdvertisedService(supervisor: long, listener: .ipv4([0, 0, 0, 0], port: 1)))
        #expect(cut.instance == Array(String(repeating: "\u{e9}", count: 31).utf8))
        #expect(AdvertisedService(supervisor: "x", listener: .unix([1])) == nil)
        #expect(AdvertisedService(supervisor: "", listener: .ipv4([0, 0, 0, 0], port: 1)) == nil)
    }

    @Test func orchestratorsHaveAFixedName() throws {
        let service = try #require(
            AdvertisedService(orchestrator: .ipv4([0, 0, 0, 0], port: 3000)))
        #expect(service.instance == Array("orchestrator".utf8))
        #expect(service.text.strings.isEmpty)
        #expect(service.addressKey == nil)
    }

    private func found(_ text: TextRecord, _ addresses: [HostAddress]) throws -> DiscoveredService {
        DiscoveredService(
            instance: Array("pi".utf8), type: try #require(ServiceType.webthing),
            host: try #require(DomainName("pi.local")), port: 5000, text: text,
            addresses: addresses.map { .init($0, interface: 2) })
    }

    @Test func whatIsFoundIsARegistration() throws {
        let linkLocal: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 1, count: 14)
        let text = try #require(
            TextRecord(["path": "/", "tls": "1", "address": "10.0.0.1", "other": "x"]))
        let registration = try #require(
            DeviceRegistration(try found(text, [.ipv4([10, 0, 0, 1]), .ipv6(linkLocal)])))
        #expect(registration.name == "pi")
        #expect(registration.host == "pi.local.")
        #expect(registration.port == 5000)
        #expect(registration.addresses == ["10.0.0.1"])
        #expect(registration.scheme == "https")
        #expect(
            registration.properties
                == .object([
                    .init("path", "/"), .init("tls", "1"), .init("address", "10.0.0.1"),
                ]))
        #expect(DeviceRegistration(try found(text, [.ipv6(linkLocal)])) == nil)
        var broken = try found(text, [.ipv4([10, 0, 0, 1])])
        broken.instance = [0xff]
        #expect(DeviceRegistration(broken) == nil)
    }
}
