import WasmInterpreter

extension Linker {
    /// Defines the functions of WASI preview 1 for one guest, as `wasi_snapshot_preview1` and under
    /// the older name `wasi_unstable`.
    ///
    /// Folders are opened by this call. The linker's functions share the descriptors of this guest:
    /// use a linker for each guest, or `defineWASI` for many. More descriptors can be added to the
    /// returned guest.
    ///
    /// - Throws: `WASISetupError` if a folder cannot be opened or a string is malformed.
    @discardableResult
    public func define(_ wasi: WASI) throws(WASISetupError) -> WASIGuest {
        let guest = try WASIGuest(wasi)
        guest.define(on: self)
        return guest
    }
}

extension WASIGuest {
    /// Defines all functions of preview 1 and of its older version on `linker`.
    public func define(on linker: Linker) { define(on: linker, thread: 0) }

    /// - Parameter thread: the number of the guest's thread that will call them.
    func define(on linker: Linker, thread: UInt32) {
        let binding = GuestBinding(self, thread: thread)
        linker.beforeInstantiating { [self] in adopt($0) }
        for table in [FunctionTable.preview1, .unstable] {
            linker.define(table.module) { table[$0]?.function(for: binding) }
        }
    }
}

extension Caller {
    /// Memory 0 of the calling instance.
    ///
    /// - Throws: `fault` if there is none.
    @inline(__always)
    fileprivate var bytes: GuestMemory {
        get throws(Errno) {
            guard let memory = guestMemory else { throw .fault }
            return memory
        }
    }
}

extension WASI {
    /// The names of the functions of preview 1 that guests can import: for hosts that tell others
    /// what they provide.
    public static var functionNames: [Name] { FunctionTable.preview1.functions.map(\.name) }

    /// The functions that guests can import, of preview 1 and of its older version: for hosts that
    /// compare them with the imports of a module.
    public static var functions: [(module: Name, name: Name, type: FunctionType)] {
        [FunctionTable.preview1, .unstable].flatMap { table in
            table.functions.map { (table.module, $0.name, $0.type) }
        }
    }
}

/// The functions of one version. The parameters are in the specification's order.
struct FunctionTable: Sendable {
    static let preview1 = FunctionTable(.preview1)
    static let unstable = FunctionTable(.unstable)

    let version: Version
    private(set) var functions: [WASIFunction] = []

    /// The name of the module that guests import them from.
    var module: Name { version == .preview1 ? "wasi_snapshot_preview1" : "wasi_unstable" }

    private init(_ version: Version) {
        self.version = version
        functions.reserveCapacity(46)
        defineProcess()
        defineClocks()
        defineFiles()
        defineDescriptors()
        definePaths()
        defineSockets()
    }

    /// The function of this name.
    subscript(name: Name) -> WASIFunction? { functions.first { $0.name == name } }

    /// Defines a function whose result is the `Errno` that `body` throws.
    @inline(__always)
    private mutating func define<each Value: SlotReadable>(
        _ name: Name, _ parameters: repeat Parameter<each Value>,
        body:
            @escaping @Sendable (WASIGuest, borrowing Caller, repeat each Value) throws(Errno)
            -> Void
    ) {
        functions.append(
            WASIFunction(name, version, result: .errno, repeat each parameters) {
                guest, caller, slots in
                var slot = 0
                do throws(Errno) {
                    try body(guest, caller, repeat (each Value)(slots, &slot))
                    slots.setResult(u32: 0)
                } catch {
                    slots.setResult(u32: UInt32(error.rawValue))
                }
            })
    }

    /// Defines a function that may wait or end the guest, by throwing other errors than `Errno`.
    @inline(__always)
    private mutating func defineWaiting<each Value: SlotReadable>(
        _ name: Name, _ parameters: repeat Parameter<each Value>,
        body: @escaping @Sendable (WASIGuest, borrowing Caller, repeat each Value) throws -> Void
    ) {
        functions.append(
            WASIFunction(name, version, result: .errno, repeat each parameters) {
                guest, caller, slots in
                var slot = 0
                do {
                    try body(guest, caller, repeat (each Value)(slots, &slot))
                    slots.setResult(u32: 0)
                } catch let error as Errno {
                    slots.setResult(u32: UInt32(error.rawValue))
                }
            })
    }
}

