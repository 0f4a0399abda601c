import WasmInterpreter
import WasmWASI
import WasmdEventLoop
import WasmdGuests

/// A transport: a WebAssembly module that transforms the bytes of connections.
///
///     let transport = try Transport(Module(path: "plain.wasm", engine: Engine()))
///     let guests = try GuestLoop(loop)
///     let connection = try await transport.dial("127.0.0.1:7700", on: guests)
///     try await connection.write(Array("hello".utf8))
///     print(try await connection.read())
///
/// Each connection has an instance of its own, which waits without a thread. Instances are forks of
/// one that has started, as far as its start does not depend on the connection and reads no random
/// numbers: see `PreparedGuest`. May be used on any number of loops.
public final class Transport: Sendable {
    public let module: Module
    public let version: TransportVersion
    public let report: TransportReport
    public let options: TransportOptions

    let prepared: PreparedGuest
    /// Functions that start an instance, in order.
    private let starting: [Name]
    /// How many of them a fork has behind it.
    private let forkedCount: Int
    let world: WASI
    let configuration: MemoryFolder?

    /// Examines the module and starts it once, which may take as long as its start, at most a
    /// second: on a loop, call it in `EventLoop.blocking`.
    ///
    /// - Throws: `TransportError.unusable` for a module that is no transport, or whose imports are
    ///   not there; `.configuration` if the configuration is too large.
    public init(
        _ module: Module, _ options: TransportOptions = TransportOptions()
    ) throws(TransportError) {
        let report = TransportReport(module)
        guard let version = report.version, report.isUsable else {
            throw .unusable(report.faults)
        }
        var files: MemoryFolder?
        if let bytes = options.configuration {
            let folder = MemoryFolder(byteLimit: bytes.count + (64 << 10))
            do throws(Errno) {
                try folder.write(bytes, to: TransportOptions.configurationFile)
            } catch {
                throw .configuration("\(error)")
            }
            files = folder
        }
        self.module = module
        self.version = version
        self.report = report
        self.options = options
        configuration = files
        // The preview reads its configuration from a descriptor only.
        let isMounted = version == .v0 || version == .v1
        world = options.completeWorld(isMounted ? files : nil)
        starting = Self.starting(module, version)
        do throws(LinkError) {
            (prepared, forkedCount) = try Self.prepare(module, version, starting, world, options)
        } catch {
            throw .unusable(error.failures.map { .unresolved("\($0)") })
        }
    }

    private static func starting(_ module: Module, _ version: TransportVersion) -> [Name] {
        var names: [Name] = []
        if module.export("_start")?.kind == .function {
            // The entry of a preview that is built as a program is called by its name.
            names.append("_start")
        } else if module.export("_initialize")?.kind == .function {
            names.append("_initialize")
        }
        switch version {
        case .v0, .v1: names.append(version.interface.mandatory[0].name)
        case .preview, .olderPreview: break
        }
        return names
    }

    /// Prepares the guest with as many functions of its start as can be run once for all.
    private static func prepare(
        _ module: Module, _ version: TransportVersion, _ starting: [Name], _ world: WASI,
        _ options: TransportOptions
    ) throws(LinkError) -> (PreparedGuest, Int) {
        var limits = RunLimits()
        limits.memory = options.limits.memory
        limits.stack = options.limits.stack
        limits.time = .seconds(1)
        let imports = TransportImports.imports(of: version)
        var count = starting.count
        while true {
            let guest = try PreparedGuest(
                module, imports: imports, in: world, limits: limits,
                starting: Array(starting.prefix(count)))
            if guest.obstacle == nil || count == 0 { return (guest, count) }
            count -= 1
        }
    }

    /// Whether it knows datagrams.
    public var carriesDatagrams: Bool { report.carriesDatagrams }

    /// Whether instances are forks.
    public var isForked: Bool { prepared.obstacle == nil }

    /// Makes an instance, and names the functions that must still be called to start it.
    ///
    /// - Throws: `ResourceError`, `Trap`.
    func instance(in store: Store) throws -> (Instance, functions: [Function], names: [Name]) {
        if let fork = try prepared.fork(in: store, world) {
            return (fork, [], Array(starting.dropFirst(forkedCount)))
        }
        let (instance, functions) = try prepared.instantiate(in: store)
        return (instance, functions, starting.filter { $0 != "_initialize" })
    }

    /// The function of a role.
    ///
    /// - Parameter hasRemote: whether the host has chosen a remote; otherwise the guest chooses.
    /// - Throws: `TransportError.role` if the module does not have the role.
    func function(of role: TransportRole, hasRemote: Bool) throws(TransportError) -> Name {
        if version == .v1, role == .dial {
            let name: Name = hasRemote ? "watm_dial_v1" : "watm_dial_fixed_v1"
            guard module.export(name)?.kind == .function else {
                throw .role(.unimplemented(role, "\(name)"))
            }
            return name
        }
        guard let function = version.interface.function(of: role) else {
            throw .role(.unimplemented(role, "\(version.rawValue) has no such role; a function"))
        }
        guard report.roles.contains(role) else {
            throw .role(
                report.warnings.first { $0.concerns(role, function) }
                    ?? .unimplemented(role, function.text))
        }
        return function.name
    }

    /// Checks that the module has a role, and what is needed for it.
    ///
    /// - Throws: `TransportError.role`.
    public func check(_ role: TransportRole, hasRemote: Bool = true) throws(TransportError) {
        _ = try function(of: role, hasRemote: hasRemote)
    }
}

extension TransportFault {
    fileprivate func concerns(
        _ role: TransportRole, _ function: TransportInterface.Function
    ) -> Bool {
        switch self {
        case .unimplemented(let other, _): other == role
        case .wrongType(let name, _, _), .notAFunction(let name): name == function.name
        default: false
        }
    }
}
