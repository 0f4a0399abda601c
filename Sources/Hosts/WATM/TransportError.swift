/// A transport cannot be used, or a connection through it not be made.
public enum TransportError: Error, Sendable {
    /// The module is no transport; everything that is wrong with it.
    case unusable([TransportFault])
    /// The module does not have the role that it is to be used in.
    case role(TransportFault)
    /// The guest's configuration cannot be given to it.
    case configuration(String)
    /// Datagrams are to be carried, and the module carries streams only.
    case datagrams(String)
    /// The connection ended before it was ready.
    case notConnected(TransportOutcome)
}

extension TransportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unusable(let faults):
            "the module is no transport: " + faults.map(\.description).joined(separator: "; ")
        case .role(let fault): fault.description
        case .configuration(let reason): "the configuration of the guest is not usable: \(reason)"
        case .datagrams(let reason): reason
        case .notConnected(let outcome): "\(outcome)"
        }
    }
}
