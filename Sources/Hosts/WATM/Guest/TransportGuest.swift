// Soundness: a guest is used on its loop's thread only: by its host functions, by its session, and
// by tasks of the loop.

import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

/// Where a guest wants to connect to.
enum DialTarget: Sendable {
    /// The remote that the host has chosen.
    case remote
    /// An address that the guest has chosen, and that is allowed: `HOST:PORT`.
    case chosen(TransportAddress)
}

/// The state of one guest that its host functions use, in its store.
@safe final class TransportGuest: @unchecked Sendable {
    typealias Connect = @Sendable (DialTarget) async throws -> GuestSocket

    static let key = HostKey<TransportGuest>()

    let wasi: WASIGuest
    let guests: GuestLoop
    private let policy: AddressPolicy
    private let carriesDatagrams: Bool
    private let limits: GuestSocketLimits
    private let configuration: MemoryFolder?
    private let trace: (@Sendable (String) -> Void)?
    /// Nil if the role connects to nothing.
    private let connect: Connect?
    /// The accepted connection, until the guest takes it; nil if the role accepts none.
    private var peer: GuestSocket?
    private let acceptsPeer: Bool
    /// Whether the host's remote takes the place of what a preview's guest chooses.
    private let hasRemote: Bool
    /// The connections that the guest has made or accepted, by its numbers for them.
    private var connections: [Int32: GuestSocket] = [:]
    private var dialing: LoopTask<Void>?
    /// Why the last connection was not made.
    private(set) var dialFailure: String?
    /// The last connection that the guest has made.
    private(set) var lastDialed: GuestSocket?

    init(
        _ wasi: WASIGuest, on guests: GuestLoop, _ options: TransportOptions,
        carriesDatagrams: Bool,
        configuration: MemoryFolder?, peer: GuestSocket?, connect: Connect?, hasRemote: Bool
    ) {
        self.wasi = wasi
        self.guests = guests
        self.carriesDatagrams = carriesDatagrams
        self.configuration = configuration
        self.peer = peer
        self.connect = connect
        acceptsPeer = peer != nil
        self.hasRemote = hasRemote
        policy = options.addresses
        limits = options.sockets
        trace = options.trace
    }

    /// Gives the guest a socket; nil if it has too many descriptors.
    func push(_ socket: GuestSocket) -> Int32? {
        (try? wasi.insert(socket)).map { Int32(bitPattern: $0) }
    }

    /// The connection that the guest has made or accepted under this number.
    func connection(_ number: Int32) -> GuestSocket? { connections[number] }

    /// The guest has ended: closes its descriptors, and what it has not taken.
    func end() {
        dialing?.cancel()
        wasi.closeAll()
        close(peer)
        peer = nil
        connections = [:]
        lastDialed = nil
    }

    private func close(_ socket: GuestSocket?) {
        // As the guest would.
        socket?.guestDidClose([.reading, .writing])
    }

    func note(_ line: @autoclosure () -> String) { trace?(line()) }

    // MARK: Host functions

    /// `host_accept`, `water_accept`
    func accept() -> Int32 {
        guard acceptsPeer else { return GuestNumber.noDevice.value }
        guard let peer else { return GuestNumber.notConnected.value }
        self.peer = nil
        return pushNew(peer)
    }

    /// `host_dial`, `water_dial_fixed`, `water_dial`, `connect_tcp`: the guest waits for the
    /// connection.
    func dial(_ target: DialTarget) throws -> Int32 {
        guard let connect else { return GuestNumber.noDevice.value }
        let pending = PendingDial()
        dialing = guests.loop.spawn { [self] in
            do {
                pending.result = .success(try await connect(target))
            } catch {
                pending.result = .failure(error)
            }
            guests.signal(pending.source)
            dialing = nil
        }
        return try finish(pending)
    }

    @safe private final class PendingDial: @unchecked Sendable {
        var result: Result<GuestSocket, any Error>?
        let source = WakeSource()
    }

    private func finish(_ pending: PendingDial) throws -> Int32 {
        let turn = pending.source.turn
        switch pending.result {
        case .success(let socket)?:
            dialFailure = nil
            lastDialed = socket
            return pushNew(socket)
        case .failure(let error)?:
            dialFailure = "\(error)"
            return GuestNumber.notConnected.value
        case nil:
            var wait = Wait()
            wait.add(pending.source, since: turn)
            throw Suspension(wait) { [self] _, slots in
                let number = try finish(pending)
                note(
                    dialFailure.map { "no connection: \($0)" } ?? "connected: descriptor \(number)")
                slots.setResult(i32: number)
            }
        }
    }

    private func pushNew(_ socket: GuestSocket) -> Int32 {
        guard let number = push(socket) else {
            close(socket)
            return GuestNumber.badDescriptor.value
        }
        connections[number] = socket
        return number
    }

    /// `pull_config`
    func pullConfiguration() -> Int32 {
        guard let configuration else { return GuestNumber.accessDenied.value }
        let file = TransportOptions.configurationFile
        guard let number = try? wasi.insert(reading: file, of: configuration) else {
            return GuestNumber.badDescriptor.value
        }
        return Int32(bitPattern: number)
    }

    /// `water_dial`: an address that the guest chooses.
    func dial(network: [UInt8], address: [UInt8]) throws -> Int32 {
        let networkName = String(decoding: network, as: UTF8.self)
        let isDatagram = carriesDatagrams && ["udp", "udp4", "udp6"].contains(networkName)
        guard isDatagram || ["tcp", "tcp4", "tcp6"].contains(networkName),
            let target = TransportAddress(address), !target.carriesDatagrams
        else { return GuestNumber.invalidArgument.value }
        let text = String(decoding: address, as: UTF8.self)
        guard policy.allows(network: networkName, text) else { return refuse("connect to", text) }
        return try dial(.chosen(isDatagram ? .datagrams(target) : target))
    }

    private func refuse(_ verb: String, _ address: String) -> Int32 {
        dialFailure =
            "the guest was not allowed to \(verb) \(HarmlessText.text(address, atMost: 200)): allow it "
            + "with --allow or in the address validator"
        return GuestNumber.notConnected.value
    }

    // MARK: Functions of the preview

    /// `connect_tcp`
    func connectTCP(_ place: PreviewPlace) throws -> Int32 {
        if hasRemote { return try dial(.remote) }
        guard let target = TransportAddress(place.text), !target.carriesDatagrams else {
            return GuestNumber.invalidArgument.value
        }
        guard policy.allows(network: "tcp", place.text) else {
            return refuse("connect to", place.text)
        }
        return try dial(.chosen(target))
    }

    /// `create_listen`
    func createListener(_ place: PreviewPlace) -> Int32 {
        guard let address = place.address else { return GuestNumber.invalidArgument.value }
        guard policy.allows(network: "tcp", place.text) else {
            return refuse("listen at", place.text)
        }
        do {
            let listener = FileDescriptor(owning: try Kernel.listen(address))
            note("listening at \(place.text)")
            let stream = try KernelListener(adopting: listener, limits, on: guests)
            return Int32(bitPattern: try wasi.insert(stream))
        } catch {
            dialFailure = "cannot listen at \(HarmlessText.text(place.text, atMost: 200)): \(error)"
            return GuestNumber.badDescriptor.value
        }
    }
}
