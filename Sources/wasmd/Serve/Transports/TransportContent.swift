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
    private let modules: [Module]
    private let configuration: [UInt8]?

    /// Not on a loop.
    ///
    /// - Throws: `Refusal` that names the file.
    init(_ section: TransportSection) throws(Refusal) {
        self.section = section
        var hash = SHA256()
        for fact in section.facts {
            let text = Array(fact.text.utf8)
            hash.update(text.span)
        }
        var configuration: [UInt8]?
        if let config = section.config {
            let file = try openModule(config)
            let bytes = file[file.range]
            hash.update(bytes.span)
            configuration = bytes
        }
        self.configuration = configuration
        let engine = Engine()
        var modules: [Module] = []
        for path in section.modules {
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
            let path = section.modules[index]
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
                listensForDatagrams: section.listen.contains { $0.carriesDatagrams },
                to: section.remote, frames: section.framesDatagrams)
        } catch {
            throw Self.refusal(section.modules.first ?? Word(""), error)
        }
        return chain
    }

    private func options(_ resolver: Resolver) -> TransportOptions {
        var options = TransportOptions()
        options.configuration = configuration
        options.limits = section.limits
        options.keepsHalves = section.keepsHalves
        options.resolver = resolver
        for address in section.allow { options.addresses.allow(address) }
        if let configuration { options.addresses.allowAddresses(in: configuration) }
        options.world.argumentBytes = section.arguments.map { Array($0.utf8) }
        options.world.limits.descriptors = section.limits.descriptors
        options.world.standardOutput = .null
        let name = section.name
        options.world.standardError = .closure { bytes in
            let lines = unsafe [UInt8](bytes).split(separator: UInt8(ascii: "\n"))
            for line in lines {
                ServeMessages.write("transport \(name): \(HarmlessText.text(line.prefix(1000)))")
            }
        }
        return options
    }
}
