import WasmInterpreter
import WasmSystem
import WasmText
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// Cases that are modules of transports: each is examined as `wasmd watm validate` does, and one that
/// can be used carries a connection in each role that it has, whose peer echoes, to its end. A guest
/// may trap, return errors, loop or do nothing; the process must go on.
enum TransportCases {
    private static let fuel: UInt64 = 200_000
    private static let memoryBytes: UInt64 = 16 << 20

    /// Transports of v0 that copy both ways: one for streams, and one that knows datagrams.
    static let guests: [[UInt8]] = {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        guard let bytes = Files.read(root + "/Transports/copier.wat") else { return [] }
        let text = String(decoding: bytes, as: UTF8.self)
        let marker = "  (global (export \"_water_datagrams\") i32 (i32.const 1))"
        var lines = text.split(separator: "\n").map(String.init)
        if let place = lines.firstIndex(where: { $0.contains(";; end marker") }) {
            lines.insert(marker, at: place)
        }
        let texts = [text, lines.joined(separator: "\n")]
        return texts.compactMap { try? parseModule(Array($0.utf8)) }
    }()

    /// Whether a module shows a version of the interface.
    static func isTransport(_ bytes: [UInt8]) -> Bool {
        guard let module = try? Module(bytes, engine: Engine()) else { return false }
        return TransportReport(module).version != nil
    }

    static func run(_ bytes: [UInt8]) -> Tally {
        let module: Module
        do throws(ModuleError) {
            module = try Module(bytes, engine: Engine())
        } catch {
            return Tally(CaseRunner.refusal(error))
        }
        let report = TransportReport(module)
        for fault in report.faults + report.warnings { _ = fault.description }
        guard report.isUsable else { return Tally(.refusedByLinking) }
        do {
            try connect(module, report)
            return Tally(.ran)
        } catch {
            _ = "\(error)"
            return Tally(.refusedByLinking)
        }
    }

    private static var options: TransportOptions {
        var options = TransportOptions()
        options.world.standardOutput = .null
        options.world.standardError = .null
        options.limits.memory = memoryBytes
        options.limits.fuel = fuel
        options.limits.time = .milliseconds(300)
        options.limits.startTime = .milliseconds(300)
        options.limits.stopTime = .milliseconds(100)
        options.addresses.allow("127.0.0.1:*")
        return options
    }

    private static func connect(_ module: Module, _ report: TransportReport) throws {
        try EventLoop().run { loop in
            let guests = try GuestLoop(loop)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            guard let address = listener.address else { return }
            let echo = loop.spawn {
                while let stream = try? await listener.accept() {
                    var buffer = InputBuffer(capacity: 4096)
                    while let count = try? await stream.read(into: &buffer), count > 0 {
                        guard (try? await stream.write(buffer.take())) != nil else { break }
                    }
                }
            }
            let transport = try Transport(module, options)
            if report.roles.contains(.dial) {
                await exchange(try? await transport.dial(.address(address), on: guests))
            }
            if report.roles.contains(.listen) { try await accept(transport, on: guests) }
            if report.roles.contains(.run) {
                try await runEntry(module, remote: address, on: guests)
            }
            echo.cancel()
            listener.close()
            await echo.value
            if transport.carriesDatagrams, report.roles.contains(.dial) {
                try await exchangeDatagrams(transport, on: guests)
            }
        }
    }

    private static func exchange(_ connection: TransportConnection?) async {
        guard let connection else { return }
        try? await connection.write(Array("a few bytes".utf8))
        connection.finishWriting()
        _ = try? await connection.read()
        connection.close()
        _ = try? await connection.outcome()
    }

    /// A peer that sends something and closes.
    private static func accept(_ transport: Transport, on guests: GuestLoop) async throws {
        let loop = guests.loop
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
        guard let address = listener.address else { return }
        let client = loop.spawn { _ = await talk(to: address, on: loop) }
        await exchange(try? await transport.accept(from: listener, on: guests))
        listener.close()
        client.cancel()
        await client.value
    }

    /// The entry of a guest that dials and listens by itself; its configuration has the addresses.
    private static func runEntry(
        _ module: Module, remote: SystemAddress, on guests: GuestLoop
    ) async throws {
        let loop = guests.loop
        let place = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
        guard let local = place.address else { return }
        place.close()
        var options = options
        options.limits.time = .milliseconds(100)
        options.configuration = Array(
            """
            {"remote_address": "127.0.0.1", "remote_port": \(remote.port ?? 0),
             "local_address": "127.0.0.1", "local_port": \(local.port ?? 0),
             "password": "a password", "bypass": false}
            """.utf8)
        let transport = try Transport(module, options)
        let client = loop.spawn {
            for _ in 0..<20 where await !talk(to: local, on: loop) {
                guard (try? await loop.sleep(for: .milliseconds(5))) != nil else { return }
            }
        }
        _ = try? await transport.run(on: guests)
        client.cancel()
        await client.value
    }

    /// Whether it could connect.
    private static func talk(to address: SystemAddress, on loop: EventLoop) async -> Bool {
        guard let stream = try? await ByteStream.connect(to: address, on: loop) else {
            return false
        }
        try? await stream.write(Array("a few bytes from a peer".utf8))
        try? stream.finishWriting()
        var buffer = InputBuffer(capacity: 4096)
        while let count = try? await stream.read(into: &buffer), count > 0 { _ = buffer.take() }
        stream.close()
        return true
    }

    /// Datagrams of several sizes to a peer that sends them back.
    private static func exchangeDatagrams(
        _ transport: Transport, on guests: GuestLoop
    ) async throws {
        let loop = guests.loop
        let echo = try DatagramSocket(boundTo: .ipv4([127, 0, 0, 1], port: 0), on: loop)
        let port = try DatagramSocket(boundTo: .ipv4([127, 0, 0, 1], port: 0), on: loop)
        guard let remote = echo.localAddress, let address = port.localAddress else { return }
        let service = TransportService([transport], .dial, to: .datagrams(.address(remote)))
        let echoing = loop.spawn {
            while let message = try? await echo.receive() {
                try? await echo.send(message.bytes, to: message.sender)
            }
        }
        let serving = loop.spawn { try? await service.serve(port, on: guests) }
        let client = try DatagramSocket(connectedTo: address, on: loop)
        client.deadline = .after(.milliseconds(50))
        for size in [0, 5, 20_000] {
            try? await client.send([UInt8](repeating: 7, count: size))
            _ = try? await client.receive()
        }
        service.cancelAll()
        port.close()
        echo.close()
        _ = await serving.value
        await echoing.value
        while service.statistics.live > 0 { try await loop.sleep(for: .milliseconds(1)) }
    }
}
