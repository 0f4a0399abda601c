import WasmInterpreter
import WasmdStorage
import WasmdWasmiot

/// Why the supervisor did not do what it was asked for. How runs fail is no error: see `RunEntry`.
public enum SupervisorError: Error, Sendable {
    case noDeployment
    case noModule(String)
    /// The node says something that cannot be.
    case node(DocumentFault)
    /// A member of the node is missing.
    case missing(String)
    /// Files that the node names were not fetched, with the reason for each.
    case fetching([String])
    /// More than there may be: deployments, modules, bytes.
    case tooMany(String)
    /// Nothing can be written.
    case storage(StorageError)
}

extension SupervisorError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noDeployment: "deployment does not exist"
        case .noModule(let name): "module \(name) not found for this deployment"
        case .node(let fault): "the deployment is malformed: \(fault)"
        case .missing(let name): "the deployment has no member '\(name)'"
        case .fetching(let reasons):
            "\(reasons.count) fetch failures: \(reasons.joined(separator: "; "))"
        case .tooMany(let text): text
        case .storage(let error): "\(error)"
        }
    }
}
