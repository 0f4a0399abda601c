import WasmInterpreter

extension Linker {
    /// Gives one guest the functions of WASI preview 1, as `wasi_snapshot_preview1` and under the
    /// older name `wasi_unstable`.
    ///
    /// Folders are opened now. The linker's functions share the descriptors of this one guest: use
    /// a linker for each. The answer can be used to hand the guest more descriptors.
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
    public func define(on linker: Linker) { define(on: linker, only: nil) }

    /// Defines the functions of these names, or all.
    ///
    /// - Parameter thread: the number of the guest's thread that will call them.
    func define(on linker: Linker, only names: Set<Name>?, thread: UInt32 = 0) {
        linker.prepare { [self] in adopt($0) }
        for version in [Version.preview1, .unstable] {
            let table = FunctionTable(
                guest: self, linker: linker, version: version, names: names, thread: thread)
            table.defineProcess()
            table.defineClocks()
            table.defineFiles()
            table.defineDescriptors()
            table.definePaths()
            table.defineSockets()
        }
    }
}

/// Names, types and bodies of the functions; the parameters are in the specification's order.
private struct FunctionTable {
    typealias Body = (WASIGuest, GuestMemory, borrowing CallSlots) throws(Errno) -> Void
    typealias PlainBody = (WASIGuest, borrowing CallSlots) throws(Errno) -> Void
    typealias LongBody = (WASIGuest, GuestMemory, StopSignal, borrowing CallSlots) throws(Errno) ->
        Void
    typealias LongPlainBody = (WASIGuest, StopSignal, borrowing CallSlots) throws(Errno) -> Void
    typealias CallerBody = (WASIGuest, borrowing Caller, borrowing CallSlots) throws -> Void

    let guest: WASIGuest
    let linker: Linker
    let version: Version
    /// The functions to define; nil for all.
    let names: Set<Name>?
    let thread: UInt32

    private var module: Name {
        version == .preview1 ? "wasi_snapshot_preview1" : "wasi_unstable"
    }

    private func add(_ name: Name, _ parameters: String, _ body: @escaping HostFunction.Body) {
        guard names?.contains(name) ?? true else { return }
        linker.defineFunction(
            module, name, parameters: parameters.utf8.map { $0 == 0x49 ? .i64 : .i32 },
            results: [.i32], traced(name, body))
    }

    /// The body, or one that is also written down.
    fileprivate func traced(
        _ name: Name, _ body: @escaping HostFunction.Body
    ) -> HostFunction.Body {
        guard let trace = guest.trace else { return body }
        return trace.traced(name, thread: thread, version, guest, body)
    }

    /// Defines a function that uses memory. `parameters` has an `i` for each i32 and an `I` for
    /// each i64; the result is an errno.
    private func define(_ name: Name, _ parameters: String, _ body: @escaping Body) {
        add(name, parameters) { [guest] caller, slots in
            do throws(Errno) {
                guard let memory = caller.guestMemory else { throw .fault }
                try body(guest, memory, slots)
                slots.setResult(u32: 0)
            } catch {
                slots.setResult(u32: UInt32(error.rawValue))
            }
        }
    }

    /// Defines a function that uses no memory.
    private func definePlain(_ name: Name, _ parameters: String, _ body: @escaping PlainBody) {
        add(name, parameters) { [guest] _, slots in
            do throws(Errno) {
                try body(guest, slots)
                slots.setResult(u32: 0)
            } catch {
                slots.setResult(u32: UInt32(error.rawValue))
            }
        }
    }

    /// Defines a function that uses memory and can take long: it looks at the signal.
    private func defineLong(_ name: Name, _ parameters: String, _ body: @escaping LongBody) {
        add(name, parameters) { [guest] caller, slots in
            do throws(Errno) {
                guard let memory = caller.guestMemory else { throw .fault }
                try body(guest, memory, caller.stopSignal, slots)
                slots.setResult(u32: 0)
            } catch {
                slots.setResult(u32: UInt32(error.rawValue))
            }
        }
    }