extension FunctionTable {
    fileprivate mutating func defineProcess() {
        define("args_get", .arguments("argv"), .memory("argv_buf")) {
            (guest, caller, argv, buffer) throws(Errno) in
            try guest.args_get(try caller.bytes, argv, buffer)
        }
        define("args_sizes_get", .result32("argc"), .result32("argv_buf_size")) {
            (guest, caller, count, size) throws(Errno) in
            try guest.args_sizes_get(try caller.bytes, count, size)
        }
        define("environ_get", .environment("environ"), .memory("environ_buf")) {
            (guest, caller, environ, buffer) throws(Errno) in
            try guest.environ_get(try caller.bytes, environ, buffer)
        }
        define("environ_sizes_get", .result32("environc"), .result32("environ_buf_size")) {
            (guest, caller, count, size) throws(Errno) in
            try guest.environ_sizes_get(try caller.bytes, count, size)
        }
        functions.append(
            WASIFunction(
                "proc_exit", version, result: .none, Parameter<UInt32>.number("rval")
            ) { guest, _, slots in try guest.proc_exit(slots.u32(0)) })
        defineWaiting("proc_raise", .word("sig", TraceWords.signals)) { guest, _, signal in
            try guest.proc_raise(signal)
        }
        define("sched_yield") { (guest, _) throws(Errno) in guest.sched_yield() }
    }

    fileprivate mutating func defineClocks() {
        define("clock_res_get", .word("id", TraceWords.clocks), .result64("resolution")) {
            (guest, caller, id, resolution) throws(Errno) in
            try guest.clock_res_get(try caller.bytes, id, resolution)
        }
        // `precision`, how late the time may be, is ignored: the time is never late.
        define(
            "clock_time_get", .word("id", TraceWords.clocks), .timestamp("precision"),
            .result64("time")
        ) { (guest, caller, id, _, time) throws(Errno) in
            try guest.clock_time_get(try caller.bytes, id, time)
        }
        defineWaiting("random_get", .memory("buf"), .size("buf_len")) {
            guest, caller, buffer, size in
            try guest.random_get(try caller.bytes, buffer, size, caller)
        }
        defineWaiting(
            "poll_oneoff", .subscriptions("in"), .events("out"), .count("nsubscriptions"),
            .result32("nevents")
        ) { [version] guest, caller, input, output, count, result in
            try guest.poll_oneoff(
                try caller.bytes, input, output, count, result, version, caller)
        }
    }

    fileprivate mutating func defineFiles() {
        defineWaiting("fd_read", .descriptor(), .filled("iovs"), .result32("nread")) {
            guest, caller, fd, iovs, result in
            try guest.fd_read(try caller.bytes, fd, iovs.address, iovs.count, result, caller)
        }
        defineWaiting("fd_write", .descriptor(), .contents("iovs"), .result32("nwritten")) {
            guest, caller, fd, iovs, result in
            try guest.fd_write(try caller.bytes, fd, iovs.address, iovs.count, result, caller)
        }
        defineWaiting(
            "fd_pread", .descriptor(), .filled("iovs"), .filesize("offset"), .result32("nread")
        ) { guest, caller, fd, iovs, offset, result in
            try guest.fd_pread(
                try caller.bytes, fd, iovs.address, iovs.count, offset, result, caller)
        }
        defineWaiting(
            "fd_pwrite", .descriptor(), .contents("iovs"), .filesize("offset"),
            .result32("nwritten")
        ) { guest, caller, fd, iovs, offset, result in
            try guest.fd_pwrite(
                try caller.bytes, fd, iovs.address, iovs.count, offset, result, caller)
        }
        define(
            "fd_seek", .descriptor(), .filedelta("offset"), .whence("whence"),
            .result64("newoffset")
        ) { [version] (guest, caller, fd, offset, whence, result) throws(Errno) in
            try guest.fd_seek(try caller.bytes, fd, offset, Whence(whence, version), result)
        }
        define("fd_tell", .descriptor(), .result64("offset")) {
            (guest, caller, fd, result) throws(Errno) in
            try guest.fd_tell(try caller.bytes, fd, result)
        }
        define("fd_sync", .descriptor()) { (guest, _, fd) throws(Errno) in
            try guest.fd_sync(fd)
        }
        define("fd_datasync", .descriptor()) { (guest, _, fd) throws(Errno) in
            try guest.fd_datasync(fd)
        }
        define(
            "fd_advise", .descriptor(), .filesize("offset"), .filesize("len"),
            .word("advice", TraceWords.advice)
        ) { (guest, caller, fd, offset, length, advice) throws(Errno) in
            try guest.fd_advise(fd, offset, length, advice, caller.stopSignal)
        }
        define("fd_allocate", .descriptor(), .filesize("offset"), .filesize("len")) {
            (guest, caller, fd, offset, length) throws(Errno) in
            try guest.fd_allocate(fd, offset, length, caller.stopSignal)
        }
        define("fd_filestat_set_size", .descriptor(), .filesize("size")) {
            (guest, caller, fd, size) throws(Errno) in
            try guest.fd_filestat_set_size(fd, size, caller.stopSignal)
        }
        define(
            "fd_filestat_set_times", .descriptor(), .timestamp("atim"), .timestamp("mtim"),
            .flags("fst_flags", TraceWords.fstflags)
        ) { (guest, _, fd, atim, mtim, flags) throws(Errno) in
            try guest.fd_filestat_set_times(fd, atim, mtim, flags)
        }
        define("fd_filestat_get", .descriptor(), .filestat("buf")) {
            [version] (guest, caller, fd, result) throws(Errno) in
            try guest.fd_filestat_get(try caller.bytes, fd, result, version)
        }
    }

