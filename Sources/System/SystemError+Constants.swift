import Glibc

// The errors of POSIX, and EDQUOT, EMULTIHOP and ESTALE: POSIX.1-2017, 2.3; errno(3). The names are
// those of the constants without the E; `tooBig` is E2BIG.

extension SystemError {
    @inlinable
    public static var tooBig: SystemError { SystemError(code: E2BIG) }
    @inlinable
    public static var acces: SystemError { SystemError(code: EACCES) }
    @inlinable
    public static var addrinuse: SystemError { SystemError(code: EADDRINUSE) }
    @inlinable
    public static var addrnotavail: SystemError { SystemError(code: EADDRNOTAVAIL) }
    @inlinable
    public static var afnosupport: SystemError { SystemError(code: EAFNOSUPPORT) }
    @inlinable
    public static var again: SystemError { SystemError(code: EAGAIN) }
    @inlinable
    public static var already: SystemError { SystemError(code: EALREADY) }
    @inlinable
    public static var badf: SystemError { SystemError(code: EBADF) }
    @inlinable
    public static var badmsg: SystemError { SystemError(code: EBADMSG) }
    @inlinable
    public static var busy: SystemError { SystemError(code: EBUSY) }
    @inlinable
    public static var canceled: SystemError { SystemError(code: ECANCELED) }
    @inlinable
    public static var child: SystemError { SystemError(code: ECHILD) }
    @inlinable
    public static var connaborted: SystemError { SystemError(code: ECONNABORTED) }
    @inlinable
    public static var connrefused: SystemError { SystemError(code: ECONNREFUSED) }
    @inlinable
    public static var connreset: SystemError { SystemError(code: ECONNRESET) }
    @inlinable
    public static var deadlk: SystemError { SystemError(code: EDEADLK) }
    @inlinable
    public static var destaddrreq: SystemError { SystemError(code: EDESTADDRREQ) }
    @inlinable
    public static var dom: SystemError { SystemError(code: EDOM) }
    @inlinable
    public static var dquot: SystemError { SystemError(code: EDQUOT) }
    @inlinable
    public static var exist: SystemError { SystemError(code: EEXIST) }
    @inlinable
    public static var fault: SystemError { SystemError(code: EFAULT) }
    @inlinable
    public static var fbig: SystemError { SystemError(code: EFBIG) }
    @inlinable
    public static var hostunreach: SystemError { SystemError(code: EHOSTUNREACH) }
    @inlinable
    public static var idrm: SystemError { SystemError(code: EIDRM) }
    @inlinable
    public static var ilseq: SystemError { SystemError(code: EILSEQ) }
    @inlinable
    public static var inprogress: SystemError { SystemError(code: EINPROGRESS) }
    @inlinable
    public static var intr: SystemError { SystemError(code: EINTR) }
    @inlinable
    public static var inval: SystemError { SystemError(code: EINVAL) }
    @inlinable
    public static var io: SystemError { SystemError(code: EIO) }
    @inlinable
    public static var isconn: SystemError { SystemError(code: EISCONN) }
    @inlinable
    public static var isdir: SystemError { SystemError(code: EISDIR) }
    @inlinable
    public static var loop: SystemError { SystemError(code: ELOOP) }
    @inlinable
    public static var mfile: SystemError { SystemError(code: EMFILE) }
    @inlinable
    public static var mlink: SystemError { SystemError(code: EMLINK) }
    @inlinable
    public static var msgsize: SystemError { SystemError(code: EMSGSIZE) }
    @inlinable
    public static var multihop: SystemError { SystemError(code: EMULTIHOP) }
    @inlinable
    public static var nametoolong: SystemError { SystemError(code: ENAMETOOLONG) }
    @inlinable
    public static var netdown: SystemError { SystemError(code: ENETDOWN) }
    @inlinable
    public static var netreset: SystemError { SystemError(code: ENETRESET) }
    @inlinable
    public static var netunreach: SystemError { SystemError(code: ENETUNREACH) }
    @inlinable
    public static var nfile: SystemError { SystemError(code: ENFILE) }
    @inlinable
    public static var nobufs: SystemError { SystemError(code: ENOBUFS) }
    @inlinable
    public static var nodev: SystemError { SystemError(code: ENODEV) }
    @inlinable
    public static var noent: SystemError { SystemError(code: ENOENT) }
    @inlinable
    public static var noexec: SystemError { SystemError(code: ENOEXEC) }
    @inlinable
    public static var nolck: SystemError { SystemError(code: ENOLCK) }
    @inlinable
    public static var nolink: SystemError { SystemError(code: ENOLINK) }
    @inlinable
    public static var nomem: SystemError { SystemError(code: ENOMEM) }
    @inlinable
    public static var nomsg: SystemError { SystemError(code: ENOMSG) }
    @inlinable
    public static var noprotoopt: SystemError { SystemError(code: ENOPROTOOPT) }
    @inlinable
    public static var nospc: SystemError { SystemError(code: ENOSPC) }
    @inlinable
    public static var nosys: SystemError { SystemError(code: ENOSYS) }
    @inlinable
    public static var notconn: SystemError { SystemError(code: ENOTCONN) }
    @inlinable
    public static var notdir: SystemError { SystemError(code: ENOTDIR) }
    @inlinable
    public static var notempty: SystemError { SystemError(code: ENOTEMPTY) }
    @inlinable
    public static var notrecoverable: SystemError { SystemError(code: ENOTRECOVERABLE) }
    @inlinable
    public static var notsock: SystemError { SystemError(code: ENOTSOCK) }
    @inlinable
    public static var notty: SystemError { SystemError(code: ENOTTY) }
    @inlinable
    public static var nxio: SystemError { SystemError(code: ENXIO) }
    @inlinable
    public static var opnotsupp: SystemError { SystemError(code: EOPNOTSUPP) }
    @inlinable
    public static var overflow: SystemError { SystemError(code: EOVERFLOW) }
    @inlinable
    public static var ownerdead: SystemError { SystemError(code: EOWNERDEAD) }
    @inlinable
    public static var perm: SystemError { SystemError(code: EPERM) }
    @inlinable
    public static var pipe: SystemError { SystemError(code: EPIPE) }
    @inlinable
    public static var proto: SystemError { SystemError(code: EPROTO) }
    @inlinable
    public static var protonosupport: SystemError { SystemError(code: EPROTONOSUPPORT) }
    @inlinable
    public static var prototype: SystemError { SystemError(code: EPROTOTYPE) }
    @inlinable
    public static var range: SystemError { SystemError(code: ERANGE) }
    @inlinable
    public static var rofs: SystemError { SystemError(code: EROFS) }
    @inlinable
    public static var spipe: SystemError { SystemError(code: ESPIPE) }
    @inlinable
    public static var srch: SystemError { SystemError(code: ESRCH) }
    @inlinable
    public static var stale: SystemError { SystemError(code: ESTALE) }
    @inlinable
    public static var timedout: SystemError { SystemError(code: ETIMEDOUT) }
    @inlinable
    public static var txtbsy: SystemError { SystemError(code: ETXTBSY) }
    @inlinable
    public static var xdev: SystemError { SystemError(code: EXDEV) }

