import WasmInterpreter
import WasmdWATM

/// `wasmd watm validate`: says what a module is as a transport.
struct TransportValidation {
    private let settings: TransportSettings

    init(_ settings: TransportSettings) { self.settings = settings }

    /// Examines all files, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        guard !settings.modules.isEmpty else {
            console.error.write(UsageError.missingOperand("FILE", .watm).text)
            return ExitCode.usage
        }
        var configuration = Engine.Configuration()
        configuration.features = settings.features
        let engine = Engine(configuration)
        var verdicts: [JSON] = []
        var isUsable = true
        for path in settings.modules {
            do throws(Refusal) {
                let report = TransportReport(try TransportFiles.module(path, engine))
                if !report.isUsable { isUsable = false }
                if settings.printsJSON {
                    verdicts.append(Self.json(report, path.text))
                } else {
                    for line in Self.lines(report, printable(path.text)) {
                        console.output.writeLine(line)
                    }
                }
            } catch {
                isUsable = false
                if settings.printsJSON {
                    verdicts.append(
                        .object(
                            ("file", .string(path.text)), ("usable", false),
                            ("error", error.json)))
                } else {
                    console.output.flush()
                    console.complain(error.text)
                    console.error.flush()
                }
            }
        }
        if settings.printsJSON { console.output.writeLine(JSON.array(verdicts).text) }
        return isUsable ? ExitCode.success : ExitCode.refused
    }

    private static func lines(_ report: TransportReport, _ file: String) -> [String] {
        let version = report.version?.rawValue ?? "unsupported"
        let roles = report.roles.map(\.rawValue).joined(separator: ", ")
        var lines = [
            "\(file): \(version)" + (roles.isEmpty ? "" : ", roles: \(roles)")
                + (report.carriesDatagrams ? "; knows datagrams" : "")
        ]
        lines += report.faults.map { "  fault: \(printable("\($0)"))" }
        lines += report.warnings.map { "  note: \(printable("\($0)"))" }
        return lines
    }

    private static func json(_ report: TransportReport, _ file: String) -> JSON {
        .object(
            ("file", .string(file)), ("usable", .boolean(report.isUsable)),
            ("version", report.version.map { .string($0.rawValue) } ?? .null),
            ("roles", .strings(report.roles.map(\.rawValue))),
            ("datagrams", .boolean(report.carriesDatagrams)),
            ("faults", .strings(report.faults.map(\.description))),
            ("notes", .strings(report.warnings.map(\.description))))
    }
}