    fileprivate mutating func defineDescriptors() {
        define("fd_close", .descriptor()) { (guest, _, fd) throws(Errno) in
            try guest.fd_close(fd)
        }
        define("fd_renumber", .descriptor(), .descriptor("to")) {
            (guest, _, fd, to) throws(Errno) in
            try guest.fd_renumber(fd, to)
        }
        define("fd_fdstat_get", .descriptor(), .fdstat("stat")) {
            (guest, caller, fd, result) throws(Errno) in
            try guest.fd_fdstat_get(try caller.bytes, fd, result)
        }
        define("fd_fdstat_set_flags", .descriptor(), .flags("flags", TraceWords.fdflags)) {
            (guest, _, fd, flags) throws(Errno) in
            try guest.fd_fdstat_set_flags(fd, flags)
        }
        define(
            "fd_fdstat_set_rights", .descriptor(), .rights("fs_rights_base"),
            .rights("fs_rights_inheriting")
        ) { (guest, _, fd, base, inheriting) throws(Errno) in
            try guest.fd_fdstat_set_rights(fd, base, inheriting)
        }
        define("fd_prestat_get", .descriptor(), .prestat("buf")) {
            (guest, caller, fd, result) throws(Errno) in
            try guest.fd_prestat_get(try caller.bytes, fd, result)
        }
        define("fd_prestat_dir_name", .descriptor(), .text("path"), .size("path_len")) {
            (guest, caller, fd, path, size) throws(Errno) in
            try guest.fd_prestat_dir_name(try caller.bytes, fd, path, size)
        }
        define(
            "fd_readdir", .descriptor(), .entries("buf"), .size("buf_len"), .cookie("cookie"),
            .result32("bufused")
        ) { (guest, caller, fd, buffer, size, cookie, result) throws(Errno) in
            try guest.fd_readdir(
                try caller.bytes, fd, buffer, size, cookie, result, caller.stopSignal)
        }
    }

