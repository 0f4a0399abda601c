import WasmdHTTPClient

/// The numbers that functions of `wasi_experimental_http` return.
public enum GuestHTTPError: UInt32, Error, Sendable, CaseIterable {
    case invalidHandle = 1
    case memoryNotFound = 2
    /// A result cannot be written to memory.
    case memoryAccess = 3
    /// Also for an argument that is not in memory.
    case bufferTooSmall = 4
    case headerNotFound = 5
    case notUTF8 = 6
    case notAllowed = 7
    case invalidMethod = 8
    case invalidEncoding = 9
    case invalidURL = 10
    /// There is no response, or it is refused.
    case request = 11
    case runtime = 12
    case tooManySessions = 13

    /// The number for an error of the client.
    init(_ error: any Error) {
        switch error {
        case let error as GuestHTTPError: self = error
        case HTTPClientError.addressNotAllowed: self = .notAllowed
        default: self = .request
        }
    }
}
