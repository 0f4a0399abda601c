/// A number that a function of a transport returned: zero or above for success or a descriptor,
/// below zero for an error.
///
/// Transports were made with two kits, which number their errors differently: one uses the negative
/// numbers of WASI's errors, the other a list of its own. The number does not tell which, so both
/// readings are in the text.
struct GuestNumber: Hashable, Sendable {
    let value: Int32

    init(_ value: Int32) { self.value = value }

    // What the host itself returns to guests.
    static let accessDenied = GuestNumber(-2)
    static let badDescriptor = GuestNumber(-8)
    static let invalidArgument = GuestNumber(-28)
    static let noDevice = GuestNumber(-43)
    static let notConnected = GuestNumber(-53)

    /// Whether a worker that returned it has ended as it should: also the errors for a connection
    /// that the peer has ended, and for one that was cancelled.
    var isCleanEnd: Bool { value >= 0 || value == -11 || value == -64 }

    /// `-28 (EINVAL)`, `-2 (EACCES, or "invalid argument" in the Rust kit)`
    var text: String {
        guard value < 0 else { return "\(value)" }
        let name = Self.names[value.magnitude]
        switch (name, Self.rustTexts[value.magnitude]) {
        case (let name?, let rust?): return "\(value) (\(name), or \"\(rust)\" in the Rust kit)"
        case (let name?, nil): return "\(value) (\(name))"
        case (nil, let rust?): return "\(value) (\"\(rust)\" in the Rust kit)"
        case (nil, nil): return "\(value) (no error of either kit)"
        }
    }

    /// The errors of WASI by their numbers.
    private static let names: [UInt32: String] = [
        1: "E2BIG", 2: "EACCES", 6: "EAGAIN", 8: "EBADF", 10: "EBUSY", 11: "ECANCELED",
        13: "ECONNABORTED", 14: "ECONNREFUSED", 15: "ECONNRESET", 20: "EEXIST", 27: "EINTR",
        28: "EINVAL", 29: "EIO", 30: "EISCONN", 31: "EISDIR", 38: "ENOSYS, as Linux numbers it",
        43: "ENODEV", 44: "ENOENT", 48: "ENOMEM", 52: "ENOSYS", 53: "ENOTCONN", 58: "ENOTSUP",
        63: "EPERM", 64: "EPIPE", 65: "EPROTO", 73: "ETIMEDOUT", 76: "ENOTCAPABLE",
    ]

    private static let rustTexts: [UInt32: String] = [
        1: "unknown error", 2: "invalid argument", 3: "invalid configuration",
        4: "invalid descriptor", 5: "invalid function", 6: "initialised twice",
        7: "input or output failed", 8: "not initialised",
    ]
}
