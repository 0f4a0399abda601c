import WasmdDocuments
import WasmdWasmiot

/// Compares what a module imports with what a device offers.
///
/// Names of functions must be among `supervisorInterfaces`, whatever their modules, as the original
/// has it. If a device says more of a name, in `supervisorFunctions`, module and type must be the
/// same as well, since an instance could not be made otherwise. Nothing but functions is offered.
struct ImportCheck: Sendable {
    private let names: Set<NameKey>
    /// Nil if the device does not say what types its functions have.
    private let functions: OfferedFunctions?

    init(_ device: Device) {
        names = Set(device.interfaces.map { NameKey($0) })
        functions = OfferedFunctions(description: device.description)
    }

    /// Whether a module can run on the device.
    func fits(_ module: ModuleRecord) -> Bool {
        guard let imports = module.document["imports"]?.arrayValue else {
            return module.requirements.allSatisfy { names.contains(NameKey($0)) }
        }
        return imports.allSatisfy { fault(of: $0) == nil }
    }

    /// Why a module cannot run on the device, one phrase for each import; empty if it can.
    func faults(of module: ModuleRecord) -> [String] {
        guard let imports = module.document["imports"]?.arrayValue else {
            return module.requirements.filter { !names.contains(NameKey($0)) }
                .map { "it lacks '\($0)'" }
        }
        return imports.compactMap { fault(of: $0) }
    }

    private func fault(of wanted: Document) -> String? {
        let module = wanted["module"]?.stringValue ?? ""
        let name = wanted["name"]?.stringValue ?? ""
        let kind = wanted["kind"]?.stringValue ?? "function"
        guard kind == "function" else {
            return functions == nil
                ? nil : "it offers functions only, and '\(module).\(name)' is a \(kind)"
        }
        let type = OfferedFunctions.type(
            wanted["params"]?.arrayValue?.compactMap(\.stringValue) ?? [],
            wanted["results"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        guard names.contains(NameKey(name)) else {
            return "it lacks '\(module).\(name)' of type \(type)"
        }
        guard let functions else { return nil }
        if let offered = functions.type(module, name) {
            guard !offered.utf8.elementsEqual(type.utf8) else { return nil }
            return "'\(module).\(name)' is imported with the type \(type), "
                + "and offered with the type \(offered)"
        }
        let others = functions.named(name)
        // A name that the device does not say more of.
        if others.isEmpty { return nil }
        let list = others.map { "'\($0.module).\(name)' of type \($0.type)" }
        return "'\(module).\(name)' of type \(type) is imported, and "
            + "\(list.joined(separator: ", ")) is offered"
    }
}
