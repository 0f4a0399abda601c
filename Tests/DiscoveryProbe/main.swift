import WasmSystem
import WasmdDiscovery
import WasmdEventLoop

// Advertises services and prints what it finds, for `Scripts/compare-mdns` and the tests of
// discovery:
//
//     discovery-probe SECONDS [host=NAME] [interface=NAME] [port=NUMBER] COMMAND...
//
// Commands are browse:TYPE and advertise:TYPE:PORT:INSTANCE[:KEY=VALUE]... Prints one line for each
// event, and says goodbye at the end.

func write(_ line: String) { print(line) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func describe(_ service: DiscoveredService) -> String {
    let addresses = service.addresses.map(\.address.text).joined(separator: ",")
    let strings = service.text.strings.map(text).joined(separator: ",")
    return "\(text(service.instance)) host=\(service.host) port=\(service.port) "
        + "addresses=\(addresses) text=\(strings)"
}

struct ProbeFailure: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
}

func run(_ arguments: [String], _ loop: EventLoop) async throws {
    guard let seconds = arguments.first.flatMap({ Double($0) }) else {
        throw ProbeFailure("usage: discovery-probe SECONDS COMMAND...")
    }
    var options = LocalDiscovery.Options()
    var port: UInt16 = 5353
    var commands: [[String]] = []
    for argument in arguments.dropFirst() {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        switch (parts.first, parts.last) {
        case ("host", let value?): options.hostName = Array(value.utf8)
        case ("interface", let value?): options.interfaces = [Array(value.utf8)]
        case ("port", let value?): port = UInt16(value) ?? port
        default: commands.append(argument.split(separator: ":").map(String.init))
        }
    }
    let sockets = DiscoverySockets(port: port)
    let discovery = try LocalDiscovery(sockets, on: loop, options: options)
    if let failure = discovery.failure { write("failure: \(failure)") }
    var kept: [AnyObject] = []
    for command in commands {
        guard command.count > 1, let type = ServiceType(command[1]) else {
            throw ProbeFailure("no command: \(command)")
        }
        switch command[0] {
        case "browse":
            kept.append(
                discovery.browse(type) { event in
                    switch event {
                    case .added(let service): write("added \(describe(service))")
                    case .changed(let service): write("changed \(describe(service))")
                    case .removed(let service): write("removed \(describe(service))")
                    }
                })
        case "advertise":
            guard command.count > 3, let port = UInt16(command[2]),
                let strings = TextRecord(strings: command.dropFirst(4).map { Array($0.utf8) })
            else { throw ProbeFailure("no service: \(command)") }
            do throws(DiscoveryError) {
                kept.append(
                    try discovery.advertise(
                        AdvertisedService(
                            instance: Array(command[3].utf8), type: type, port: port, text: strings,
                            addressKey: "address")
                    ) { write("renamed \(text($0))") })
            } catch {
                write("failure: \(error)")
            }
        default: throw ProbeFailure("no command: \(command)")
        }
    }
    try await loop.sleep(for: .milliseconds(Int64(seconds * 1000)))
    discovery.close()
    withExtendedLifetime(kept) {}
    write("received \(discovery.receivedCount) unsent \(discovery.unsentCount)")
}

do {
    let loop = try EventLoop()
    let arguments = Array(CommandLine.arguments.dropFirst())
    try loop.run { loop in try await run(arguments, loop) }
} catch {
    write("failure: \(error)")
}
