/// What the slots of a call mean, in the specification's order and names.
struct TraceForm {
    /// More than any function has.
    static let slotLimit = 16

    /// An argument that is known before the call; numbers are slots.
    enum Parameter {
        case number(String, Int)
        case signed(String, Int)
        case address(String, Int)
        /// A word of a list, by its index.
        case word(String, Int, [String])
        /// Bits, the lowest first.
        case flags(String, Int, [String])
        /// Bytes: their address, and in the next slot how many.
        case path(String, Int)
        /// Buffers whose contents the call writes somewhere: an array and how many.
        case contents(String, Int)
        /// Buffers that the call fills: their sizes.
        case sizes(String, Int)
        /// An array, and behind that of the events how many.
        case subscriptions(String, Int)
    }

    /// What the call wrote to memory; numbers are slots that hold addresses.
    enum Result {
        case number32(String, Int)
        case number64(String, Int)
        case flags16(String, Int, [String])
        case filestat(Int)
        case fdstat(Int)
        case prestat(Int)
        /// Text at an address of a size that the next slot has.
        case text(String, Int)
        /// Text at an address, whose size the call wrote to another one.
        case usedText(String, Int, size: Int)
        /// Buffers from slot 1 on, filled with as many bytes as the call wrote to `count`.
        case data(String, count: Int)
        case entries(Int, size: Int)
        case events(Int, count: Int)
        case arguments
        case environment
    }

    var parameters: [Parameter] = []
    var results: [Result] = []
    /// The result is a number of a thread, or an errno as a negative number.
    var returnsThread = false

    func succeeded(_ result: UInt32) -> Bool { !returnsThread && result == 0 }

    /// `success`, `noent`; a number that is no errno in hexadecimal.
    func outcome(_ result: UInt32) -> String {
        guard returnsThread else { return Self.errno(result) }
        let number = Int32(bitPattern: result)
        return number >= 0
            ? "success thread=\(number)" : Self.errno(UInt32(bitPattern: 0 &- number))
    }

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
