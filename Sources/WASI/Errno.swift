/// Why a WASI call failed: the `errno` of the specification, with its numbers.
///
/// Names are the specification's; `tooBig` is `2big`, which is not a valid name in Swift.
public enum Errno: UInt16, Error, Sendable, Hashable, CaseIterable {
    case success = 0
    /// Argument list too long (`2big`).
    case tooBig
    case acces, addrinuse, addrnotavail, afnosupport, again, already
    case badf, badmsg, busy
    case canceled, child, connaborted, connrefused, connreset
    case deadlk, destaddrreq, dom, dquot
    case exist, fault, fbig, hostunreach
    case idrm, ilseq, inprogress, intr, inval, io, isconn, isdir
    case loop, mfile, mlink, msgsize, multihop
    case nametoolong, netdown, netreset, netunreach, nfile, nobufs, nodev, noent, noexec, nolck
    case nolink, nomem, nomsg, noprotoopt, nospc, nosys, notconn, notdir, notempty
    case notrecoverable, notsock, notsup, notty, nxio
    case overflow, ownerdead
    case perm, pipe, proto, protonosupport, prototype
    case range, rofs, spipe, srch, stale, timedout, txtbsy, xdev
    /// The descriptor's rights do not allow the call.
    case notcapable
}

extension Errno: CustomStringConvertible {
    /// The specification's description of the code, in lower case.
    public var description: String {
        switch self {
        case .success: "success"
        case .tooBig: "argument list too long"
        case .acces: "permission denied"
        case .addrinuse: "address in use"
        case .addrnotavail: "address not available"
        case .afnosupport: "address family not supported"
        case .again: "resource unavailable, or operation would block"
        case .already: "connection already in progress"
        case .badf: "bad file descriptor"
        case .badmsg: "bad message"
        case .busy: "device or resource busy"
        case .canceled: "operation canceled"
        case .child: "no child processes"
        case .connaborted: "connection aborted"
        case .connrefused: "connection refused"
        case .connreset: "connection reset"
        case .deadlk: "resource deadlock would occur"
        case .destaddrreq: "destination address required"
        case .dom: "mathematics argument out of domain of function"
        case .dquot: "quota exceeded"
        case .exist: "file exists"
        case .fault: "bad address"
        case .fbig: "file too large"
        case .hostunreach: "host is unreachable"
        case .idrm: "identifier removed"
        case .ilseq: "illegal byte sequence"
        case .inprogress: "operation in progress"
        case .intr: "interrupted function"
        case .inval: "invalid argument"
        case .io: "input or output error"
        case .isconn: "socket is connected"
        case .isdir: "is a directory"
        case .loop: "too many levels of symbolic links"
        case .mfile: "too many open descriptors"
        case .mlink: "too many links"
        case .msgsize: "message too large"
        case .multihop: "multihop attempted"
        case .nametoolong: "file name too long"
        case .netdown: "network is down"
        case .netreset: "connection aborted by network"
        case .netunreach: "network unreachable"
        case .nfile: "too many files open in system"
        case .nobufs: "no buffer space available"
        case .nodev: "no such device"
        case .noent: "no such file or directory"
        case .noexec: "executable file format error"
        case .nolck: "no locks available"
        case .nolink: "link has been severed"
        case .nomem: "not enough space"
        case .nomsg: "no message of the desired type"
        case .noprotoopt: "protocol not available"
        case .nospc: "no space left on device"
        case .nosys: "function not supported"
        case .notconn: "the socket is not connected"
        case .notdir: "not a directory or a symbolic link to a directory"
        case .notempty: "directory not empty"
        case .notrecoverable: "state not recoverable"
        case .notsock: "not a socket"
        case .notsup: "not supported"
        case .notty: "inappropriate input or output control operation"
        case .nxio: "no such device or address"
        case .overflow: "value too large to be stored in data type"
        case .ownerdead: "previous owner died"
        case .perm: "operation not permitted"
        case .pipe: "broken pipe"
        case .proto: "protocol error"
        case .protonosupport: "protocol not supported"
        case .prototype: "protocol wrong type for socket"
        case .range: "result too large"
        case .rofs: "read-only file system"
        case .spipe: "invalid seek"
        case .srch: "no such process"
        case .stale: "stale file handle"
        case .timedout: "connection timed out"
        case .txtbsy: "text file busy"
        case .xdev: "cross-device link"
        case .notcapable: "capabilities insufficient"
        }
    }
}
