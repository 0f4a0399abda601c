import Glibc

/// Why a call of the system failed: a value of `errno`.
///
/// The constants and their texts: errno(3).
public struct SystemError: Error, Hashable, Sendable {
    /// A value of `errno`, above 0.
    public let code: Int32

    @inlinable
    public init(code: Int32) { self.code = code }

    /// The error of this thread's last failed call.
    @inlinable
    public static var ofLastCall: SystemError { SystemError(code: errno) }

    /// The constant of the C library, such as `ENOENT`; `errno 4711` for a value without one.
    public var name: String {
        Self.constants.first { $0.error == self }?.name ?? "errno \(code)"
    }

    /// The C library's text for the error, such as "No such file or directory".
    public var text: String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

extension SystemError: CustomStringConvertible {
    /// `No such file or directory (ENOENT)`
    public var description: String { "\(text) (\(name))" }
}

/// Repeats `call` while signals interrupt it. A negative result becomes a thrown error.
@inlinable
@inline(__always)
@discardableResult
public func retrying<Number: FixedWidthInteger & SignedInteger>(
    _ call: () -> Number
) throws(SystemError) -> Number {
    while true {
        let result = call()
        if result >= 0 { return result }
        if errno != EINTR { throw .ofLastCall }
    }
}

/// Runs `call` once. A negative result becomes a thrown error, also `EINTR`.
@inlinable
@inline(__always)
@discardableResult
public func checking<Number: FixedWidthInteger & SignedInteger>(
    _ call: () -> Number
) throws(SystemError) -> Number {
    let result = call()
    if result < 0 { throw .ofLastCall }
    return result
}
