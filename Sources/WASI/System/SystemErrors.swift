import WasmSystem

extension Errno {
    /// The code of the specification for an error of the host; `io` for one it has no word for.
    init(_ error: SystemError) {
        self = Self.byHostError[error] ?? .io
    }

    private static let byHostError: [SystemError: Errno] = [
        .tooBig: .tooBig, .acces: .acces, .addrinuse: .addrinuse, .addrnotavail: .addrnotavail,
        .afnosupport: .afnosupport, .again: .again, .already: .already, .badf: .badf,
        .badmsg: .badmsg, .busy: .busy, .canceled: .canceled, .child: .child,
        .connaborted: .connaborted, .connrefused: .connrefused, .connreset: .connreset,
        .deadlk: .deadlk, .destaddrreq: .destaddrreq, .dom: .dom, .dquot: .dquot, .exist: .exist,
        .fault: .fault, .fbig: .fbig, .hostunreach: .hostunreach, .idrm: .idrm, .ilseq: .ilseq,
        .inprogress: .inprogress, .intr: .intr, .inval: .inval, .io: .io, .isconn: .isconn,
        .isdir: .isdir, .loop: .loop, .mfile: .mfile, .mlink: .mlink, .msgsize: .msgsize,
        .multihop: .multihop, .nametoolong: .nametoolong, .netdown: .netdown,
        .netreset: .netreset, .netunreach: .netunreach, .nfile: .nfile, .nobufs: .nobufs,
        .nodev: .nodev, .noent: .noent, .noexec: .noexec, .nolck: .nolck, .nolink: .nolink,
        .nomem: .nomem, .nomsg: .nomsg, .noprotoopt: .noprotoopt, .nospc: .nospc,
        .notconn: .notconn, .notdir: .notdir, .notempty: .notempty,
        .notrecoverable: .notrecoverable, .notsock: .notsock, .notty: .notty, .nxio: .nxio,
        .opnotsupp: .notsup, .overflow: .overflow, .ownerdead: .ownerdead, .perm: .perm,
        .pipe: .pipe, .proto: .proto, .protonosupport: .protonosupport, .prototype: .prototype,
        .range: .range, .rofs: .rofs, .spipe: .spipe, .srch: .srch, .stale: .stale,
        .timedout: .timedout, .txtbsy: .txtbsy, .xdev: .xdev,
        // A call that the host lacks is to the guest one that this file or socket cannot do:
        // no function of WASI is missing here.
        .nosys: .notsup,
    ]
}

/// The operating system as WASI's functions use it: calls of `WasmSystem` with the specification's
/// types and errors.
enum System {
    /// Runs `call`; its error becomes the specification's.
    @inline(__always)
    @discardableResult
    static func mapping<Result>(
        _ call: () throws(SystemError) -> Result
    ) throws(Errno) -> Result {
        do throws(SystemError) {
            return try call()
        } catch {
            throw Errno(error)
        }
    }
}
