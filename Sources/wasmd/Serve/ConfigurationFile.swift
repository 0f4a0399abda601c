// Soundness: the bytes of a piece are lent for the length of a call.

import WasmSystem
import WasmdDocuments
import WasmdOperation

/// The file that configures a daemon, and everything that goes before it. Read again for each reload.
struct ConfigurationFile: Sendable {
    let options: DaemonOptions
    private let path: Word?
    private let variables: SettingsVariables

    /// Bytes of a file at most.
    private static let limit = 4 << 20

    init(_ options: DaemonOptions) {
        self.options = options
        variables = SettingsVariables(prefix: "WASMD", Self.environment())
        let named = CurrentProcess.value(of: "WASMD_CONFIG").map { Word(bytes: $0) }
        path = options.checked ?? options.file ?? named
    }

    /// As it was given; nil without a file.
    var name: String? { path?.text }

    /// The folders that must stay readable, so that files that replace these can be read.
    var folders: [[UInt8]] { [path, options.wessFile].compactMap { $0.map(Self.folder(of:)) } }

    static func folder(of path: Word) -> [UInt8] {
        let bytes = path.bytes
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return [0x2e] }
        return slash == 0 ? [UInt8(ascii: "/")] : Array(bytes[..<slash])
    }

    /// What is wrong with a configuration.
    struct Fault: Error, Sendable {
        let file: String?
        var problems: [SettingsProblem]

        /// A line for each problem.
        var lines: [String] {
            problems.map { problem in
                guard problem.variable == nil, let file else { return "\(problem)" }
                guard let place = problem.place else { return "\(file): \(problem)" }
                let start = "\(file):\(place.line):\(place.column): "
                return start + (problem.path.isEmpty ? "" : "\(problem.path): ") + problem.text
            }.map(printable)
        }

        /// For `--json`.
        var json: JSON {
            .array(
                problems.map { problem in
                    .object(
                        ("file", problem.variable == nil ? file.map { .string($0) } : nil),
                        ("variable", problem.variable.map { .string($0) }),
                        ("line", problem.place.map { .count($0.line) }),
                        ("column", problem.place.map { .count($0.column) }),
                        ("path", problem.path.isEmpty ? nil : .string(problem.path)),
                        ("message", .string(problem.text)))
                })
        }
    }

    /// The settings, and warnings.
    ///
    /// - Throws: everything that is wrong.
    func read() throws(Fault) -> (settings: DaemonSettings, warnings: [String]) {
        let text: [UInt8] =
            if let path { try Self.content(of: path) } else { [UInt8]() }
        var (settings, problems, unknown, source) = DaemonSettings.read(text, variables: variables)
        if let wessFile = options.wessFile {
            let (wess, problems) = WessFile.read(try Self.content(of: wessFile))
            guard problems.isEmpty else {
                throw Fault(file: wessFile.text, problems: problems)
            }
            wess.apply(to: &settings)
        }
        options.apply(to: &settings)
        // A file that cannot be read as a whole says nothing about what is named.
        if problems.isEmpty { problems = settings.conflicts { source?.place(of: $0) } }
        guard problems.isEmpty else { throw Fault(file: name, problems: problems) }
        return (settings, unknown.filter(Self.isOurs).map { "\($0) is no setting" })
    }

    private static func content(of path: Word) throws(Fault) -> [UInt8] {
        var text = "cannot be read"
        do {
            let file = FileDescriptor(
                owning: try unsafe Kernel.open(path.cString, [.readOnly]))
            let number = file.number
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            while bytes.count <= limit {
                let count = try unsafe piece.withUnsafeMutableBytes {
                    try unsafe Kernel.read(number, $0)
                }
                if count == 0 { return bytes }
                bytes += piece[..<count]
            }
            text = "has more than \(limit) bytes"
        } catch let error as SystemError {
            text = error.text
        } catch {}
        throw Fault(file: path.text, problems: [SettingsProblem(path: "", text: text)])
    }

    // MARK: The environment

    private static func environment() -> [String: String] {
        var values: [String: String] = [:]
        for entry in CurrentProcess.environment where entry.starts(with: "WASMD_".utf8) {
            guard let (name, value) = Word(bytes: entry).split(at: "=") else { continue }
            values[name.text] = value.text
        }
        return values
    }

    /// Whether a variable may be a misspelled setting: containers find addresses of services, such
    /// as `WASMD_PORT_8080_TCP`, in theirs.
    private static func isOurs(_ name: String) -> Bool {
        name != "WASMD_CONFIG" && !name.hasPrefix("WASMD_PORT")
            && !name.hasPrefix("WASMD_SERVICE_")
    }
}
