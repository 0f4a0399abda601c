import Testing
import WasmSystem
import WasmdEventLoop

@Suite struct DestinationOrderTests {
    private func sorted(_ pairs: [(String, String?)]) throws -> [String] {
        let addresses = try pairs.map {
            (try #require(HostAddress($0.0)), $0.1.flatMap { HostAddress($0) })
        }
        let names = Dictionary(uniqueKeysWithValues: zip(addresses.map(\.0), pairs.map(\.0)))
        return DestinationOrder.sorted(addresses).compactMap { names[$0] }
    }

    /// The examples of RFC 6724, section 10.2, which concern the rules that are here.
    @Test func theExamplesOfTheStandard() throws {
        #expect(
            try sorted([("198.51.100.121", "198.51.100.117"), ("2001:db8:1::1", "2001:db8:1::2")])
                == ["2001:db8:1::1", "198.51.100.121"])
        // Matching scope comes before precedence.
        #expect(
            try sorted([("2001:db8:1::1", "fe80::1"), ("198.51.100.121", "198.51.100.117")])
                == ["198.51.100.121", "2001:db8:1::1"])
        #expect(
            try sorted([("2001:db8:1::1", "2001:db8:1::2"), ("10.1.2.3", "10.1.2.4")])
                == ["2001:db8:1::1", "10.1.2.3"])
        // The smaller scope.
        #expect(
            try sorted([("2001:db8:1::1", "2001:db8:1::2"), ("fe80::1", "fe80::2")])
                == ["fe80::1", "2001:db8:1::1"])
        // Matching label: 6to4 to 6to4.
        #expect(
            try sorted([
                ("2001:db8:1::1", "2002:c633:6401::2"), ("2002:c633:6401::1", "2002:c633:6401::2"),
            ])
                == ["2002:c633:6401::1", "2001:db8:1::1"])
        // Precedence: native before 6to4.
        #expect(
            try sorted([
                ("2002:c633:6401::1", "2002:c633:6401::2"), ("2001:db8:1::1", "2001:db8:1::2"),
            ])
                == ["2001:db8:1::1", "2002:c633:6401::1"])
        // The longer common prefix.
        #expect(
            try sorted([("2001:db8:3ffe::1", "2001:db8:1::2"), ("2001:db8:1::1", "2001:db8:1::2")])
                == ["2001:db8:1::1", "2001:db8:3ffe::1"])
    }

    @Test func unreachableAddressesAreLast() throws {
        #expect(
            try sorted([
                ("2001:db8::1", nil), ("192.0.2.1", "192.0.2.9"), ("192.0.2.2", "192.0.2.9"),
            ])
                == ["192.0.2.1", "192.0.2.2", "2001:db8::1"])
    }

    @Test func theKernelNamesSources() throws {
        // Loopback has itself as its source.
        let address = HostAddress.loopback4.with(port: 53)
        guard case .ipv4(let bytes, _)? = try Kernel.sourceAddress(for: address) else {
            Issue.record("no source")
            return
        }
        #expect(bytes == [127, 0, 0, 1])
        #expect(DestinationOrder.sorted([.loopback4]) == [.loopback4])
    }
}
