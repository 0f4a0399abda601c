import Glibc
import WasmInterpreter

/// A script's file.
public struct ScriptFile: Hashable, Sendable {
    public let path: String
    /// What reports call it: the path from the folder that was searched.
    public let name: String

    public init(path: String, name: String) {
        self.path = path
        self.name = name
    }

    /// The features that the folders of the path turn on: those that have the name of a folder.
    ///
    /// The official suite keeps the scripts of proposals in folders of that name; `legacy` is its
    /// name for `legacy-exceptions`.
    public var folderFeatures: Features {
        var features: Features = []
        for folder in path.split(separator: "/").dropLast() {
            let name = folder == "legacy" ? "legacy-exceptions" : folder
            for (known, feature) in Features.named where known == name { features.insert(feature) }
        }
        return features
    }

    /// The scripts that paths stand for: files as they are, folders with all `.wast` files in them,
    /// sorted by name.
    ///
    /// Names are paths as given, or, if all that is given is one folder, paths from there.
    public static func find(_ paths: [String]) throws(FileError) -> [ScriptFile] {
        var files: [ScriptFile] = []
        for path in paths {
            guard isFolder(path) else {
                files.append(ScriptFile(path: path, name: path))
                continue
            }
            let base = path.hasSuffix("/") ? path : path + "/"
            for name in try scripts(below: base) {
                files.append(
                    ScriptFile(path: base + name, name: paths.count == 1 ? name : base + name))
            }
        }
        return files
    }

    /// Paths from `base`, which ends with a slash. Links to folders are not followed.
    private static func scripts(below base: String) throws(FileError) -> [String] {
        var found: [String] = []
        var folders = [""]
        while let folder = folders.popLast() {
            var inner: [String] = []
            var names: [String] = []
            for name in try entries(of: base + folder) where !name.hasPrefix(".") {
                if isFolder(base + folder + name, followingLinks: false) {
                    inner.append(folder + name + "/")
                } else if name.hasSuffix(".wast") {
                    names.append(folder + name)
                }
            }
            found += names.sorted()
            folders += inner.sorted(by: >)
        }
        return found
    }

    private static func entries(of folder: String) throws(FileError) -> [String] {
        guard let directory = opendir(folder) else { throw FileError(errno: errno, path: folder) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    private static func isFolder(_ path: String, followingLinks: Bool = true) -> Bool {
        var status = stat()
        let result = followingLinks ? stat(path, &status) : lstat(path, &status)
        return result == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