    fileprivate mutating func definePaths() {
        defineWaiting(
            "path_open", .descriptor(), .flags("dirflags", TraceWords.lookupflags), .path(),
            .flags("oflags", TraceWords.oflags), .rights("fs_rights_base"),
            .rights("fs_rights_inheriting"), .flags("fdflags", TraceWords.fdflags),
            .result32("fd")
        ) { guest, caller, fd, dirflags, path, oflags, base, inheriting, fdflags, result in
            try guest.path_open(
                try caller.bytes, fd, dirflags, path.address, path.count, oflags, base, inheriting,
                fdflags, result, caller)
        }
        define("path_create_directory", .descriptor(), .path()) {
            (guest, caller, fd, path) throws(Errno) in
            try guest.path_create_directory(
                try caller.bytes, fd, path.address, path.count, caller.stopSignal)
        }
        define("path_remove_directory", .descriptor(), .path()) {
            (guest, caller, fd, path) throws(Errno) in
            try guest.path_remove_directory(
                try caller.bytes, fd, path.address, path.count, caller.stopSignal)
        }
        define("path_unlink_file", .descriptor(), .path()) {
            (guest, caller, fd, path) throws(Errno) in
            try guest.path_unlink_file(
                try caller.bytes, fd, path.address, path.count, caller.stopSignal)
        }
        define(
            "path_rename", .descriptor(), .path("old_path"), .descriptor("new_fd"),
            .path("new_path")
        ) { (guest, caller, fd, old, newFD, new) throws(Errno) in
            try guest.path_rename(
                try caller.bytes, fd, old.address, old.count, newFD, new.address, new.count,
                caller.stopSignal)
        }
        define(
            "path_link", .descriptor("old_fd"), .flags("old_flags", TraceWords.lookupflags),
            .path("old_path"), .descriptor("new_fd"), .path("new_path")
        ) { (guest, caller, fd, flags, old, newFD, new) throws(Errno) in
            try guest.path_link(
                try caller.bytes, fd, flags, old.address, old.count, newFD, new.address, new.count,
                caller.stopSignal)
        }
        define("path_symlink", .path("old_path"), .descriptor(), .path("new_path")) {
            (guest, caller, old, fd, new) throws(Errno) in
            try guest.path_symlink(
                try caller.bytes, old.address, old.count, fd, new.address, new.count,
                caller.stopSignal)
        }
        define(
            "path_readlink", .descriptor(), .path(), .usedText("buf"), .size("buf_len"),
            .result32("bufused")
        ) { (guest, caller, fd, path, buffer, size, result) throws(Errno) in
            try guest.path_readlink(
                try caller.bytes, fd, path.address, path.count, buffer, size, result,
                caller.stopSignal)
        }
        define(
            "path_filestat_get", .descriptor(), .flags("flags", TraceWords.lookupflags), .path(),
            .filestat("buf")
        ) { [version] (guest, caller, fd, flags, path, result) throws(Errno) in
            try guest.path_filestat_get(
                try caller.bytes, fd, flags, path.address, path.count, result, version,
                caller.stopSignal)
        }
        define(
            "path_filestat_set_times", .descriptor(), .flags("flags", TraceWords.lookupflags),
            .path(), .timestamp("atim"), .timestamp("mtim"),
            .flags("fst_flags", TraceWords.fstflags)
        ) { (guest, caller, fd, flags, path, atim, mtim, fstflags) throws(Errno) in
            try guest.path_filestat_set_times(
                try caller.bytes, fd, flags, path.address, path.count, atim, mtim, fstflags,
                caller.stopSignal)
        }
    }

    fileprivate mutating func defineSockets() {
        defineWaiting(
            "sock_accept", .descriptor(), .flags("flags", TraceWords.fdflags), .result32("fd")
        ) { guest, caller, fd, flags, result in
            try guest.sock_accept(try caller.bytes, fd, flags, result, caller)
        }
        defineWaiting(
            "sock_recv", .descriptor(), .filled("ri_data"), .flags("ri_flags", TraceWords.riflags),
            .result32("nread"), .resultFlags("ro_flags", TraceWords.roflags)
        ) { guest, caller, fd, data, flags, count, resultFlags in
            try guest.sock_recv(
                try caller.bytes, fd, data.address, data.count, flags, count, resultFlags, caller)
        }
        defineWaiting(
            "sock_send", .descriptor(), .contents("si_data"), .number("si_flags"),
            .result32("nwritten")
        ) { guest, caller, fd, data, flags, result in
            try guest.sock_send(
                try caller.bytes, fd, data.address, data.count, flags, result, caller)
        }
        define("sock_shutdown", .descriptor(), .flags("how", TraceWords.sdflags)) {
            (guest, _, fd, how) throws(Errno) in
            try guest.sock_shutdown(fd, how)
        }
    }
}

extension Whence {
    /// The older version counts from the position first, then from the end, then from the start.
    fileprivate init?(_ value: UInt32, _ version: Version) {
        switch (version, value) {
        case (.preview1, 0), (.unstable, 2): self = .set
        case (.preview1, 1), (.unstable, 0): self = .cur
        case (.preview1, 2), (.unstable, 1): self = .end
        default: return nil
        }
    }
}
