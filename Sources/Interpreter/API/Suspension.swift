/// Thrown by a host function to let its guest wait: the guest is suspended, and whoever runs it
/// answers in place of the function.
///
///     linker.define("env", "read") { (_: borrowing Caller, count: Int32) -> Int32 in
///         throw Suspension(ReadRequest(count: count))
///     }
///
/// Only the guest of an `Execution` can wait so, and only if no other host function lies between the
/// two; else the call ends with `SuspensionError.cannotWait`. See `Execution`.
///
/// A function that waits for descriptors, streams or a time says so with a `Wait`, and what to do
/// afterwards with a continuation. Then all guests can wait: one that is called without an `Execution`
/// parks the thread meanwhile. `Caller.canSuspend` tells which it will be.
public struct Suspension: Error, @unchecked Sendable {
    /// Goes on in place of the host function, with the caller and the slots that it had: the arguments
    /// are still there, and results are written as the function writes them. It may throw what the
    /// function may throw, also another `Suspension`.
    public typealias Continuation = HostFunction.Body

    // Sendable: the content is given only to who has the execution, which is not.
    let content: Content

    enum Content {
        case request(Any)
        case wait(Wait, Continuation)
    }

    /// - Parameter request: what the host function asks for; handed on as it is to `Execution.HostCall`.
    public init(_ request: Any) { content = .request(request) }

    /// Waits, and then calls `continuation`, which looks whether what it needs is there now.
    ///
    /// - Parameters:
    ///   - wait: what the guest waits for.
    ///   - continuation: keeps what must survive the wait, for example how much is done.
    public init(_ wait: Wait, then continuation: @escaping Continuation) {
        content = .wait(wait, continuation)
    }

    /// The same with a continuation that `wrap` makes of this one's; unchanged for a request.
    package func continued(_ wrap: (@escaping Continuation) -> Continuation) -> Suspension {
        guard case .wait(let wait, let continuation) = content else { return self }
        return Suspension(wait, then: wrap(continuation))
    }
}

/// Why a guest cannot wait, or not go on so.
public enum SuspensionError: Error, Hashable {
    /// A host function wants its guest to wait, but the guest was called by a function that waits
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
    /// If it runs as an `Execution`, it is suspended, and goes on after `Store.fuel` was set. Else it
    /// traps.
    case suspend
    /// The closure is asked for more; it gets the units that are missing at least. If it answers
    /// less, the guest traps. It cannot call guests of the store.
    case ask((_ missing: UInt64) -> UInt64)
}
