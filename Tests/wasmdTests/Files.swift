import Glibc

/// A folder that is gone when the object is.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/wasmd-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ProcessFailure(errno: errno) }
        path = template.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    /// Writes a file and answers its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        guard let stream = fopen(file, "we") else { throw ProcessFailure(errno: errno) }
        defer { fclose(stream) }
        guard fwrite(bytes, 1, bytes.count, stream) == bytes.count else {
            throw ProcessFailure(errno: errno)
        }
        return file
    }

    deinit { _ = try? run("/bin/rm", ["-rf", path]) }
}

/// The repository, found from this file.
enum Repository {
    static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    /// The bytes of a file, or nil if there is none.
    static func bytes(_ path: String) -> [UInt8]? {
        guard let stream = fopen(root + "/" + path, "re") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
            bytes += buffer[..<count]
        }
        return bytes
    }

    static func text(_ path: String) -> String? {
        bytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The lines of a file; none if there is no file.
    static func lines(_ path: String) -> [String] {
        guard var lines = text(path)?.split(separator: "\n", omittingEmptySubsequences: false)
        else { return [] }
        if lines.last == "" { lines.removeLast() }
        return lines.map(String.init)
    }

    /// Names of the files in a folder with an ending, sorted, without it.
    static func files(in folder: String, ending: String) -> [String] {
        guard let directory = opendir(root + "/" + folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(ending) { names.append(String(name.dropLast(ending.count))) }
        }
        return names.sorted()
    }
}

/// The program under test: the one that the variable WASMD names, or else the one that was built
/// beside these tests.
enum Wasmd {
    static let path: String = {
        if let path = getenv("WASMD") { return String(cString: path) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let tests = String(decoding: buffer.prefix(max(count, 0)).map(UInt8.init), as: UTF8.self)
        return "/" + tests.split(separator: "/").dropLast().joined(separator: "/") + "/wasmd"
    }()
}

/// Runs wasmd with the words of a command line.
func wasmd(
    _ arguments: String..., input: [UInt8] = [], folder: String? = nil
) throws -> ProcessResult {
    try run(Wasmd.path, arguments, input: input, folder: folder)
}