    /// Defines a function that uses no memory and can take long.
    private func defineLongPlain(
        _ name: Name, _ parameters: String, _ body: @escaping LongPlainBody
    ) {
        add(name, parameters) { [guest] caller, slots in
            do throws(Errno) {
                try body(guest, caller.stopSignal, slots)
                slots.setResult(u32: 0)
            } catch {
                slots.setResult(u32: UInt32(error.rawValue))
            }
        }
    }

    /// Defines a function that may wait or end the guest: what it throws besides `Errno` does.
    private func defineWaiting(_ name: Name, _ parameters: String, _ body: @escaping CallerBody) {
        add(name, parameters) { [guest] caller, slots in
            do {
                try body(guest, caller, slots)
                slots.setResult(u32: 0)
            } catch let error as Errno {
                slots.setResult(u32: UInt32(error.rawValue))
            }
        }
    }
}

extension FunctionTable {
    fileprivate func defineProcess() {
        define("args_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.args_get(memory, slots.u32(0), slots.u32(1))
        }
        define("args_sizes_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.args_sizes_get(memory, slots.u32(0), slots.u32(1))
        }
        define("environ_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.environ_get(memory, slots.u32(0), slots.u32(1))
        }
        define("environ_sizes_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.environ_sizes_get(memory, slots.u32(0), slots.u32(1))
        }
        linker.defineFunction(
            module, "proc_exit", parameters: [.i32], results: [],
            traced("proc_exit") { [guest] _, slots in try guest.proc_exit(slots.u32(0)) })
        defineWaiting("proc_raise", "i") { try $0.proc_raise($2.u32(0)) }
        definePlain("sched_yield", "") { (guest, _) throws(Errno) in
            guest.sched_yield()
        }
    }

