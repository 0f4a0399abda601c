import Glibc
import WasmSystem

@testable import WasmWASI

/// A folder in the host's temporary directory, removed with the object.
///
///     root/            what guests get
///         file         "inside"
///         sub/deep/
///     outside/         what no guest may touch
///         secret       "outside"
///         folder/
final class TestFolder: Sendable {
    let path: String

    var root: String { path + "/root" }
    var outside: String { path + "/outside" }

    init() {
        var template = Array("/tmp/wasi-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        path = String(
            decoding: template.dropLast().map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
        for folder in ["root", "root/sub", "root/sub/deep", "outside", "outside/folder"] {
            mkdir("\(path)/\(folder)", 0o755)
        }
        write("root/file", "inside")
        write("outside/secret", "outside")
    }

    deinit { Self.remove(path) }

    func write(_ name: String, _ text: String) {
        let number = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        let bytes = Array(text.utf8)
        _ = Glibc.write(number, bytes, bytes.count)
        close(number)
    }

    func read(_ name: String) -> String? {
        let number = open("\(path)/\(name)", O_RDONLY)
        guard number >= 0 else { return nil }
        defer { close(number) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(number, &bytes, bytes.count)
        return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }

    func link(_ name: String, to target: String) {
        symlink(target, "\(path)/\(name)")
    }

    func exists(_ name: String) -> Bool {
        var status = stat()
        return lstat("\(path)/\(name)", &status) == 0
    }

    /// Everything beneath a folder: names, kinds, sizes, contents and times.
    func snapshot(_ name: String) -> [String] {
        var lines: [String] = []
        for entry in Self.entries("\(path)/\(name)").sorted() {
            var status = stat()
            lstat("\(path)/\(name)/\(entry)", &status)
            let times = "\(status.st_mtim.nanoseconds) \(status.st_ctim.nanoseconds)"
            lines.append("\(name)/\(entry) \(status.st_mode) \(status.st_nlink) \(times)")
            if status.st_mode & S_IFMT == S_IFDIR {
                lines += snapshot("\(name)/\(entry)")
            } else {
                lines.append(read("\(name)/\(entry)") ?? "")
            }
        }
        return lines
    }

    private static func entries(_ path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func remove(_ path: String) {
        for name in entries(path) {
            if unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        }
        rmdir(path)
    }
}
