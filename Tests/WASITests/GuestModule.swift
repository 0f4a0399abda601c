import WasmText

/// A module that imports functions and exports, for each, one of its own that calls it: what a
/// real guest is to WASI, with the test in the place of its program.
struct GuestModule {
    /// A function of the specification: its name, and an `i` for each i32 and an `I` for each i64.
    typealias Function = (name: String, parameters: String)

    let module: String
    let functions: [Function]
    let pages: UInt8

    /// The binary, with the memory exported as `memory`.
    func binary() throws -> [UInt8] {
        let imports = functions.enumerated().map { index, function in
            "(import \"\(module)\" \"\(function.name)\" (func $f\(index) \(Self.type(function))))"
        }
        let calls = functions.enumerated().map { index, function in
            let arguments = function.parameters.indices.enumerated().map {
                "(local.get \($0.offset))"
            }
            return "(func (export \"\(function.name)\") \(Self.type(function)) "
                + "(call $f\(index) \(arguments.joined(separator: " "))))"
        }
        let memory = "(memory (export \"memory\") \(pages))"
        let text = (imports + [memory] + calls).joined(separator: "\n")
        return try parseModule(Array(text.utf8))
    }

    private static func type(_ function: Function) -> String {
        let parameters = function.parameters.map { $0 == "I" ? "i64" : "i32" }
        let result = function.name == "proc_exit" ? "" : " (result i32)"
        return "(param \(parameters.joined(separator: " ")))\(result)"
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
