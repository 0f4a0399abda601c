import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// The files that a transport is made of, read anew for each reload.
struct TransportFiles: Sendable {
    private let settings: Settings
    /// Receives the lines of `--trace`.
    private let trace: (@Sendable (String) -> Void)?
    private let resolver: Resolver

    /// What of the command line is needed.
    struct Settings: @unchecked Sendable {
        // Sendable: nothing of it changes.
        let all: TransportSettings
    }

    init(
        _ settings: TransportSettings, trace: (@Sendable (String) -> Void)?
    ) {
        self.settings = Settings(all: settings)
        self.trace = trace
        resolver = Resolver.ofSystem()
    }

    /// What a start or a reload reads.
    struct Content: Sendable {
        var chain: [Transport]
        /// The names of the modules, for people.
        var names: [String]
        /// Where to listen, if the command line does not say.
        var listener: String?

        /// Refuses transports that cannot carry the datagrams of the settings.
        func checkDatagrams(
            _ settings: TransportSettings, _ role: TransportRole
        ) throws(Refusal) {
            guard role != .run else { return }
            let places =
                settings.addresses.isEmpty
                ? [listener.flatMap { TransportListen(Array($0.utf8)) }].compactMap { $0 }
                : settings.addresses
            do throws(TransportError) {
                try Transport.checkDatagrams(
                    chain, role,
                    listensForDatagrams: places.contains { $0.carriesDatagrams },
                    to: settings.remote, frames: settings.framesDatagrams)
            } catch {
                throw Refusal(
                    file: names.joined(separator: ", "), reason: printable("\(error)"))
            }
        }
    }

    /// What was read from the files. Nothing of a guest runs yet.
    struct Texts: Sendable {
        fileprivate var modules: [(path: Word, module: Module)] = []
        fileprivate var options = TransportOptions()
        /// Folders of the guests.
        fileprivate(set) var folders: [(path: [UInt8], isReadOnly: Bool)] = []
        /// Where to listen, if the command line does not say.
        fileprivate(set) var listener: String?
    }

    /// Reads the files, and starts each module once.
    ///
    /// - Throws: `Refusal` that names the file.
    func read() throws(Refusal) -> Content { try content(of: try texts()) }

    /// Starts each module once, for at most a second, and makes the transports.
    ///
    /// - Throws: `Refusal` that names the file.
    func content(of texts: Texts) throws(Refusal) -> Content {
        var content = Content(chain: [], names: [], listener: texts.listener)
        for (path, module) in texts.modules {
            do throws(TransportError) {
                content.chain.append(try Transport(module, texts.options))
            } catch {
                throw Self.refusal(path, error)
            }
            content.names.append(path.text)
        }
        return content
    }

    /// The folders that must stay readable, so that files that replace these can be read.
    var readableFolders: [[UInt8]] {
        let settings = settings.all
        var paths = settings.modules
        paths += [settings.configuration, settings.hostConfiguration].compactMap { $0 }
        if let path = settings.hostConfiguration,
            let host = try? Self.hostConfiguration(path)
        {
            paths += [host.module, host.configuration].compactMap { $0.map { Word($0) } }
        }
        return paths.map(ConfigurationFile.folder(of:))
    }

    /// Reads and checks the files.
    ///
    /// - Throws: `Refusal` that names the file.
    func texts() throws(Refusal) -> Texts {
        let settings = settings.all
        var host: HostConfiguration?
        if let path = settings.hostConfiguration { host = try Self.hostConfiguration(path) }
        var modules = settings.modules
        if modules.isEmpty, let path = host?.module { modules = [Word(path)] }
        guard !modules.isEmpty else {
            throw Refusal(
                file: "watm \(settings.verb.rawValue)", reason: "there is no module",
                hint: "Name one with --module FILE.")
        }
        let configuration = settings.configuration ?? host?.configuration.map { Word($0) }
        var texts = Texts()
        texts.listener = host?.listenAddress
        texts.options = try options(host, configuration)
        texts.folders = texts.options.world.folders.compactMap { folder in
            folder.hostPathBytes.isEmpty ? nil : (folder.hostPathBytes, folder.isReadOnly)
        }
        var engineOptions = Engine.Configuration()
        engineOptions.features = settings.features
        let engine = Engine(engineOptions)
        for path in modules {
            let module = try Self.module(path, engine)
            let report = TransportReport(module)
            guard report.isUsable else { throw Self.refusal(path, .unusable(report.faults)) }
            texts.modules.append((path, module))
        }
        return texts
    }

