import WasmInterpreter
import WasmWASI
import WasmdDigests
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// The files of a served transport, read and checked; nothing of a guest runs yet.
struct TransportContent: Sendable {
    let section: TransportSection
    /// Of the files and of what the section says about guests: equal if nothing has changed.
    let digest: SHA256.Digest
    /// Files of the modules.
    let paths: [Word]
    /// Where to listen.
    let listen: [TransportListen]
    private let modules: [Module]
    private let configuration: [UInt8]?
    private let host: HostConfiguration?
    /// What `trace` writes to, if it is a file.
    let traceFile: TraceFile?

    /// Not on a loop.
    ///
    /// - Parameter former: what was read before, whose trace goes on if it has the same file.
    /// - Throws: `Refusal` that names the file.
    init(_ section: TransportSection, after former: TransportContent? = nil) throws(Refusal) {
        self.section = section
        var hash = SHA256()
        for fact in section.facts {
            let text = Array(fact.text.utf8)
            hash.update(text.span)
        }
        var configuration: [UInt8]?
        var host: HostConfiguration?
        if let path = section.hostConfig {
            let bytes = try TransportFiles.content(of: path)
            hash.update(bytes.span)
            host = try TransportFiles.hostConfiguration(path, bytes)
        }
        self.host = host
        paths =
            section.modules.isEmpty
            ? [host?.module.map { Word($0) }].compactMap { $0 } : section.modules
        guard !paths.isEmpty else {
            throw Refusal(
                file: section.hostConfig?.text ?? section.name, reason: "there is no module",
                hint: "Name one by 'modules', or by transport_module.bin.")
        }
        var listen = section.listen
        if listen.isEmpty, let text = host?.listenAddress {
            guard let address = TransportListen(Array(text.utf8)) else {
                throw Refusal(file: text, reason: "network.listener.address is no address")
            }
            listen = [address]
        }
        guard !listen.isEmpty else {
            throw Refusal(
                file: section.hostConfig?.text ?? section.name,
                reason: "there is nothing to listen at",
                hint: "Name an address by 'listen', or by network.listener.address.")
        }
        self.listen = listen
        if case .file(let path)? = section.trace {
            traceFile =
                former?.section.trace == section.trace
                ? former?.traceFile : try TraceFile(.file(path))
        } else {
            traceFile = nil
        }
        if let config = section.config ?? host?.configuration.map({ Word($0) }) {
            let file = try openModule(config)
            let bytes = file[file.range]
            hash.update(bytes.span)
            configuration = bytes
        }
        self.configuration = configuration
        let engine = Engine()
        var modules: [Module] = []
        for path in paths {
            let file = try ModuleFile(path)
            let bytes = file.bytes[file.bytes.range]
            hash.update(bytes.span)
            let module: Module
            do throws(ModuleError) {
                module = try Module(file.bytes, engine: engine)
            } catch {
                throw file.refusal(error)
            }
            let report = TransportReport(module)
            guard report.isUsable else {
                throw Self.refusal(path, TransportError.unusable(report.faults))
            }
            guard report.roles.contains(section.role) else {
                throw Self.refusal(
                    path, TransportError.role(.unimplemented(section.role, "its function")))
            }
            modules.append(module)
        }
        self.modules = modules
        digest = hash.finish()
    }

    private static func refusal(_ path: Word, _ error: TransportError) -> Refusal {
        Refusal(
            file: path.text, reason: printable("\(error)"),
            hint: "'wasmd watm validate \(path.text)' says everything about it.")
    }

    /// Starts each module once, for at most a second, and makes the transports. Not on a loop; after
    /// the process has restricted itself, since guests run.
    ///
    /// - Throws: `Refusal` that names the file.
    func transports(_ resolver: Resolver) throws(Refusal) -> [Transport] {
        let options = options(resolver)
        var chain: [Transport] = []
        for (index, module) in modules.enumerated() {
            let path = paths[index]
            do throws(TransportError) {
                let transport = try Transport(module, options)
                let isLast = index == modules.count - 1
                try transport.check(section.role, hasRemote: section.remote != nil || !isLast)
                let choosesItself = section.role == .dial && transport.version != .v0
                guard section.remote != nil || choosesItself || !isLast else {
                    throw TransportError.configuration("there is no remote; name one by 'remote'")
                }
                chain.append(transport)
            } catch {
                throw Self.refusal(path, error)
            }
        }
        do throws(TransportError) {
            try Transport.checkDatagrams(
                chain, section.role,
                listensForDatagrams: listen.contains { $0.carriesDatagrams },
                to: section.remote, frames: section.framesDatagrams)
        } catch {
            throw Self.refusal(paths.first ?? Word(""), error)
        }
        return chain
    }

    private func options(_ resolver: Resolver) -> TransportOptions {
        var options = TransportOptions()
        options.configuration = configuration
        options.limits = section.limits
        options.keepsHalves = section.keepsHalves
        options.resolver = resolver
        options.addresses = host?.addresses ?? AddressPolicy()
        for address in section.allow { options.addresses.allow(address) }
        if let configuration { options.addresses.allowAddresses(in: configuration) }
        let arguments = section.arguments.isEmpty ? host?.arguments ?? [] : section.arguments
        options.world.argumentBytes = arguments.map { Array($0.utf8) }
        // The section goes before the configuration of the host.
        let ownNames = section.environment.map(\.name)
        let others = host?.environment.filter { !ownNames.contains($0.name) } ?? []
        options.world.environmentBytes =
            section.environment.map { (Array($0.name.utf8), Array($0.value.utf8)) }
            + others.map { (Array($0.name.utf8), Array($0.value.utf8)) }
        options.world.folders = section.folders
        for (path, name) in host?.folders ?? [] {
            options.world.folders.append(.init(hostPath: path, guestPath: name))
        }
        options.world.limits.descriptors = section.limits.descriptors
        options.world.standardOutput = .null
        let name = section.name
        switch section.trace {
        case nil: break
        case .file?:
            if let traceFile { options.trace = { line in traceFile.write(line) } }
        case .log?:
            options.trace = { line in
                ServeMessages.write(
                    HarmlessText.text(line, atMost: 1000), about: .transport(name))
            }
        }
        // The guests of all connections together write as much as a service may.
        let output = SharedOutput { bytes in
            for line in bytes.split(separator: UInt8(ascii: "\n")) {
                ServeMessages.write(
                    HarmlessText.text(line.prefix(1000)), about: .transport(name))
            }
        }
        options.world.standardError = .closure { output.write(unsafe [UInt8]($0)) }
        return options
    }
}
