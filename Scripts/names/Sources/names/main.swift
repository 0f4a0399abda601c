import WasmdEventLoop

// names PORT [SEARCH]     a line for each name of standard input: its addresses or the error

func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count > 1, let port = UInt16(arguments[1]) else {
        print("usage: names PORT [SEARCH]")
        return
    }
    var configuration = ResolverConfiguration(
        servers: [HostAddress.loopback4.with(port: port)],
        search: arguments.dropFirst(2).compactMap { DomainName($0) })
    configuration.timeout = 2
    let resolver = Resolver(configuration: configuration)
    try EventLoop().run { loop in
        while let host = readLine() {
            do throws(NameError) {
                let addresses = try await resolver.addresses(of: host, on: loop)
                print(host, addresses.map(text).sorted().joined(separator: " "))
            } catch {
                print(host, "error:", error)
            }
        }
    }
}

func text(_ address: HostAddress) -> String {
    switch address {
    case .ipv4(let bytes): bytes.map(String.init).joined(separator: ".")
    case .ipv6(let bytes):
        stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }
}

try main()
