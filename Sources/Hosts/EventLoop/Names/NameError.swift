/// Why a name has no address.
public enum NameError: Error, Hashable, Sendable {
    /// The text is no name of a host.
    case malformedName
    /// The name does not exist, according to the servers.
    case noName
    /// The name exists, without an address.
    case noAddress
    /// All servers failed: with a response code, 2 for a failure of their own.
    case serverFailure(code: UInt8)
    /// A server sent a malformed answer, or a chain of aliases without end.
    case malformedAnswer
    /// No server has answered in time.
    case timedOut
    case loop(LoopError)
}

extension NameError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedName: "no name of a host"
        case .noName: "there is no host with this name"
        case .noAddress: "the name has no address"
        case .serverFailure(let code): "the name servers fail (code \(code))"
        case .malformedAnswer: "the name servers send malformed answers"
        case .timedOut: "no name server answers"
        case .loop(let error): error.description
        }
    }
}
