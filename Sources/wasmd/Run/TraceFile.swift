// Soundness: the descriptor is this object's own, or standard error, and stays open until the end.

import WasmInterpreter
import WasmSystem
import WasmWASI

/// The output of `--trace`. Each line is written by one call, so that lines of threads do not mix
/// and none is missing if the process ends.
final class TraceFile: Sendable {
    private let descriptor: Int32

    init(_ place: RunOptions.Trace) throws(Refusal) {
        switch place {
        case .standardError: descriptor = Kernel.standardError
        case .file(let path):
            descriptor = try path.opened([.writeOnly, .create, .truncate, .append])
        }
    }

    /// The trace of a guest's calls of WASI.
    func calls(showThreads: Bool, isTimed: Bool) -> CallTrace {
        var trace = CallTrace { [self] line in write(line) }
        trace.showsThreads = showThreads
        trace.showsDurations = isTimed
        return trace
    }

    /// Writes a line for a call of a missing import.
    func note(_ call: UnknownImport, _ arguments: [Value], _ kind: UnknownImports) {
        let values = arguments.map(ValueText.text).joined(separator: ", ")
        let name = printable("\(call.module).\(call.name)")
        write("\(name)(\(values)) = \(kind == .trap ? "trap" : "zero")")
    }

    func write(_ line: String) { writeAll(Array("\(line)\n".utf8), to: descriptor) }
}
