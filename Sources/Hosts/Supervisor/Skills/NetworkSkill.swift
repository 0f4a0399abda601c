import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdEventLoop

/// `network`: is another device there?
///
/// `ping(a, b, c, d)` sends one echo request of ICMP to the address a.b.c.d and returns the time until
/// its answer in milliseconds; -1 if there is none within two seconds, or nothing can be sent.
enum NetworkSkill {
    static let names = ["ping"]

    private static let time = Duration.seconds(2)

    static func define(on linker: Linker) {
        linker.defineShared("network", "ping") {
            (caller: borrowing Caller, a: Int32, b: Int32, c: Int32, d: Int32) -> Float in
            guard let context = caller[SkillContext.key] else { throw SkillError.noContext }
            let bytes = [a, b, c, d].map { UInt8(truncatingIfNeeded: $0) }
            let echo = Echo(.ipv4(bytes, port: 0), context.client.loop)
            return try echo.finish()
        }
    }

    /// An echo request and its answer, in a task of the instance's loop.
    @safe private final class Echo: @unchecked Sendable {
        // Soundness: used on the loop of its client only.
        private let source = WakeSource()
        private var answer: Float?

        init(_ address: SystemAddress, _ loop: EventLoop) {
            loop.spawn { [self] in
                answer = (try? await Self.exchange(address, loop)) ?? -1
                source.signal()
            }
        }

        private static func exchange(
            _ address: SystemAddress, _ loop: EventLoop
        ) async throws -> Float {
            let socket = try DatagramSocket(echoTo: address, on: loop)
            defer { socket.close() }
            socket.deadline = .after(time)
            let start = SystemClock.monotonic.now
            // RFC 792: type 8, code 0, checksum and identifier by the kernel, sequence number 1.
            let payload = (0..<8).map { _ in UInt8.random(in: 0...255) }
            try await socket.send([8, 0, 0, 0, 0, 0, 0, 1] + payload)
            while true {
                let message = try await socket.receive(limit: 1024)
                guard message.bytes.count >= 8 + payload.count, message.bytes[0] == 0,
                    message.bytes[8..<(8 + payload.count)].elementsEqual(payload)
                else { continue }
                return Float(SystemClock.monotonic.now &- start) * 1e-6
            }
        }

        /// The time, or waits for it.
        func finish() throws -> Float {
            let turn = source.turn
            if let answer { return answer }
            var wait = Wait()
            wait.add(source, since: turn)
            throw Suspension(wait) { [self] _, slots in slots.setResult(f32: try finish()) }
        }
    }
}

extension Supervisor {
    /// Whether the system lets this process send echo requests.
    public static var canPing: Bool {
        guard let socket = try? Kernel.connectEcho(.ipv4([127, 0, 0, 1], port: 0)) else {
            return false
        }
        withExtendedLifetime(FileDescriptor(owning: socket)) {}
        return true
    }
}
