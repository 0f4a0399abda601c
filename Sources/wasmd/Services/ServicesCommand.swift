import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdHTTPServer
import WasmdServices

/// `wasmd services`: the three modules of the original's solution, as services.
struct ServicesCommand {
    private let settings: ServicesSettings
    /// What is asked of a server that runs; nil to run the modules.
    private let control: ServiceControl?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        control = try ServiceControl(arguments)
        settings = try ServicesSettings(arguments)
    }

    /// Serves until a signal comes or all modules have ended, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        if let control { return control.perform(console) }
        do {
            _ = CurrentProcess.raiseDescriptorLimit()
            let places = try binaries()
            let tls = try TLSHelper(isRestricted: settings.sandbox != nil)
            // The folder of each module, which it may write.
            let folders = Set(places.values.map(\.folder))
            var status = ExitCode.success
            try ServeSandbox(settings.sandbox, file: "services") {
                // The gateway connects to any port; the host to that of the server.
                .serving([], folders: folders.map { ($0, false) }, connects: true)
            }.start {
                ((), try ServicesServer(settings, places, try listen(), tls))
            } spawner: {
                try tls.begin()
            } threads: { _, server, sandbox in
                sandbox.tell()
                status = try server.run()
            }
            return status
        } catch let refusal as Refusal {
            console.complain(refusal.text)
        } catch {
            console.complain("services: \(printable("\(error)"))")
        }
        return ExitCode.refused
    }

    private func binaries() throws(Refusal) -> [OriginalServices.Module: OriginalServices.Place] {
        for (option, isMissing) in [
            (Option.gatewayHost, settings.gatewayHosts.isEmpty),
            (.serverAddress, settings.address == nil),
        ] where isMissing {
            throw Refusal(
                file: "services", reason: "\(option.flag) is missing",
                hint: "Name it: \(option.synopsis)")
        }
        let root = settings.root
        do throws(SystemError) {
            let status = try Kernel.status(root.cString, followsLink: true)
            guard status.kind == .directory else { throw .notdir }
        } catch {
            throw Refusal(
                file: root.text, reason: error.text,
                hint: "Name the folder of the solution with --root DIR.")
        }
        do throws(OriginalServices.Missing) {
            let modules = OriginalServices.Module.allCases
            let wanted = settings.isNative ? modules.filter { $0 != .server } : modules
            return try OriginalServices(root: root.bytes, modules: wanted) { path in
                let status = try? Kernel.status(Word(bytes: path).cString, followsLink: true)
                return status?.kind == .regular
            }.places
        } catch {
            let tried = error.tried.map { "  " + printable(Word(bytes: $0).text) }
            throw Refusal(
                file: "services",
                reason: "there is no binary of \(error.module.folder); tried:\n"
                    + tried.joined(separator: "\n"),
                hint: "Build it, or name another folder with --root DIR.")
        }
    }

    private func listen() throws(Refusal) -> ServicesServer.Place {
        guard let address = settings.address else {
            throw Refusal(file: "services", reason: "--server-socket-address is missing")
        }
        do throws(SystemError) {
            if settings.isNative {
                let count = settings.loopCount ?? availableProcessors()
                return .host(try ListeningSockets(address.system, loopCount: count))
            }
            return .module(try ServiceSocket(address.system))
        } catch {
            throw Refusal(file: "\(address)", reason: "cannot listen: \(error.text)")
        }
    }
}
