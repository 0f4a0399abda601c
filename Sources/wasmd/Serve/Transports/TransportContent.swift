import WasmInterpreter
import WasmWASI
import WasmdDigests
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// What a served transport is made of, read from its files.
struct TransportContent: Sendable {
    let chain: [Transport]
    /// Of the files and of what the section says about guests: equal if nothing has changed.
    let digest: SHA256.Digest

    /// Reads the files, and starts each module once, for at most a second. Not on a loop.
    ///
    /// - Throws: `Refusal` that names the file.
    init(_ section: TransportSection, _ resolver: Resolver) throws(Refusal) {
        var hash = SHA256()
        for fact in section.facts {
            let text = Array(fact.text.utf8)
            hash.update(text.span)
        }
        var options = TransportOptions()
        if let config = section.config {
            let bytes = try openModule(config)
            let configuration = bytes[bytes.range]
            hash.update(configuration.span)
            options.configuration = configuration
        }
        options.limits = section.limits
        options.keepsHalves = section.keepsHalves
        options.resolver = resolver
        for address in section.allow { options.addresses.allow(address) }
        if let bytes = options.configuration { options.addresses.allowAddresses(in: bytes) }
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
        let engine = Engine()
        var chain: [Transport] = []
        for path in section.modules {
            let file = try ModuleFile(path)
            let bytes = file.bytes[file.bytes.range]
            hash.update(bytes.span)
            chain.append(try Self.transport(file, path, engine, options, section))
        }
        self.chain = chain
        digest = hash.finish()
    }

    private static func transport(
        _ file: ModuleFile, _ path: Word, _ engine: Engine, _ options: TransportOptions,
        _ section: TransportSection
    ) throws(Refusal) -> Transport {
        let module: Module
        do throws(ModuleError) {
            module = try Module(file.bytes, engine: engine)
        } catch {
            throw file.refusal(error)
        }
        do throws(TransportError) {
            let transport = try Transport(module, options)
            let isLast = section.modules.last == path
            try transport.check(section.role, hasRemote: section.remote != nil || !isLast)
            let choosesItself = section.role == .dial && transport.version != .v0
            guard section.remote != nil || choosesItself || !isLast else {
                throw TransportError.configuration("there is no remote; name one: remote")
            }
            return transport
        } catch {
            throw Refusal(
                file: path.text, reason: printable("\(error)"),
                hint: "'wasmd watm validate \(path.text)' says everything about it.")
        }
    }
}
