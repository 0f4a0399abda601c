import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdEventLoop
import WasmdHTTPClient
import WasmdOperation
import WasmdServices

/// The interfaces of services that a program of `wasmd run` may use: `wasi_experimental_http` and
/// `hostobservability`.
///
/// Made only if an option asks for them. The loop that sends requests is started with the first
/// one; the program's thread waits meanwhile.
final class GuestInterfaces: Sendable {
    private let http: GuestHTTP
    private let observability: HostObservability

    /// - Throws: `Refusal` if there is no loop.
    init(_ options: RunOptions) throws(Refusal) {
        let thread: BackgroundLoop
        do throws(SystemError) {
            thread = try BackgroundLoop()
        } catch {
            throw Refusal(file: options.file, reason: "no event loop: \(error.text)")
        }
        // Reads files of the system, which --sandbox puts out of reach.
        var client = OutboundClient.Options()
        if options.allowedHosts.contains(where: { !$0.lowercased().hasPrefix("http:") }) {
            let tls = try TLSHelper(isRestricted: options.sandbox != nil)
            do throws(SystemError) {
                try tls.begin()
            } catch {
                throw Refusal(
                    file: options.file, reason: "no process for programs of TLS: \(error.text)")
            }
            client.tls = tls.program()
        }
        let settings = client
        let policy = OutboundPolicy(allowing: options.allowedHosts) ?? .nothing
        // Without a thread of its own: lines are written at once. The guest gets numbers alone, and
        // its user is to know why.
        let errors = LogOutput(Kernel.standardError)
        http = GuestHTTP(
            policy, sessions: options.sessionLimit,
            report: { text in
                let hint =
                    text.hasSuffix(GuestHTTP.notAllowed)
                    ? ": name it with \(Option.allowHost.flag) to allow it" : ""
                errors.write(Array("wasmd: \(text)\(hint)\n".utf8))
            },
            client: { OutboundClient(policy, settings, on: try thread.running()) })
        let output = LogOutput(Kernel.standardOutput)
        observability = HostObservability { output.write($0) }
    }

    /// Defines the functions for one thread of the program.
    func define(on linker: Linker) {
        let (http, observability) = (http, observability)
        GuestHTTPImports.define(on: linker) { (_: borrowing Caller) in http }
        HostObservability.define(on: linker) { (_: borrowing Caller) in observability }
    }
}

/// A loop on a thread of its own, which is started when it is needed, and ends with the process.
private final class BackgroundLoop: Sendable {
    private let group: LoopGroup
    private let isStarted = Mutex(false)

    init() throws(SystemError) { group = try LoopGroup(count: 1) }

    /// The loop, whose thread runs.
    func running() throws -> EventLoop {
        try isStarted.withLock { isStarted in
            guard !isStarted else { return }
            let group = group
            let options = SystemThread.Options("wasmd-fetch", takesSignals: false)
            guard
                SystemThread.startDetached(
                    options,
                    {
                        try? group.run { loop in try await loop.sleep(until: .never) }
                    })
            else { throw SystemError.again }
            isStarted = true
        }
        return group.loops[0]
    }
}