    /// All of them, with the names of the C library.
    static let constants: [(error: SystemError, name: String)] = [
        (.tooBig, "E2BIG"),
        (.acces, "EACCES"),
        (.addrinuse, "EADDRINUSE"),
        (.addrnotavail, "EADDRNOTAVAIL"),
        (.afnosupport, "EAFNOSUPPORT"),
        (.again, "EAGAIN"),
        (.already, "EALREADY"),
        (.badf, "EBADF"),
        (.badmsg, "EBADMSG"),
        (.busy, "EBUSY"),
        (.canceled, "ECANCELED"),
        (.child, "ECHILD"),
        (.connaborted, "ECONNABORTED"),
        (.connrefused, "ECONNREFUSED"),
        (.connreset, "ECONNRESET"),
        (.deadlk, "EDEADLK"),
        (.destaddrreq, "EDESTADDRREQ"),
        (.dom, "EDOM"),
        (.dquot, "EDQUOT"),
        (.exist, "EEXIST"),
        (.fault, "EFAULT"),
        (.fbig, "EFBIG"),
        (.hostunreach, "EHOSTUNREACH"),
        (.idrm, "EIDRM"),
        (.ilseq, "EILSEQ"),
        (.inprogress, "EINPROGRESS"),
        (.intr, "EINTR"),
        (.inval, "EINVAL"),
        (.io, "EIO"),
        (.isconn, "EISCONN"),
        (.isdir, "EISDIR"),
        (.loop, "ELOOP"),
        (.mfile, "EMFILE"),
        (.mlink, "EMLINK"),
        (.msgsize, "EMSGSIZE"),
        (.multihop, "EMULTIHOP"),
        (.nametoolong, "ENAMETOOLONG"),
        (.netdown, "ENETDOWN"),
        (.netreset, "ENETRESET"),
        (.netunreach, "ENETUNREACH"),
        (.nfile, "ENFILE"),
        (.nobufs, "ENOBUFS"),
        (.nodev, "ENODEV"),
        (.noent, "ENOENT"),
        (.noexec, "ENOEXEC"),
        (.nolck, "ENOLCK"),
        (.nolink, "ENOLINK"),
        (.nomem, "ENOMEM"),
        (.nomsg, "ENOMSG"),
        (.noprotoopt, "ENOPROTOOPT"),
        (.nospc, "ENOSPC"),
        (.nosys, "ENOSYS"),
        (.notconn, "ENOTCONN"),
        (.notdir, "ENOTDIR"),
        (.notempty, "ENOTEMPTY"),
        (.notrecoverable, "ENOTRECOVERABLE"),
        (.notsock, "ENOTSOCK"),
        (.notty, "ENOTTY"),
        (.nxio, "ENXIO"),
        (.opnotsupp, "EOPNOTSUPP"),
        (.overflow, "EOVERFLOW"),
        (.ownerdead, "EOWNERDEAD"),
        (.perm, "EPERM"),
        (.pipe, "EPIPE"),
        (.proto, "EPROTO"),
        (.protonosupport, "EPROTONOSUPPORT"),
        (.prototype, "EPROTOTYPE"),
        (.range, "ERANGE"),
        (.rofs, "EROFS"),
        (.spipe, "ESPIPE"),
        (.srch, "ESRCH"),
        (.stale, "ESTALE"),
        (.timedout, "ETIMEDOUT"),
        (.txtbsy, "ETXTBSY"),
        (.xdev, "EXDEV"),
    ]
}
