import Testing
import WasmdEventLoop

@testable import WasmdWATM

@Suite struct ConfigurationTests {
    private func read(_ text: String) throws -> HostConfiguration {
        try HostConfiguration(Array(text.utf8))
    }

    @Test func everythingIsRead() throws {
        let found = try read(
            """
            {"transport_module": {"bin": "a.wasm", "config": "a.cfg"},
             "network": {
               "address_validator": {"catch_all": true, "allowlist": {"a:1": ["tcp"]},
                 "denylist": {"b:2": ["tcp", "udp"]}},
               "listener": {"network": "tcp", "address": "127.0.0.1:0"}},
             "module": {"argv": ["x", "y"], "env": {"A": "B"}, "inherit_stdin": true,
               "inherit_stdout": false, "inherit_stderr": null, "preopened_dirs": {"/h": "/g"}},
             "runtime": {"force_interpreter": true}}
            """)
        #expect(found.module == "a.wasm")
        #expect(found.configuration == "a.cfg")
        #expect(found.addresses.allowsOthers)
        #expect(found.addresses.denied == [.init("b:2", networks: ["tcp", "udp"])])
        #expect(found.listener?.address == "127.0.0.1:0")
        #expect(found.listenAddress == "127.0.0.1:0")
        var other = found
        other.listener = ("udp", "127.0.0.1:53")
        #expect(other.listenAddress == "udp:127.0.0.1:53")
        other.listener = ("unix", "/run/a.sock")
        #expect(other.listenAddress == "unix:/run/a.sock")
        #expect(found.arguments == ["x", "y"])
        #expect(found.environment.map(\.name) == ["A"])
        #expect(found.inheritsInput)
        #expect(found.inheritsOutput == false)
        #expect(found.inheritsError == nil)
        #expect(found.folders.map(\.guest) == ["/g"])
    }

    @Test func emptyIsEnough() throws {
        let found = try read("{}")
        #expect(found.module == nil)
        #expect(!found.addresses.allows(network: "tcp", "a:1"))
    }

    @Test(
        arguments: [
            ("", ""), ("[]", ""), ("{\"netwrk\": {}}", ""), ("{\"network\": 1}", "network"),
            ("{\"network\": {\"listener\": {\"address\": 7}}}", "network.listener.address"),
            ("{\"module\": {\"argv\": \"x\"}}", "module.argv"),
            ("{\"module\": {\"argv\": [1]}}", "module.argv"),
            ("{\"module\": {\"env\": {\"A\": 1}}}", "module.env"),
            ("{\"module\": {\"inherit_stdin\": \"yes\"}}", "module.inherit_stdin"),
            (
                "{\"network\": {\"address_validator\": {\"allowlist\": {\"a:1\": \"tcp\"}}}}",
                "network.address_validator.allowlist"
            ),
        ])
    func faultsNameTheirPlace(text: String, path: String) {
        #expect {
            try read(text)
        } throws: { ($0 as? HostConfiguration.Fault)?.path == path }
    }

    @Test func addressesAreAllowedByText() {
        var policy = AddressPolicy()
        #expect(!policy.allows(network: "tcp", "localhost:7700"))
        policy.allowed = [.init("localhost:7700", networks: ["tcp"]), .init("other:*")]
        #expect(policy.allows(network: "tcp", "localhost:7700"))
        #expect(!policy.allows(network: "udp", "localhost:7700"))
        #expect(!policy.allows(network: "tcp", "localhost:77"))
        #expect(policy.allows(network: "udp", "other:1"))
        #expect(!policy.allows(network: "udp", "another:1"))
        policy.denied = [.init("other:2")]
        #expect(!policy.allows(network: "tcp", "other:2"))
        policy.allowsOthers = true
        #expect(policy.allows(network: "tcp", "third:3"))
        #expect(!policy.allows(network: "tcp", "other:2"))
        // Compared by bytes, not after normalisation.
        policy = AddressPolicy()
        policy.allow("caf\u{e9}:1")
        #expect(!policy.allows(network: "tcp", "cafe\u{301}:1"))
    }

    @Test func theConfigurationOfAPreviewNamesAddresses() {
        var policy = AddressPolicy()
        policy.allowAddresses(
            in: Array(
                """
                {"remote_address": "127.0.0.1", "remote_port": 8388, "local_address": "::1",
                 "local_port": 1080}
                """.utf8))
        #expect(policy.allows(network: "tcp", "127.0.0.1:8388"))
        #expect(policy.allows(network: "tcp", "[::1]:1080"))
        #expect(!policy.allows(network: "tcp", "127.0.0.1:1080"))
        policy = AddressPolicy()
        policy.allowAddresses(in: [0xff, 0x7b])
        #expect(policy.allowed.isEmpty)
    }

    @Test func addressesOfRemotes() {
        #expect(TransportAddress("127.0.0.1:80") == .address(.ipv4([127, 0, 0, 1], port: 80)))
        #expect(TransportAddress("example.org:80") == .host("example.org", port: 80))
        #expect(TransportAddress("unix:a.sock") == .address(.unix(Array("a.sock".utf8))))
        #expect(TransportAddress("[::1]:80").map { "\($0)" } == "[::1]:80")
        for text in ["", ":", "a:", ":1", "a:0", "a:65536", "a:-1", "::1:80", "unix:", "a b:1"] {
            #expect(TransportAddress(text) == nil, "\(text)")
        }
    }

    @Test func placesOfThePreview() {
        func bytes(_ host: String, _ port: UInt32) -> [UInt8] {
            let host = Array(host.utf8)
            return (0..<8).map { UInt8(truncatingIfNeeded: host.count >> ($0 * 8)) } + host
                + (0..<4).map { UInt8(truncatingIfNeeded: port >> (UInt32($0) * 8)) }
        }
        #expect(PreviewPlace(bytes("localhost", 80))?.text == "127.0.0.1:80")
        #expect(PreviewPlace(bytes("::1", 80) + [1, 2, 3])?.text == "[::1]:80")
        #expect(PreviewPlace(bytes("a", 65536)) == nil)
        #expect(PreviewPlace(bytes("", 80)) == nil)
        #expect(PreviewPlace([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x61]) == nil)
        #expect(PreviewPlace([]) == nil)
    }
}
