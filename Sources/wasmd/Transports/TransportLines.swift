import WasmSystem
import WasmdDocuments
import WasmdOperation
import WasmdWATM

/// The lines that `wasmd watm` prints: the only place that makes them.
struct TransportLines: Sendable {
    private let printsJSON: Bool
    /// Standard output, for `--json`.
    private let output: LogOutput?

    init(printsJSON: Bool) {
        self.printsJSON = printsJSON
        output = printsJSON ? LogOutput(Kernel.standardOutput) : nil
    }

    /// Starts the threads that write.
    func start() {
        ServeMessages.output.start()
        output?.start()
    }

    /// Waits until everything is written.
    func finish() {
        ServeMessages.output.finish()
        output?.finish()
    }

    private func write(_ document: JSON) {
        output?.write(JSONWriter.write(document) + [0x0a])
    }

    func listening(_ role: TransportRole, _ place: String, _ remote: TransportAddress?) {
        let target = remote.map { " to \($0)" } ?? ""
        ServeMessages.write("\(role.rawValue) at \(place)\(target)")
        write(
            .object(
                ("event", "listening"), ("role", .string(role.rawValue)),
                ("address", .string(place)), ("remote", remote.map { .string("\($0)") })))
    }

    func ended(_ summary: TransportSummary) {
        if let outcome = summary.outcome, !outcome.isClean {
            ServeMessages.write("\(printable(summary.peer)): \(printable("\(outcome)"))")
        }
        write(
            .object(
                ("event", "ended"), ("number", .integer(Int64(clamping: summary.number))),
                ("peer", .string(summary.peer)), ("role", .string(summary.role.rawValue)),
                ("seconds", .double(Self.seconds(summary.age))),
                ("start_seconds", summary.startTime.map { .double(Self.seconds($0)) }),
                ("bytes_forth", .integer(Int64(clamping: summary.bytesForth))),
                ("bytes_back", .integer(Int64(clamping: summary.bytesBack))),
                ("outcome", summary.outcome.map { .string($0.name) }),
                ("reason", summary.outcome.flatMap { $0.isClean ? nil : .string("\($0)") })))
    }

    func refused(_ reason: String) {
        ServeMessages.write("a connection is refused: \(printable(reason))")
        write(.object(("event", "refused"), ("reason", .string(reason))))
    }

    func replaced(_ names: [String]) {
        ServeMessages.write("reloaded: \(names.map(printable).joined(separator: ", "))")
        write(.object(("event", "reloaded"), ("modules", .strings(names))))
    }

    func notReplaced(_ refusal: Refusal) {
        ServeMessages.write("not reloaded: \(refusal.singleLine)")
        write(.object(("event", "not-reloaded"), ("reason", .string(refusal.singleLine))))
    }

    func ended(running outcome: TransportOutcome) {
        if !outcome.isClean { ServeMessages.write(printable("\(outcome)")) }
        write(
            .object(
                ("event", "ended"), ("outcome", .string(outcome.name)),
                ("reason", outcome.isClean ? nil : .string("\(outcome)"))))
    }

    func totals(_ counts: TransportStatistics) {
        func number(_ value: UInt64) -> JSON { .integer(Int64(clamping: value)) }
        write(
            .object(
                ("event", "totals"), ("accepted", number(counts.accepted)),
                ("live", .count(counts.live)), ("ended", number(counts.ended)),
                ("failed", number(counts.failed)), ("refused", number(counts.refused)),
                ("bytes_forth", number(counts.bytesForth)),
                ("bytes_back", number(counts.bytesBack)),
                ("datagrams_received", number(counts.datagramsReceived)),
                ("datagrams_sent", number(counts.datagramsSent)),
                ("datagrams_dropped", number(counts.datagramsDropped)),
                ("reloads", number(counts.replacements))))
    }

    private static func seconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds / 1_000_000_000_000) / 1e6
    }
}
