import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdOperation

/// Sends lines to the orchestrator's `/device/logs`, from the moment in which there is one.
///
/// A task of a loop sends them: see `run`. What cannot be sent is dropped after a few attempts; at
/// most 10,000 lines wait, of which the oldest are dropped first.
final class LogSender: Sendable {
    private struct State: Sendable {
        var target: URL?
        var waiting: [ModuleLine] = []
        var dropped = 0
        var address = ""
        var device: String
    }

    private static let limit = 10_000
    private static let attempts = 3
    /// Between two looks for new lines.
    private static let pause = Duration.milliseconds(200)

    private let state: Mutex<State>

    init(device: String) { state = Mutex(State(device: device)) }

    /// The name of the device in lines that are sent from now on.
    func setDevice(_ name: String) { state.withLock { $0.device = name } }

    /// - Parameter orchestrator: its URL, without `/device/logs`.
    func setTarget(_ orchestrator: URL) {
        var text = orchestrator.bytes
        while text.last == UInt8(ascii: "/") { text.removeLast() }
        let target = URL(text + Array("/device/logs".utf8))
        state.withLock { $0.target = target }
    }

    /// The address that lines name as the device's.
    func setAddress(_ address: String) { state.withLock { $0.address = address } }

    func add(_ lines: [ModuleLine]) {
        state.withLock { state in
            guard state.target != nil else { return }
            state.waiting += lines
            let excess = state.waiting.count - Self.limit
            guard excess > 0 else { return }
            state.waiting.removeFirst(excess)
            state.dropped += excess
        }
    }

    /// Sends lines until the task is cancelled.
    func run(_ client: HTTPClient, on loop: EventLoop) async {
        while (try? await loop.sleep(for: Self.pause)) != nil {
            let state = state.withLock { state in
                defer { state.waiting = [] }
                return state
            }
            guard let target = state.target else { continue }
            for line in state.waiting {
                if Task.isCancelled { return }
                let document = Self.document(line, of: state)
                guard await Self.send(document, to: target, client, loop) else {
                    // The orchestrator is away: later lines would wait as long each.
                    break
                }
            }
        }
    }

    private static func send(
        _ document: Document, to target: URL, _ client: HTTPClient, _ loop: EventLoop
    ) async -> Bool {
        let body = Array("logData=".utf8) + PercentCoding.encode(JSONWriter.write(document))
        for attempt in 1...attempts {
            var request = ClientRequest(.post, target, body: .bytes(body))
            request.deadline = .after(.seconds(5))
            do {
                try request.fields.append("Content-Type", "application/x-www-form-urlencoded")
                let response = try await client.send(request)
                _ = try await response.body(limit: 1 << 16)
                return true
            } catch {
                guard attempt < attempts else { return false }
                guard (try? await loop.sleep(for: .milliseconds(100 * attempt))) != nil else {
                    return false
                }
            }
        }
        return false
    }

    private static func document(_ line: ModuleLine, of state: State) -> Document {
        var members: [Document.Member] = [
            .init("timestamp", .string("\(Timestamp(nanoseconds: line.time))")),
            .init("loglevel", .string(line.level.rawValue)),
            .init("message", .string(HarmlessText.text(line.bytes))),
            .init("funcName", .string(line.function)), .init("deviceName", .string(state.device)),
            .init("deviceIP", .string(state.address)),
        ]
        if !line.run.isEmpty { members.append(.init("request_id", .string(line.run))) }
        if !line.deployment.isEmpty {
            members.append(.init("deployment_id", .string(line.deployment)))
            members.append(.init("module_name", .string(line.module)))
        }
        return .object(members)
    }
}
