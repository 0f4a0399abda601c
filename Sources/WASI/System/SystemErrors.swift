import Glibc

extension Errno {
    /// The code of the specification for `errno` of the host's last failed call.
    static var ofHost: Errno { Errno(host: Glibc.errno) }

    /// The code of the specification for a code of the host; `io` for one it has no word for.
    init(host code: Int32) {
        self = Self.word(code)
    }

    /// A `switch` needs no dictionary, which the first error of each run would pay for.
    private static func word(_ code: Int32) -> Errno {
        switch code {
        case E2BIG: .tooBig
        case EACCES: .acces
        case EADDRINUSE: .addrinuse
        case EADDRNOTAVAIL: .addrnotavail
        case EAFNOSUPPORT: .afnosupport
        case EAGAIN: .again
        case EALREADY: .already
        case EBADF: .badf
        case EBADMSG: .badmsg
        case EBUSY: .busy
        case ECANCELED: .canceled
        case ECHILD: .child
        case ECONNABORTED: .connaborted
        case ECONNREFUSED: .connrefused
        case ECONNRESET: .connreset
        case EDEADLK: .deadlk
        case EDESTADDRREQ: .destaddrreq
        case EDOM: .dom
        case EDQUOT: .dquot
        case EEXIST: .exist
        case EFAULT: .fault
        case EFBIG: .fbig
        case EHOSTUNREACH: .hostunreach
        case EIDRM: .idrm
        case EILSEQ: .ilseq
        case EINPROGRESS: .inprogress
        case EINTR: .intr
        case EINVAL: .inval
        case EIO: .io
        case EISCONN: .isconn
        case EISDIR: .isdir
        case ELOOP: .loop
        case EMFILE: .mfile
        case EMLINK: .mlink
        case EMSGSIZE: .msgsize
        case EMULTIHOP: .multihop
        case ENAMETOOLONG: .nametoolong
        case ENETDOWN: .netdown
        case ENETRESET: .netreset
        case ENETUNREACH: .netunreach
        case ENFILE: .nfile
        case ENOBUFS: .nobufs
        case ENODEV: .nodev
        case ENOENT: .noent
        case ENOEXEC: .noexec
        case ENOLCK: .nolck
        case ENOLINK: .nolink
        case ENOMEM: .nomem
        case ENOMSG: .nomsg
        case ENOPROTOOPT: .noprotoopt
        case ENOSPC: .nospc
        case ENOTCONN: .notconn
        case ENOTDIR: .notdir
        case ENOTEMPTY: .notempty
        case ENOTRECOVERABLE: .notrecoverable
        case ENOTSOCK: .notsock
        case ENOTTY: .notty
        case ENXIO: .nxio
        case EOPNOTSUPP: .notsup
        case EOVERFLOW: .overflow
        case EOWNERDEAD: .ownerdead
        case EPERM: .perm
        case EPIPE: .pipe
        case EPROTO: .proto
        case EPROTONOSUPPORT: .protonosupport
        case EPROTOTYPE: .prototype
        case ERANGE: .range
        case EROFS: .rofs
        case ESPIPE: .spipe
        case ESRCH: .srch
        case ESTALE: .stale
        case ETIMEDOUT: .timedout
        case ETXTBSY: .txtbsy
        case EXDEV: .xdev
        // A call that the host lacks is to the guest one that this file or socket cannot do:
        // no function of WASI is missing here.
        case ENOSYS: .notsup
        default: .io
        }
    }
}
