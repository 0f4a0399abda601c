import WasmSystem

extension Errno {
    /// The specification's code for an error of the host; `io` for errors without one.
    package init(_ error: SystemError) {
        self = Self.word(error)
    }

    /// A `switch` instead of a dictionary, which would have to be made for the first error.
    private static func word(_ error: SystemError) -> Errno {
        switch error {
        case .tooBig: .tooBig
        case .acces: .acces
        case .addrinuse: .addrinuse
        case .addrnotavail: .addrnotavail
        case .afnosupport: .afnosupport
        case .again: .again
        case .already: .already
        case .badf: .badf
        case .badmsg: .badmsg
        case .busy: .busy
        case .canceled: .canceled
        case .child: .child
        case .connaborted: .connaborted
        case .connrefused: .connrefused
        case .connreset: .connreset
        case .deadlk: .deadlk
        case .destaddrreq: .destaddrreq
        case .dom: .dom
        case .dquot: .dquot
        case .exist: .exist
        case .fault: .fault
        case .fbig: .fbig
        case .hostunreach: .hostunreach
        case .idrm: .idrm
        case .ilseq: .ilseq
        case .inprogress: .inprogress
        case .intr: .intr
        case .inval: .inval
        case .io: .io
        case .isconn: .isconn
        case .isdir: .isdir
        case .loop: .loop
        case .mfile: .mfile
        case .mlink: .mlink
        case .msgsize: .msgsize
        case .multihop: .multihop
        case .nametoolong: .nametoolong
        case .netdown: .netdown
        case .netreset: .netreset
        case .netunreach: .netunreach
        case .nfile: .nfile
        case .nobufs: .nobufs
        case .nodev: .nodev
        case .noent: .noent
        case .noexec: .noexec
        case .nolck: .nolck
        case .nolink: .nolink
        case .nomem: .nomem
        case .nomsg: .nomsg
        case .noprotoopt: .noprotoopt
        case .nospc: .nospc
        case .notconn: .notconn
        case .notdir: .notdir
        case .notempty: .notempty
        case .notrecoverable: .notrecoverable
        case .notsock: .notsock
        case .notty: .notty
        case .nxio: .nxio
        case .opnotsupp: .notsup
        case .overflow: .overflow
        case .ownerdead: .ownerdead
        case .perm: .perm
        case .pipe: .pipe
        case .proto: .proto
        case .protonosupport: .protonosupport
        case .prototype: .prototype
        case .range: .range
        case .rofs: .rofs
        case .spipe: .spipe
        case .srch: .srch
        case .stale: .stale
        case .timedout: .timedout
        case .txtbsy: .txtbsy
        case .xdev: .xdev
        // If the host lacks a call, the file or socket does not support it: WASI's function itself
        // exists.
        case .nosys: .notsup
        default: .io
        }
    }
}

/// Calls of `WasmSystem` with the specification's types and errors.
enum System {
    /// Runs `call` and converts its error to the specification's.
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
