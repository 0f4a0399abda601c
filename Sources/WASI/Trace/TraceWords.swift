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
