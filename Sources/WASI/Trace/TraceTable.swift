// The forms of the 46 functions of preview 1, and of wasi-threads' one.

/// Names of flags and enumerations, by bit or by number.
enum TraceWords {
    static let clocks = ["realtime", "monotonic", "process_cputime_id", "thread_cputime_id"]
    static let whence = ["set", "cur", "end"]
    static let oldWhence = ["cur", "end", "set"]
    static let advice = ["normal", "sequential", "random", "willneed", "dontneed", "noreuse"]
    static let filetypes = [
        "unknown", "block_device", "character_device", "directory", "regular_file",
        "socket_dgram", "socket_stream", "symbolic_link",
    ]
    static let eventtypes = ["clock", "fd_read", "fd_write"]
    static let signals = [
        "none", "hup", "int", "quit", "ill", "trap", "abrt", "bus", "fpe", "kill", "usr1", "segv",
        "usr2", "pipe", "alrm", "term", "chld", "cont", "stop", "tstp", "ttin", "ttou", "urg",
        "xcpu", "xfsz", "vtalrm", "prof", "winch", "poll", "pwr", "sys",
    ]
    static let lookupflags = ["symlink_follow"]
    static let oflags = ["creat", "directory", "excl", "trunc"]
    static let fdflags = ["append", "dsync", "nonblock", "rsync", "sync"]
    static let fstflags = ["atim", "atim_now", "mtim", "mtim_now"]
    static let riflags = ["recv_peek", "recv_waitall"]
    static let roflags = ["recv_data_truncated"]
    static let sdflags = ["rd", "wr"]
    static let rights = [
        "fd_datasync", "fd_read", "fd_seek", "fd_fdstat_set_flags", "fd_sync", "fd_tell",
        "fd_write", "fd_advise", "fd_allocate", "path_create_directory", "path_create_file",
        "path_link_source", "path_link_target", "path_open", "fd_readdir", "path_readlink",
        "path_rename_source", "path_rename_target", "path_filestat_get",
        "path_filestat_set_size", "path_filestat_set_times", "fd_filestat_get",
        "fd_filestat_set_size", "fd_filestat_set_times", "path_symlink",
        "path_remove_directory", "path_unlink_file", "poll_fd_readwrite", "sock_shutdown",
        "sock_accept",
    ]
}

extension TraceForm {
    private static let descriptor = Parameter.number("fd", 0)

    /// The form of a function; one that is not known has neither parameters nor results.
    static func of(_ name: String, _ version: Version) -> TraceForm {
        processForm(name) ?? descriptorForm(name, version) ?? pathForm(name) ?? socketForm(name)
            ?? TraceForm()
    }

    private static func processForm(_ name: String) -> TraceForm? {
        switch name {
        case "args_get": TraceForm(results: [.arguments])
        case "args_sizes_get":
            TraceForm(results: [.number32("argc", 0), .number32("argv_buf_size", 1)])
        case "environ_get": TraceForm(results: [.environment])
        case "environ_sizes_get":
            TraceForm(results: [.number32("environc", 0), .number32("environ_buf_size", 1)])
        case "proc_exit": TraceForm(parameters: [.number("rval", 0)])
        case "proc_raise": TraceForm(parameters: [.word("sig", 0, TraceWords.signals)])
        case "sched_yield": TraceForm()
        case "clock_res_get":
            TraceForm(
                parameters: [.word("id", 0, TraceWords.clocks)],
                results: [.number64("resolution", 1)])
        case "clock_time_get":
            TraceForm(
                parameters: [.word("id", 0, TraceWords.clocks), .number("precision", 1)],
                results: [.number64("time", 2)])
        case "random_get": TraceForm(parameters: [.number("buf_len", 1)])
        case "poll_oneoff":
            TraceForm(
                parameters: [.subscriptions("in", 0)],
                results: [.number32("nevents", 3), .events(1, count: 3)])
        case "thread-spawn":
            TraceForm(parameters: [.address("start_arg", 0)], returnsThread: true)
        default: nil
        }
    }

