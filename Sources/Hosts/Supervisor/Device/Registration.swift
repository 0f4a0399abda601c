import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

extension Supervisor {
    /// The name of a supervisor that has none of its own: `HOST-PORT`.
    public static func defaultName(port: UInt16) -> String {
        "\(String(decoding: CurrentProcess.hostName, as: UTF8.self))-\(port)"
    }

    /// Registers with an orchestrator, and again after `renewal`; sends log lines. Ends when its task
    /// is cancelled.
    ///
    /// - Parameters:
    ///   - orchestrator: nil to wait for one that registers itself.
    ///   - address: where the supervisor listens.
    ///   - report: is told why registering failed, and nil when it succeeded.
    public func attend(
        to orchestrator: URL?, from address: DeviceAddress,
        renewal: Duration = .seconds(900), on loop: EventLoop,
        report: @escaping @Sendable (String?) -> Void = { _ in }
    ) async throws {
        let client = try tools(loop).client
        let logs = logs
        if let text = address.text { logs.setAddress(text) }
        let sender = loop.spawn { await logs.run(client, on: loop) }
        defer { sender.cancel() }
        guard let orchestrator else {
            while true { try await loop.sleep(for: .seconds(3600)) }
        }
        try await setOrchestrator(orchestrator)
        let latest = LoopInstant.after(Self.namingTime)
        while isNaming, LoopInstant.now < latest {
            try await loop.sleep(for: .milliseconds(20))
        }
        var pause = Duration.seconds(1)
        while true {
            let version = nameVersion
            do {
                try await register(with: orchestrator, from: address, client)
                report(nil)
                try await sleep(for: renewal, whileNameIs: version, on: loop)
                pause = .seconds(1)
            } catch let fault as RegistrationFault {
                report("\(fault)")
                try await loop.sleep(for: min(pause, renewal))
                pause = min(pause * 2, .seconds(60))
            }
        }
    }

    /// Claiming a name in the network takes about one second.
    private static let namingTime = Duration.seconds(3)

    /// Waits for the next registration, which a new name does not wait for.
    private func sleep(
        for time: Duration, whileNameIs version: Int, on loop: EventLoop
    ) async throws {
        let end = LoopInstant.after(time)
        while nameVersion == version, LoopInstant.now < end {
            try await loop.sleep(for: min(time, .seconds(1)))
        }
    }

    private func register(
        with orchestrator: URL, from address: DeviceAddress, _ client: HTTPClient
    ) async throws {
        guard let port = address.listener.port else {
            throw RegistrationFault("a supervisor on a unix socket cannot be registered")
        }
        let text = address.text ?? Self.localAddress(to: orchestrator, on: client.loop)
        guard let text else {
            throw RegistrationFault("no address of this machine reaches the orchestrator")
        }
        logs.setAddress(text)
        var base = orchestrator.bytes
        while base.last == UInt8(ascii: "/") { base.removeLast() }
        guard let url = URL(base + Array("/file/device/discovery/register".utf8)) else {
            throw RegistrationFault("the orchestrator's URL is malformed")
        }
        let registration = registration(address: text, port: port)
        var request = ClientRequest(
            .post, url, body: .bytes(JSONWriter.write(registration.document)))
        request.deadline = .after(.seconds(10))
        let status: Status
        do {
            try request.fields.append("Content-Type", "application/json")
            let response = try await client.send(request)
            status = response.status
            _ = try await response.body(limit: 1 << 16)
        } catch HTTPClientError.cancelled {
            throw LoopError.cancelled
        } catch {
            throw RegistrationFault("registering at the orchestrator failed: \(error)")
        }
        guard (200..<300).contains(status.code) else {
            throw RegistrationFault("the orchestrator refused the registration: \(status.code)")
        }
    }

    /// What the supervisor says about itself, to orchestrators and by DNS-SD.
    public func registration(address: String, port: UInt16) -> DeviceRegistration {
        let host = String(decoding: CurrentProcess.hostName, as: UTF8.self)
        return DeviceRegistration(
            name: name, host: "\(host).local.", port: port, addresses: [address],
            properties: .object([
                .init("path", "/"), .init("tls", .integer(0)), .init("address", .string(address)),
            ]))
    }

    /// The local address of the way to a host; nil if there is none. Sends nothing.
    private static func localAddress(to url: URL, on loop: EventLoop) -> String? {
        let text: [UInt8]
        switch url.authority.host {
        case .address(let address) where address.isIPv4: text = address.bytes
        case .name(let name) where name == Array("localhost".utf8): text = Array("127.0.0.1".utf8)
        default: return nil
        }
        let bytes = text.split(separator: UInt8(ascii: ".")).compactMap {
            Int(String(decoding: $0, as: UTF8.self)).flatMap { UInt8(exactly: $0) }
        }
        guard bytes.count == 4,
            let socket = try? DatagramSocket(
                connectedTo: .ipv4(bytes, port: url.port ?? 80), on: loop)
        else { return nil }
        defer { socket.close() }
        return socket.localAddress.flatMap { DeviceAddress(listener: $0).text }
    }
}

/// Why a device is not registered.
private struct RegistrationFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
