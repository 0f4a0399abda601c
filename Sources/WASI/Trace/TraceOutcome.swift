extension WASIFunction.Result {
    /// The outcome after `=`: `success`, the name of an errno, the number of a thread.
    func text(_ result: UInt32) -> String {
        guard self == .thread else { return Self.errno(result) }
        let number = Int32(bitPattern: result)
        return number >= 0
            ? "success thread=\(number)" : Self.errno(UInt32(bitPattern: 0 &- number))
    }

    /// Whether the call wrote its results.
    func isSuccess(_ result: UInt32) -> Bool { self == .errno && result == 0 }

    static func errno(_ number: UInt32) -> String {
        guard ErrnoNames.all.indices.contains(Int(number)) else {
            return "0x" + String(number, radix: 16)
        }
        return ErrnoNames.all[Int(number)]
    }
}

/// The specification's names of `Errno`, by number.
enum ErrnoNames {
    static let all = [
        "success", "2big", "acces", "addrinuse", "addrnotavail", "afnosupport", "again", "already",
        "badf", "badmsg", "busy", "canceled", "child", "connaborted", "connrefused", "connreset",
        "deadlk", "destaddrreq", "dom", "dquot", "exist", "fault", "fbig", "hostunreach", "idrm",
        "ilseq", "inprogress", "intr", "inval", "io", "isconn", "isdir", "loop", "mfile", "mlink",
        "msgsize", "multihop", "nametoolong", "netdown", "netreset", "netunreach", "nfile",
        "nobufs", "nodev", "noent", "noexec", "nolck", "nolink", "nomem", "nomsg", "noprotoopt",
        "nospc", "nosys", "notconn", "notdir", "notempty", "notrecoverable", "notsock", "notsup",
        "notty", "nxio", "overflow", "ownerdead", "perm", "pipe", "proto", "protonosupport",
        "prototype", "range", "rofs", "spipe", "srch", "stale", "timedout", "txtbsy", "xdev",
        "notcapable",
    ]
}