    private static func descriptorForm(_ name: String, _ version: Version) -> TraceForm? {
        switch name {
        case "fd_read":
            TraceForm(
                parameters: [descriptor, .sizes("iovs", 1)],
                results: [.number32("nread", 3), .data("data", count: 3)])
        case "fd_write":
            TraceForm(
                parameters: [descriptor, .contents("iovs", 1)],
                results: [.number32("nwritten", 3)])
        case "fd_pread":
            TraceForm(
                parameters: [descriptor, .sizes("iovs", 1), .number("offset", 3)],
                results: [.number32("nread", 4), .data("data", count: 4)])
        case "fd_pwrite":
            TraceForm(
                parameters: [descriptor, .contents("iovs", 1), .number("offset", 3)],
                results: [.number32("nwritten", 4)])
        case "fd_seek":
            TraceForm(
                parameters: [
                    descriptor, .signed("offset", 1),
                    .word(
                        "whence", 2,
                        version == .preview1 ? TraceWords.whence : TraceWords.oldWhence),
                ], results: [.number64("newoffset", 3)])
        case "fd_tell": TraceForm(parameters: [descriptor], results: [.number64("offset", 1)])
        case "fd_sync", "fd_datasync", "fd_close": TraceForm(parameters: [descriptor])
        case "fd_advise":
            TraceForm(parameters: [
                descriptor, .number("offset", 1), .number("len", 2),
                .word("advice", 3, TraceWords.advice),
            ])
        case "fd_allocate":
            TraceForm(parameters: [descriptor, .number("offset", 1), .number("len", 2)])
        case "fd_filestat_get": TraceForm(parameters: [descriptor], results: [.filestat(1)])
        case "fd_filestat_set_size": TraceForm(parameters: [descriptor, .number("size", 1)])
        case "fd_filestat_set_times":
            TraceForm(parameters: [
                descriptor, .number("atim", 1), .number("mtim", 2),
                .flags("fst_flags", 3, TraceWords.fstflags),
            ])
        case "fd_renumber": TraceForm(parameters: [descriptor, .number("to", 1)])
        case "fd_fdstat_get": TraceForm(parameters: [descriptor], results: [.fdstat(1)])
        case "fd_fdstat_set_flags":
            TraceForm(parameters: [descriptor, .flags("flags", 1, TraceWords.fdflags)])
        case "fd_fdstat_set_rights":
            TraceForm(parameters: [
                descriptor, .flags("fs_rights_base", 1, TraceWords.rights),
                .flags("fs_rights_inheriting", 2, TraceWords.rights),
            ])
        case "fd_prestat_get": TraceForm(parameters: [descriptor], results: [.prestat(1)])
        case "fd_prestat_dir_name":
            TraceForm(
                parameters: [descriptor, .number("path_len", 2)], results: [.text("path", 1)])
        case "fd_readdir":
            TraceForm(
                parameters: [descriptor, .number("buf_len", 2), .number("cookie", 3)],
                results: [.number32("bufused", 4), .entries(1, size: 4)])
        default: nil
        }
    }

    private static func pathForm(_ name: String) -> TraceForm? {
        switch name {
        case "path_open":
            TraceForm(
                parameters: [
                    descriptor, .flags("dirflags", 1, TraceWords.lookupflags), .path("path", 2),
                    .flags("oflags", 4, TraceWords.oflags),
                    .flags("fs_rights_base", 5, TraceWords.rights),
                    .flags("fs_rights_inheriting", 6, TraceWords.rights),
                    .flags("fdflags", 7, TraceWords.fdflags),
                ], results: [.number32("fd", 8)])
        case "path_create_directory", "path_remove_directory", "path_unlink_file":
            TraceForm(parameters: [descriptor, .path("path", 1)])
        case "path_rename":
            TraceForm(parameters: [
                descriptor, .path("old_path", 1), .number("new_fd", 3), .path("new_path", 4),
            ])
        case "path_link":
            TraceForm(parameters: [
                .number("old_fd", 0), .flags("old_flags", 1, TraceWords.lookupflags),
                .path("old_path", 2), .number("new_fd", 4), .path("new_path", 5),
            ])
        case "path_symlink":
            TraceForm(parameters: [
                .path("old_path", 0), .number("fd", 2), .path("new_path", 3),
            ])
        case "path_readlink":
            TraceForm(
                parameters: [descriptor, .path("path", 1), .number("buf_len", 4)],
                results: [.number32("bufused", 5), .usedText("buf", 3, size: 5)])
        case "path_filestat_get":
            TraceForm(
                parameters: [
                    descriptor, .flags("flags", 1, TraceWords.lookupflags), .path("path", 2),
                ], results: [.filestat(4)])
        case "path_filestat_set_times":
            TraceForm(parameters: [
                descriptor, .flags("flags", 1, TraceWords.lookupflags), .path("path", 2),
                .number("atim", 4), .number("mtim", 5),
                .flags("fst_flags", 6, TraceWords.fstflags),
            ])
        default: nil
        }
    }

    private static func socketForm(_ name: String) -> TraceForm? {
        switch name {
        case "sock_accept":
            TraceForm(
                parameters: [descriptor, .flags("flags", 1, TraceWords.fdflags)],
                results: [.number32("fd", 2)])
        case "sock_recv":
            TraceForm(
                parameters: [
                    descriptor, .sizes("ri_data", 1), .flags("ri_flags", 3, TraceWords.riflags),
                ],
                results: [
                    .number32("nread", 4), .flags16("ro_flags", 5, TraceWords.roflags),
                    .data("data", count: 4),
                ])
        case "sock_send":
            TraceForm(
                parameters: [descriptor, .contents("si_data", 1), .number("si_flags", 3)],
                results: [.number32("nwritten", 4)])
        case "sock_shutdown":
            TraceForm(parameters: [descriptor, .flags("how", 1, TraceWords.sdflags)])
        default: nil
        }
    }
}
