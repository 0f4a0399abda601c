import Glibc

extension Errno {
    /// The code of the specification for `errno` of the host's last failed call.
    static var ofHost: Errno { Errno(host: Glibc.errno) }

    /// The code of the specification for a code of the host; `io` for one it has no word for.
    init(host code: Int32) {
        self = Self.byHostCode[code] ?? .io
    }

    private static let byHostCode: [Int32: Errno] = [
        E2BIG: .tooBig, EACCES: .acces, EADDRINUSE: .addrinuse, EADDRNOTAVAIL: .addrnotavail,
        EAFNOSUPPORT: .afnosupport, EAGAIN: .again, EALREADY: .already, EBADF: .badf,
        EBADMSG: .badmsg, EBUSY: .busy, ECANCELED: .canceled, ECHILD: .child,
        ECONNABORTED: .connaborted, ECONNREFUSED: .connrefused, ECONNRESET: .connreset,
        EDEADLK: .deadlk, EDESTADDRREQ: .destaddrreq, EDOM: .dom, EDQUOT: .dquot, EEXIST: .exist,
        EFAULT: .fault, EFBIG: .fbig, EHOSTUNREACH: .hostunreach, EIDRM: .idrm, EILSEQ: .ilseq,
        EINPROGRESS: .inprogress, EINTR: .intr, EINVAL: .inval, EIO: .io, EISCONN: .isconn,
        EISDIR: .isdir, ELOOP: .loop, EMFILE: .mfile, EMLINK: .mlink, EMSGSIZE: .msgsize,
        EMULTIHOP: .multihop, ENAMETOOLONG: .nametoolong, ENETDOWN: .netdown,
        ENETRESET: .netreset, ENETUNREACH: .netunreach, ENFILE: .nfile, ENOBUFS: .nobufs,
        ENODEV: .nodev, ENOENT: .noent, ENOEXEC: .noexec, ENOLCK: .nolck, ENOLINK: .nolink,
        ENOMEM: .nomem, ENOMSG: .nomsg, ENOPROTOOPT: .noprotoopt, ENOSPC: .nospc,
        ENOTCONN: .notconn, ENOTDIR: .notdir, ENOTEMPTY: .notempty,
        ENOTRECOVERABLE: .notrecoverable, ENOTSOCK: .notsock, ENOTTY: .notty, ENXIO: .nxio,
        EOPNOTSUPP: .notsup, EOVERFLOW: .overflow, EOWNERDEAD: .ownerdead, EPERM: .perm,
        EPIPE: .pipe, EPROTO: .proto, EPROTONOSUPPORT: .protonosupport, EPROTOTYPE: .prototype,
        ERANGE: .range, EROFS: .rofs, ESPIPE: .spipe, ESRCH: .srch, ESTALE: .stale,
        ETIMEDOUT: .timedout, ETXTBSY: .txtbsy, EXDEV: .xdev,
        // A call that the host lacks is to the guest one that this file or socket cannot do:
        // no function of WASI is missing here.
        ENOSYS: .notsup,
    ]
}
