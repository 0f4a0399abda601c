/// Thrown by a host function to let its guest wait: the guest is suspended, and the owner of its
/// `Execution` gives the results instead of the function.
///
///     linker.define("env", "read") { (_: borrowing Caller, count: Int32) -> Int32 in
///         throw Suspension(ReadRequest(count: count))
///     }
///
/// Only the guest of an `Execution` can wait like this, and only if no other host function is
/// between the two; otherwise the call ends with `SuspensionError.cannotWait`. See `Execution`.
///
/// A function that waits for descriptors, streams or a time throws a `Wait` and a continuation.
/// Then all guests can wait: for one that is called without an `Execution` the thread is parked.
/// `Caller.canSuspend` tells which applies.
public struct Suspension: Error, @unchecked Sendable {
    /// Continues instead of the host function, with its caller and slots: the arguments are
    /// unchanged, and it writes results as the function does. It may throw the same errors, also
    /// another `Suspension`.
    public typealias Continuation = HostFunction.Body

    // Sendable: the content is accessible only with the execution, which is not Sendable.
    let content: Content

    enum Content {
        case request(Any)
        case wait(Wait, Continuation)
    }

    /// - Parameter request: the request of the host function, for `Execution.HostCall`.
    public init(_ request: Any) { content = .request(request) }

    /// Waits, and then calls `continuation`, which checks whether it can finish.
    ///
    /// - Parameters:
    ///   - wait: what the guest waits for.
    ///   - continuation: keeps state that must survive the wait, for example the number of bytes
    ///     done.
    public init(_ wait: Wait, then continuation: @escaping Continuation) {
        content = .wait(wait, continuation)
    }

    /// The same with a continuation that `wrap` makes from this one's; unchanged for a request.
    package func continued(_ wrap: (@escaping Continuation) -> Continuation) -> Suspension {
        guard case .wait(let wait, let continuation) = content else { return self }
        return Suspension(wait, then: wrap(continuation))
    }
}

/// Why a guest cannot wait, or cannot be resumed like this.
public enum SuspensionError: Error, Hashable {
    /// A host function lets its guest wait, but the guest was called by a function that waits
    /// for its results: `call(_:)` without `await`, or a host function that calls a guest.
    case cannotWait
    /// The guest has ended, was cancelled, or runs: there is nothing to resume.
    case notSuspended
    /// The guest waits for a host function: use `resume(returning:)` or `resume(throwing:)`.
    case resultsMissing
    /// The guest does not wait for a host function: use `resume()`.
    case resultsUnexpected
}

extension SuspensionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotWait:
            "a host function lets its guest wait, but the guest was called by a host that waits for "
                + "it: call it with `await`, or with `Function.start`"
        case .notSuspended: "the execution has ended or is running"
        case .resultsMissing:
            "the guest waits for a host function: resume it with results or an error"
        case .resultsUnexpected: "the guest does not wait for a host function"
        }
    }
}

/// What happens to a guest whose fuel is used up.
public enum OutOfFuelPolicy {
    /// It traps with `TrapCode.outOfFuel`.
    case trap
    /// If it runs as an `Execution`, it is suspended, and can be resumed after `Store.fuel` was
    /// set. Otherwise it traps.
    case suspend
    /// The closure returns more units; it gets the least number that is missing. If it returns
    /// less, the guest traps. It must not call guests of the store.
    case ask((_ missing: UInt64) -> UInt64)
}
