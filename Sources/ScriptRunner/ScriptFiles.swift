import WasmInterpreter
import WasmSystem

/// Why no scripts were found.
public enum ScriptSearchError: Error, Hashable, Sendable, CustomStringConvertible {
    case file(FileError)
    /// A folder without scripts. It is an error, so that a wrong path is not a success.
    case noScripts(folder: String)

    public var description: String {
        switch self {
        case .file(let error): error.description
        case .noScripts(let folder): "\(folder): no scripts (*.wast) in this folder"
        }
    }
}

/// A script's file.
public struct ScriptFile: Hashable, Sendable {
    /// `-` is standard input.
    public let path: String
    /// Its name in reports: the path from the searched folder.
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

    /// The scripts at the paths: files themselves, and for folders all `.wast` files in them,
    /// sorted by name.
    ///
    /// Names are the given paths, or for a single folder the paths from there.
    public static func find(_ paths: [String]) throws(ScriptSearchError) -> [ScriptFile] {
        var files: [ScriptFile] = []
        for path in paths {
            guard path != "-", try isFolder(path) else {
                files.append(ScriptFile(path: path, name: path))
                continue
            }
            let base = path.hasSuffix("/") ? path : path + "/"
            let names = try scripts(below: base)
            if names.isEmpty { throw .noScripts(folder: path) }
            for name in names {
                files.append(
                    ScriptFile(path: base + name, name: paths.count == 1 ? name : base + name))
            }
        }
        return files
    }

    /// Paths from `base`, which ends with a slash. Links to folders are not followed.
    private static func scripts(below base: String) throws(ScriptSearchError) -> [String] {
        var found: [String] = []
        var folders = [""]
        while let folder = folders.popLast() {
            var inner: [String] = []
            var names: [String] = []
            for name in try entries(of: base + folder) where !name.hasPrefix(".") {
                if try isFolder(base + folder + name, followingLinks: false) {
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

    private static func entries(of folder: String) throws(ScriptSearchError) -> [String] {
        do throws(SystemError) {
            return try Kernel.names(inFolder: folder).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            throw .file(FileError(error, path: folder))
        }
    }

    private static func isFolder(
        _ path: String, followingLinks: Bool = true
    ) throws(ScriptSearchError) -> Bool {
        do throws(SystemError) {
            return try Kernel.status(path, followsLink: followingLinks).kind == .directory
        } catch {
            throw .file(FileError(error, path: path))
        }
    }
}
