import WasmSystem

/// The three modules of the original, where their binaries are, and what they are given.
public struct OriginalServices: Sendable {
    /// In the order in which they are started.
    public enum Module: String, Sendable, CaseIterable {
        case server, gateway, telemetry

        /// `server_module`
        public var folder: String { "\(rawValue)_module" }

        /// As the host prints it: `Server`.
        public var title: String {
            switch self {
            case .server: "Server"
            case .gateway: "Gateway"
            case .telemetry: "Telemetry"
            }
        }

        /// The path of its configuration, below the folder that it gets as `.`.
        public var configuration: String { "./\(folder)/config.toml" }
    }

    /// A binary, and the folder that its module gets as `.`.
    public struct Place: Sendable {
        public let path: [UInt8]
        public let folder: [UInt8]
    }

    /// The binaries that were found.
    public let places: [Module: Place]

    /// A binary is in none of the places.
    public struct Missing: Error, Sendable {
        public let module: Module
        /// The paths that were tried, in their order.
        public let tried: [[UInt8]]
    }

    /// Looks for the binaries: in `ROOT/X_module`, then in the older layout
    /// `ROOT/modules/X_module`; those of `release` before those of `debug`.
    ///
    /// - Parameters:
    ///   - root: the folder of the solution.
    ///   - modules: those that are needed.
    ///   - isFile: whether there is a file.
    public init(
        root: [UInt8], modules: [Module] = Module.allCases, isFile: ([UInt8]) -> Bool
    ) throws(Missing) {
        let older = Self.join(root, "modules")
        var found: [Module: Place] = [:]
        for module in modules {
            var tried: [[UInt8]] = []
            for base in [root, older] {
                for kind in ["release", "debug"] {
                    let path = Self.join(
                        base,
                        "\(module.folder)/target/wasm32-wasi/\(kind)/\(module.folder).wasm")
                    tried.append(path)
                    guard found[module] == nil, isFile(path) else { continue }
                    found[module] = Place(path: path, folder: base)
                }
            }
            guard found[module] != nil else { throw Missing(module: module, tried: tried) }
        }
        places = found
    }

    private static func join(_ folder: [UInt8], _ path: String) -> [UInt8] {
        folder + (folder.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + Array(path.utf8)
    }
}
