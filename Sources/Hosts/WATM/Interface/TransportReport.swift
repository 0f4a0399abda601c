import WasmInterpreter
import WasmWASI

/// Something about a module because of which it is no transport, or not for all roles.
public enum TransportFault: Error, Hashable, Sendable {
    /// No export shows a version of the interface.
    case noVersion
    /// A function that each transport of the version has is not exported.
    case missing(String)
    /// An export with the name of a function is none.
    case notAFunction(Name)
    /// A function has another type. Both as text.
    case wrongType(Name, found: String, expected: String)
    /// There is no function for any role.
    case noRole
    /// There is no function for a role: its type as text.
    case unimplemented(TransportRole, String)
    /// An import that is not offered, with the reason.
    case unresolved(String)
    /// There is no exported memory, which functions of WASI need.
    case noMemory
}

extension TransportFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noVersion:
            "no version: none of _water_v0, watm_init_v1, _water_v1 and V1 is exported"
        case .missing(let function): "\(function) is not exported"
        case .notAFunction(let name): "\(name) is exported, and is no function"
        case .wrongType(let name, let found, let expected):
            "\(name) has the type \(found) instead of \(expected)"
        case .noRole: "no role: there is no function to dial, to accept or to associate"
        case .unimplemented(let role, let function):
            "the role \(role.rawValue) is not implemented: \(function) is not exported"
        case .unresolved(let text): text
        case .noMemory: "no memory is exported under the name memory, which WASI needs"
        }
    }
}

/// What a module is as a transport: its version, its roles, and what is wrong with it.
///
///     let report = TransportReport(module)
///     print(report.version, report.roles, report.faults)
///
/// Nothing of the module runs.
public struct TransportReport: Sendable {
    /// Nil if the exports show none.
    public let version: TransportVersion?
    /// The roles whose functions are there and have the right types.
    public let roles: [TransportRole]
    /// Whether it knows datagrams: it exports `_water_datagrams`, and is of v0 or v1.
    public let carriesDatagrams: Bool
    /// Why no connection could be served; the module can be used if there is none.
    public let faults: [TransportFault]
    /// What is unusual, and prevents at most some roles.
    public let warnings: [TransportFault]

    public var isUsable: Bool { faults.isEmpty }

    /// Examines a module. Takes time in proportion to its exports and imports.
    public init(_ module: Module) {
        version = TransportVersion.detected(in: module.exports.map(\.name))
        carriesDatagrams =
            (version == .v0 || version == .v1) && module.export("_water_datagrams") != nil
        guard let version else {
            (roles, warnings) = ([], [])
            faults = [.noVersion]
            return
        }
        let interface = version.interface
        var faults: [TransportFault] = []
        var warnings: [TransportFault] = []
        for function in interface.mandatory {
            if let fault = Self.fault(of: function, in: module) { faults.append(fault) }
        }
        var roles: [TransportRole] = []
        for (role, function) in interface.roles {
            switch Self.fault(of: function, in: module) {
            case nil: roles.append(role)
            case .missing(let text): warnings.append(.unimplemented(role, text))
            case let fault?: warnings.append(fault)
            }
        }
        for function in interface.optional {
            guard module.export(function.name) != nil else { continue }
            if let fault = Self.fault(of: function, in: module) { warnings.append(fault) }
        }
        if version == .v1, !roles.contains(.dial),
            module.export("watm_dial_fixed_v1")?.kind == .function
        {
            roles.insert(.dial, at: 0)
        }
        if roles.isEmpty { faults.append(.noRole) }
        faults += Self.unresolvedImports(of: module, version)
        let usesWASI = module.imports.contains { $0.module != "env" }
        if usesWASI, module.export("memory")?.kind != .memory {
            warnings.append(.noMemory)
        }
        self.roles = roles
        self.faults = faults
        self.warnings = warnings
    }

    private static func fault(
        of function: TransportInterface.Function, in module: Module
    ) -> TransportFault? {
        guard let export = module.export(function.name) else { return .missing(function.text) }
        guard let type = module.functionType(of: module.type(of: export)) else {
            return .notAFunction(function.name)
        }
        if function.matches(type) { return nil }
        let expected = FunctionType(parameters: function.parameters, results: function.results)
        return .wrongType(function.name, found: "\(type)", expected: "\(expected)")
    }

    private static func unresolvedImports(
        of module: Module, _ version: TransportVersion
    ) -> [TransportFault] {
        let linker = Linker()
        linker.defineWASI()
        TransportImports.define(on: linker, version)
        do throws(LinkError) {
            _ = try linker.prepare(module)
            return []
        } catch {
            return error.failures.map { .unresolved("\($0)") }
        }
    }
}