    private static func refusal(_ path: Word, _ error: TransportError) -> Refusal {
        guard case .unusable(let faults) = error else {
            return Refusal(file: path.text, reason: printable("\(error)"))
        }
        return Refusal(
            file: path.text,
            reason: "no transport: "
                + faults.map { printable("\($0)") }.joined(separator: "; "),
            hint: "'wasmd watm validate \(path.text)' says everything about it.")
    }

    static func module(_ path: Word, _ engine: Engine) throws(Refusal) -> Module {
        let file = try ModuleFile(path)
        do throws(ModuleError) {
            return try Module(file.bytes, engine: engine)
        } catch {
            throw file.refusal(error)
        }
    }

    static func hostConfiguration(_ path: Word) throws(Refusal) -> HostConfiguration {
        try hostConfiguration(path, content(of: path))
    }

    /// - Parameter bytes: of the file.
    static func hostConfiguration(
        _ path: Word, _ bytes: [UInt8]
    ) throws(Refusal) -> HostConfiguration {
        do throws(HostConfiguration.Fault) {
            return try HostConfiguration(bytes)
        } catch {
            throw Refusal(file: path.text, reason: printable("\(error)"))
        }
    }

    static func content(of path: Word) throws(Refusal) -> [UInt8] {
        let bytes = try openModule(path)
        return bytes[bytes.range]
    }

    private func options(
        _ host: HostConfiguration?, _ configuration: Word?
    ) throws(Refusal) -> TransportOptions {
        let settings = settings.all
        var options = TransportOptions()
        options.limits = settings.limits
        options.keepsHalves = settings.keepsHalves || isStandardStream
        options.resolver = resolver
        options.trace = trace
        if let configuration { options.configuration = try Self.content(of: configuration) }
        options.addresses = host?.addresses ?? AddressPolicy()
        for address in settings.allowed { options.addresses.allow(address) }
        if let bytes = options.configuration { options.addresses.allowAddresses(in: bytes) }
        options.world = try world(host)
        return options
    }

    /// Whether the one connection is standard input and output: its input ends before the answer
    /// has come.
    private var isStandardStream: Bool {
        settings.all.verb.role == .dial && settings.all.addresses.isEmpty
    }

    private func world(_ host: HostConfiguration?) throws(Refusal) -> WASI {
        let settings = settings.all
        var world = try GuestWorld.wasi(settings.run)
        var arguments = settings.arguments.map { Array($0.bytes) }
        if arguments.isEmpty { arguments = host?.arguments?.map { Array($0.utf8) } ?? [] }
        world.argumentBytes = arguments
        for (name, value) in host?.environment ?? [] {
            let bytes = Array(name.utf8)
            guard !world.environmentBytes.contains(where: { $0.name == bytes }) else { continue }
            world.environmentBytes.append((bytes, Array(value.utf8)))
        }
        for (path, name) in host?.folders ?? [] {
            world.folders.append(.init(hostPath: path, guestPath: name))
        }
        world.standardInput = host?.inheritsInput == true && !isStandardStream ? .inherit : .null
        world.standardOutput = host?.inheritsOutput == false ? .null : Self.log
        world.standardError = host?.inheritsError == false ? .null : Self.log
        world.limits.descriptors = settings.limits.descriptors
        return world
    }

    /// What guests print goes to standard error, which holds no loop up.
    private static let log = WASI.Output.closure { bytes in
        // Lines stay lines; everything else that a terminal would obey becomes text.
        unsafe ServeMessages.output.write(HarmlessText.lines(bytes))
    }
}
