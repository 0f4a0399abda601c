/// A module that imports functions and exports, for each, one of its own that calls it: what a
/// real guest is to WASI, with the test in the place of its program.
struct GuestModule {
    /// A function of the specification: its name, and an `i` for each i32 and an `I` for each i64.
    typealias Function = (name: String, parameters: String)

    let module: String
    let functions: [Function]
    let pages: UInt8

    /// The binary, with the memory exported as `memory`.
    var bytes: [UInt8] {
        var types: [[UInt8]] = []
        var imports: [[UInt8]] = []
        var exports: [[UInt8]] = [string("memory") + [2, 0]]
        var bodies: [[UInt8]] = []
        for (index, function) in functions.enumerated() {
            let parameters: [UInt8] = function.parameters.utf8.map { $0 == 0x49 ? 0x7e : 0x7f }
            let results: [UInt8] = function.name == "proc_exit" ? [] : [0x7f]
            types.append([0x60] + vector(parameters.map { [$0] }) + vector(results.map { [$0] }))
            imports.append(string(module) + string(function.name) + [0] + number(index))
            exports.append(string(function.name) + [0] + number(functions.count + index))
            let arguments: [UInt8] = parameters.indices.flatMap { [0x20] + number($0) }
            let body: [UInt8] = [0] + arguments + [0x10] + number(index) + [0x0b]
            bodies.append(number(body.count) + body)
        }
        var bytes: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
        bytes += section(1, vector(types))
        bytes += section(2, vector(imports))
        bytes += section(3, vector(functions.indices.map { number($0) }))
        bytes += section(5, [1, 0, pages])
        bytes += section(7, vector(exports))
        return bytes + section(10, vector(bodies))
    }

    private func section(_ id: UInt8, _ content: [UInt8]) -> [UInt8] {
        [id] + number(content.count) + content
    }

    private func vector(_ items: [[UInt8]]) -> [UInt8] {
        number(items.count) + items.flatMap { $0 }
    }

    private func string(_ text: String) -> [UInt8] { vector(text.utf8.map { [$0] }) }

    /// An unsigned number in LEB128.
    private func number(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f | 0x80))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

extension GuestModule {
    /// All functions of preview 1, in the order of the specification.
    static let preview1: [Function] = [
        ("args_get", "ii"), ("args_sizes_get", "ii"), ("environ_get", "ii"),
        ("environ_sizes_get", "ii"), ("clock_res_get", "ii"), ("clock_time_get", "iIi"),
        ("fd_advise", "iIIi"), ("fd_allocate", "iII"), ("fd_close", "i"), ("fd_datasync", "i"),
        ("fd_fdstat_get", "ii"), ("fd_fdstat_set_flags", "ii"), ("fd_fdstat_set_rights", "iII"),
        ("fd_filestat_get", "ii"), ("fd_filestat_set_size", "iI"),
        ("fd_filestat_set_times", "iIIi"), ("fd_pread", "iiiIi"), ("fd_prestat_get", "ii"),
        ("fd_prestat_dir_name", "iii"), ("fd_pwrite", "iiiIi"), ("fd_read", "iiii"),
        ("fd_readdir", "iiiIi"), ("fd_renumber", "ii"), ("fd_seek", "iIii"), ("fd_sync", "i"),
        ("fd_tell", "ii"), ("fd_write", "iiii"), ("path_create_directory", "iii"),
        ("path_filestat_get", "iiiii"), ("path_filestat_set_times", "iiiiIIi"),
        ("path_link", "iiiiiii"), ("path_open", "iiiiiIIii"), ("path_readlink", "iiiiii"),
        ("path_remove_directory", "iii"), ("path_rename", "iiiiii"), ("path_symlink", "iiiii"),
        ("path_unlink_file", "iii"), ("poll_oneoff", "iiii"), ("proc_exit", "i"),
        ("proc_raise", "i"), ("sched_yield", ""), ("random_get", "ii"), ("sock_accept", "iii"),
        ("sock_recv", "iiiiii"), ("sock_send", "iiiii"), ("sock_shutdown", "ii"),
    ]
}
