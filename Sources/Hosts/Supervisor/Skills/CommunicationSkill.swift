import Synchronization
import WasmInterpreter
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient

/// `communication`: functions of other devices.
enum CommunicationSkill {
    static let names = ["rpcCall"]

    /// Bytes of what is sent, and of what comes back.
    private static let limit: UInt32 = 64 << 20
    private static let answerLimit = 64 << 10
    private static let time = Duration.seconds(30)

    static func define(on linker: Linker) {
        linker.defineShared("communication", "rpcCall") {
            (
                caller: borrowing Caller, nameStart: UInt32, nameCount: UInt32, start: UInt32,
                count: UInt32
            ) in
            guard let context = caller[SkillContext.key] else { throw SkillError.noContext }
            guard count <= limit else { throw SkillError.remote("rpcCall: too many bytes") }
            let name = try caller.memory.loadString(at: nameStart, count: min(nameCount, 4096))
            let bytes = try caller.memory.loadArray(of: UInt8.self, at: start, count: count)
            let known = context.skills.options.remoteFunctions.first {
                $0.name.utf8.elementsEqual(name.utf8)
            }
            guard let known else {
                throw SkillError.remote("rpcCall: no function '\(name)' is configured")
            }
            let call = RemoteCall(known.url, bytes, context)
            try call.finish()
        }
    }

    /// A call on its way, in a task of the instance's loop.
    @safe private final class RemoteCall: @unchecked Sendable {
        // Soundness: used on the loop of its client only.
        private let source = WakeSource()
        private let streams: ModuleStreams
        private var answer: Result<[UInt8], any Error>?

        init(_ url: URL, _ bytes: [UInt8], _ context: SkillContext) {
            streams = context.streams
            let client = context.client
            let boundary = "wasmd" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
            let head =
                "--\(boundary)\r\nContent-Disposition: form-data; name=\"img\"; "
                + "filename=\"img\"\r\n\r\n"
            let body = Array(head.utf8) + bytes + Array("\r\n--\(boundary)--\r\n".utf8)
            client.loop.spawn { [self] in
                do {
                    var request = ClientRequest(.post, url, body: .bytes(body))
                    try request.fields.append(
                        "Content-Type", "multipart/form-data; boundary=\(boundary)")
                    request.deadline = .after(time)
                    let response = try await client.send(request)
                    answer = .success(try await response.body(limit: answerLimit))
                } catch {
                    answer = .failure(error)
                }
                source.signal()
            }
        }

        /// Prints the answer, or waits for it.
        func finish() throws {
            let turn = source.turn
            switch answer {
            case .success(let bytes)?: streams.write(bytes + [0x0a], .info)
            case .failure(let error)?: throw SkillError.remote("rpcCall: \(error)")
            case nil:
                var wait = Wait()
                wait.add(source, since: turn)
                throw Suspension(wait) { [self] _, _ in try finish() }
            }
        }
    }
}
