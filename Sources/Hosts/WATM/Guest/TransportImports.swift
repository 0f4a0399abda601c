import WasmInterpreter
import WasmdGuests

/// What the host offers to the guests of a version as module `env`.
enum TransportImports {
    /// One for each version, so that prepared guests can be told apart.
    private static let all: [TransportVersion: GuestImports] = {
        var all: [TransportVersion: GuestImports] = [:]
        for version in TransportVersion.allCases {
            all[version] = GuestImports { define(on: $0, version) }
        }
        return all
    }()

    static func imports(of version: TransportVersion) -> GuestImports {
        all[version] ?? .none
    }

    static func define(on linker: Linker, _ version: TransportVersion) {
        switch version {
        case .v0: defineV0(on: linker)
        case .v1: defineV1(on: linker)
        case .preview, .olderPreview: definePreview(on: linker)
        }
    }

    /// Calls `body` with the guest; a function of a store without one finds no device.
    private static func define(
        _ name: Name, on linker: Linker,
        _ body: @escaping @Sendable (TransportGuest) throws -> Int32
    ) {
        linker.defineShared("env", name) { (caller: borrowing Caller) throws -> Int32 in
            guard let guest = caller[TransportGuest.key] else { return GuestNumber.noDevice.value }
            do {
                let number = try body(guest)
                guest.note("\(name)() = \(GuestNumber(number).text)")
                return number
            } catch let suspension as Suspension {
                guest.note("\(name)() waits")
                throw suspension
            }
        }
    }

    private static func defineV0(on linker: Linker) {
        define("host_dial", on: linker) { try $0.dial(.remote) }
        define("host_accept", on: linker) { $0.accept() }
        define("pull_config", on: linker) { $0.pullConfiguration() }
        // Only says that the guest is about to end; what it has is closed when its worker returns.
        linker.defineShared("env", "host_defer") { (caller: borrowing Caller) in
            caller[TransportGuest.key]?.note("host_defer()")
        }
    }

    /// Bytes of a name of a network or an address at most.
    private static let textLimit = 256

    private static func defineV1(on linker: Linker) {
        define("water_dial_fixed", on: linker) { try $0.dial(.remote) }
        define("water_accept", on: linker) { $0.accept() }
        linker.defineShared("env", "water_dial") {
            (
                caller: borrowing Caller, networks: UInt32, networkCount: UInt32,
                addresses: UInt32, addressCount: UInt32
            ) throws -> Int32 in
            guard let guest = caller[TransportGuest.key] else { return GuestNumber.noDevice.value }
            guard let memory = try? caller.memory,
                let network = text(memory, networks, networkCount),
                let address = text(memory, addresses, addressCount)
            else { return GuestNumber.invalidArgument.value }
            return try guest.dial(network: network, address: address)
        }
    }

    /// A text in parts, each an address and a count; nil if it is too long or not in memory.
    private static func text(_ memory: Memory, _ parts: UInt32, _ count: UInt32) -> [UInt8]? {
        guard count <= textLimit,
            let words = try? memory.loadArray(of: UInt32.self, at: parts, count: 2 * count)
        else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: words.count, by: 2) {
            guard words[index + 1] <= textLimit,
                let part = try? memory.loadArray(
                    of: UInt8.self, at: words[index], count: words[index + 1])
            else { return nil }
            bytes += part
            if bytes.count > textLimit { return nil }
        }
        return bytes
    }

    /// Bytes of an encoded place at most.
    private static let placeLimit: UInt32 = 4096

    private static func definePreview(on linker: Linker) {
        linker.defineShared("env", "connect_tcp") {
            (caller: borrowing Caller, address: UInt32, count: UInt32) throws -> Int32 in
            guard let guest = caller[TransportGuest.key] else { return GuestNumber.noDevice.value }
            guard let memory = try? caller.memory, let place = place(memory, address, count) else {
                return GuestNumber.invalidArgument.value
            }
            guest.note("connect_tcp(\(HarmlessText.text(place.text, atMost: 200)))")
            return try guest.connectTCP(place)
        }
        linker.defineShared("env", "create_listen") {
            (caller: borrowing Caller, address: UInt32, count: UInt32) -> Int32 in
            guard let guest = caller[TransportGuest.key] else { return GuestNumber.noDevice.value }
            guard let memory = try? caller.memory, let place = place(memory, address, count) else {
                return GuestNumber.invalidArgument.value
            }
            return guest.createListener(place)
        }
        define("pull_config", on: linker) { $0.pullConfiguration() }
    }

    private static func place(_ memory: Memory, _ address: UInt32, _ count: UInt32) -> PreviewPlace?
    {
        guard count <= placeLimit,
            let bytes = try? memory.loadArray(of: UInt8.self, at: address, count: count)
        else { return nil }
        return PreviewPlace(bytes)
    }
}