    fileprivate func defineClocks() {
        define("clock_res_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.clock_res_get(memory, slots.u32(0), slots.u32(1))
        }
        // The second parameter, how late the answer may be, asks for nothing: it is never late.
        define("clock_time_get", "iIi") { (guest, memory, slots) throws(Errno) in
            try guest.clock_time_get(memory, slots.u32(0), slots.u32(2))
        }
        defineLong("random_get", "ii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.random_get(memory, slots.u32(0), slots.u32(1), stop)
        }
        defineWaiting("poll_oneoff", "iiii") { [version] guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.poll_oneoff(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), version, caller)
        }
    }

    fileprivate func defineFiles() {
        defineWaiting("fd_read", "iiii") { guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.fd_read(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), caller)
        }
        defineWaiting("fd_write", "iiii") { guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.fd_write(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), caller)
        }
        defineLong("fd_pread", "iiiIi") { (guest, memory, stop, slots) throws(Errno) in
            try guest.fd_pread(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u64(3), slots.u32(4), stop)
        }
        defineLong("fd_pwrite", "iiiIi") { (guest, memory, stop, slots) throws(Errno) in
            try guest.fd_pwrite(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u64(3), slots.u32(4), stop)
        }
        define("fd_seek", "iIii") { [version] (guest, memory, slots) throws(Errno) in
            let whence = Whence(slots.u32(2), version)
            try guest.fd_seek(memory, slots.u32(0), slots.i64(1), whence, slots.u32(3))
        }
        define("fd_tell", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.fd_tell(memory, slots.u32(0), slots.u32(1))
        }
        definePlain("fd_sync", "i") { (guest, slots) throws(Errno) in
            try guest.fd_sync(slots.u32(0))
        }
        definePlain("fd_datasync", "i") { (guest, slots) throws(Errno) in
            try guest.fd_datasync(slots.u32(0))
        }
        defineLongPlain("fd_advise", "iIIi") { (guest, stop, slots) throws(Errno) in
            try guest.fd_advise(slots.u32(0), slots.u64(1), slots.u64(2), slots.u32(3), stop)
        }
        defineLongPlain("fd_allocate", "iII") { (guest, stop, slots) throws(Errno) in
            try guest.fd_allocate(slots.u32(0), slots.u64(1), slots.u64(2), stop)
        }
        defineLongPlain("fd_filestat_set_size", "iI") { (guest, stop, slots) throws(Errno) in
            try guest.fd_filestat_set_size(slots.u32(0), slots.u64(1), stop)
        }
        definePlain("fd_filestat_set_times", "iIIi") { (guest, slots) throws(Errno) in
            try guest.fd_filestat_set_times(slots.u32(0), slots.u64(1), slots.u64(2), slots.u32(3))
        }
        define("fd_filestat_get", "ii") { [version] (guest, memory, slots) throws(Errno) in
            try guest.fd_filestat_get(memory, slots.u32(0), slots.u32(1), version)
        }
    }

    fileprivate func defineDescriptors() {
        definePlain("fd_close", "i") { (guest, slots) throws(Errno) in
            try guest.fd_close(slots.u32(0))
        }
        definePlain("fd_renumber", "ii") { (guest, slots) throws(Errno) in
            try guest.fd_renumber(slots.u32(0), slots.u32(1))
        }
        define("fd_fdstat_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.fd_fdstat_get(memory, slots.u32(0), slots.u32(1))
        }
        definePlain("fd_fdstat_set_flags", "ii") { (guest, slots) throws(Errno) in
            try guest.fd_fdstat_set_flags(slots.u32(0), slots.u32(1))
        }
        definePlain("fd_fdstat_set_rights", "iII") { (guest, slots) throws(Errno) in
            try guest.fd_fdstat_set_rights(slots.u32(0), slots.u64(1), slots.u64(2))
        }
        define("fd_prestat_get", "ii") { (guest, memory, slots) throws(Errno) in
            try guest.fd_prestat_get(memory, slots.u32(0), slots.u32(1))
        }
        define("fd_prestat_dir_name", "iii") { (guest, memory, slots) throws(Errno) in
            try guest.fd_prestat_dir_name(memory, slots.u32(0), slots.u32(1), slots.u32(2))
        }
        defineLong("fd_readdir", "iiiIi") { (guest, memory, stop, slots) throws(Errno) in
            try guest.fd_readdir(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u64(3), slots.u32(4), stop)
        }
    }

    fileprivate func definePaths() {
        defineWaiting("path_open", "iiiiiIIii") { guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.path_open(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                slots.u64(5), slots.u64(6), slots.u32(7), slots.u32(8), caller)
        }
        defineLong("path_create_directory", "iii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_create_directory(memory, slots.u32(0), slots.u32(1), slots.u32(2), stop)
        }
        defineLong("path_remove_directory", "iii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_remove_directory(memory, slots.u32(0), slots.u32(1), slots.u32(2), stop)
        }
        defineLong("path_unlink_file", "iii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_unlink_file(memory, slots.u32(0), slots.u32(1), slots.u32(2), stop)
        }
        defineLong("path_rename", "iiiiii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_rename(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                slots.u32(5), stop)
        }
        defineLong("path_link", "iiiiiii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_link(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                slots.u32(5), slots.u32(6), stop)
        }
        defineLong("path_symlink", "iiiii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_symlink(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4), stop)
        }
        defineLong("path_readlink", "iiiiii") { (guest, memory, stop, slots) throws(Errno) in
            try guest.path_readlink(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                slots.u32(5), stop)
        }
        defineLong("path_filestat_get", "iiiii") {
            [version] (guest, memory, stop, slots) throws(Errno) in
            try guest.path_filestat_get(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                version, stop)
        }
        defineLong("path_filestat_set_times", "iiiiIIi") {
            (guest, memory, stop, slots) throws(Errno) in
            try guest.path_filestat_set_times(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u64(4),
                slots.u64(5), slots.u32(6), stop)
        }
    }

    fileprivate func defineSockets() {
        defineWaiting("sock_accept", "iii") { guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.sock_accept(memory, slots.u32(0), slots.u32(1), slots.u32(2), caller)
        }
        defineWaiting("sock_recv", "iiiiii") { guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.sock_recv(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                slots.u32(5), caller)
        }
        defineWaiting("sock_send", "iiiii") { guest, caller, slots in
            guard let memory = caller.guestMemory else { throw Errno.fault }
            try guest.sock_send(
                memory, slots.u32(0), slots.u32(1), slots.u32(2), slots.u32(3), slots.u32(4),
                caller)
        }
        definePlain("sock_shutdown", "ii") { (guest, slots) throws(Errno) in
            try guest.sock_shutdown(slots.u32(0), slots.u32(1))
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
