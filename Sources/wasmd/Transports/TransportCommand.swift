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
            return try start(files, role)
        } catch let refusal as Refusal {
            console.complain(refusal.text)
        } catch {
            console.complain("watm: \(printable("\(error)"))")
        }
        return ExitCode.refused
    }

    /// Opens everything, lets the kernel restrict the process, and serves.
    private func start(_ files: TransportFiles, _ role: TransportRole) throws -> Int32 {
        // Read before the restrictions, since these name their folders.
        let texts = try files.texts()
        let lines = TransportLines(printsJSON: settings.printsJSON)
        let settings = settings
        let confinement = { @Sendable in
            Self.confinement(settings, role, files.readableFolders, texts.folders)
        }
        var code = ExitCode.refused
        try ServeSandbox(
            settings.sandbox, file: "watm \(settings.verb.rawValue)", confinement: confinement
        ).start {
            ((), try TransportServer.listen(settings, role, texts.listener))
        } threads: { _, sockets, sandbox in
            let content = try files.content(of: texts)
            try check(content, role)
            sandbox.tell()
            code = try TransportServer(settings, role, files, content, lines, sockets).run()
        }
        return code
    }

    /// Files of its folders, connections to any port, and listeners for a guest that makes its own.
    private static func confinement(
        _ settings: TransportSettings, _ role: TransportRole, _ readable: [[UInt8]],
        _ folders: [(path: [UInt8], isReadOnly: Bool)]
    ) -> Confinement {
        var confinement = Confinement.serving(readable, folders: folders, connects: true)
        if case .address(.unix)? = settings.remote {
            confinement.calls = Confinement.serverCalls(hasUnixSockets: true)
        }
        if role == .run { confinement.landlock.bindPorts = nil }
        return confinement
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
        try content.checkDatagrams(settings, role)
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
