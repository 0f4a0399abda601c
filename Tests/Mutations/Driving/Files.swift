// The system calls of this tool that have to do with files. Pointers do not leave the calls.

import Glibc

enum Files {
    /// The paths that are files, and all files with one of the endings in the folders among them,
    /// each folder's sorted by name, so that equal folders give equal cases.
    static func inputs(_ paths: [String], endings: [String] = [".wasm"]) -> [String] {
        paths.flatMap { path in
            let entries = names(path)
            guard let entries else { return [path] }
            return entries.sorted().flatMap { name -> [String] in
                let inner = "\(path)/\(name)"
                if names(inner) != nil { return inputs([inner], endings: endings) }
                return endings.contains { name.hasSuffix($0) } ? [inner] : []
            }
        }
    }

    /// Names in a folder; nil if it is none.
    private static func names(_ folder: String) -> [String]? {
        guard let stream = opendir(folder) else { return nil }
        defer { closedir(stream) }
        var result: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { result.append(name) }
        }
        return result
    }

    static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return result }
            result.append(contentsOf: buffer[..<count])
        }
    }

    static func write(_ bytes: [UInt8], to path: String) -> Bool {
        guard let file = fopen(path, "wb") else { return false }
        let count = fwrite(bytes, 1, bytes.count, file)
        return fclose(file) == 0 && count == bytes.count
    }

    /// Writes a line to standard output or standard error, at once.
    static func print(_ text: String, toErrors: Bool = false, ending: String = "\n") {
        var rest = Array((text + ending).utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.write(toErrors ? 2 : 1, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
