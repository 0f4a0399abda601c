import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdOperation
import WasmdWATM

/// `wasmd watm`: carries connections through transports.
struct TransportCommand {
    private let settings: TransportSettings

    init(_ arguments: ParsedArguments) throws(UsageError) {
        settings = try TransportSettings(arguments)
    }

    /// Serves until a signal comes, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        guard let role = settings.verb.role else {
            return TransportValidation(settings).perform(console)
        }
        do {
            _ = CurrentProcess.raiseDescriptorLimit()
            let trace = try settings.run.trace.map { try TraceFile($0) }
            let files = TransportFiles(
                settings, trace: trace.map { file in { @Sendable line in file.write(line) } })
            let content = try files.read()
            try check(content, role)
            let server = TransportServer(
                settings, role, files, content, TransportLines(printsJSON: settings.printsJSON))
            return try server.run()
        } catch let refusal as Refusal {
            console.complain(refusal.text)
        } catch {
            console.complain("watm: \(printable("\(error)"))")
        }
        return ExitCode.refused
    }

    /// Refuses what could serve no connection.
    private func check(_ content: TransportFiles.Content, _ role: TransportRole) throws(Refusal) {
        for (index, transport) in content.chain.enumerated() {
            let isLast = index == content.chain.count - 1
            // A function that an option names need not be one of a role.
            if role == .run, settings.entry != nil { continue }
            do throws(TransportError) {
                try transport.check(role, hasRemote: settings.remote != nil || !isLast)
            } catch {
                throw Refusal(file: content.names[index], reason: printable("\(error)"))
            }
        }
        let verb = "watm \(settings.verb.rawValue)"
        if role == .run, content.chain.count > 1 {
            throw Refusal(file: verb, reason: "one module is run, not several")
        }
        let choosesItself = role == .dial && content.chain.last?.version != .v0
        if settings.remote == nil, role != .run, !choosesItself {
            throw Refusal(
                file: verb, reason: "there is no remote", hint: "Name one with --remote ADDR.")
        }
        let hasListener = !settings.addresses.isEmpty || content.listener != nil
        if !hasListener, role == .listen || role == .relay {
            throw Refusal(
                file: verb, reason: "there is nothing to listen at",
                hint: "Name an address with --listen ADDR.")
        }
    }
}
