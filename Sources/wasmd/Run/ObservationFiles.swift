// Invariant: buffers are valid for the time of a call.

import WasmInterpreter
import WasmSystem

/// The files of `--profile`, `--flamegraph` and `--coverage`. They are written whichever way the
/// program ends, also by a signal: see `StopSignals`.
final class ObservationFiles {
    private let options: RunOptions
    private let profiler: Profiler?

    /// Prepares for a run that `options` observe; nil if they do not.
    init?(_ options: RunOptions, _ store: Store) {
        guard options.profile ?? options.flamegraph ?? options.coverage != nil else { return nil }
        self.options = options
        profiler = options.profile ?? options.flamegraph != nil ? Profiler() : nil
        if let profiler { store.profiler = profiler }
    }

    /// Writes the files also if the program does not return from a call of the host.
    func writeWhenStuck(
        _ module: Module, _ source: ModuleFile?, _ console: Console, _ watchdog: Watchdog?
    ) {
        // Only the thread that ends the process still runs then.
        nonisolated(unsafe) let files = self, console = console
        watchdog?.onEnd {
            do throws(Refusal) {
                try files.write(module, source, console)
            } catch {
                console.complain(error.text)
            }
            console.flush()
        }
    }

    /// Writes the files.
    ///
    /// - Parameter source: the program's file; coverage of text is reported by its lines.
    func write(
        _ module: Module, _ source: ModuleFile?, _ console: Console
    ) throws(Refusal) {
        if let profile = profiler?.profile() {
            let name = (options.path.lastComponent ?? options.path).text
            if let file = options.profile {
                let text = profile.firefoxProfile(product: name, moduleFile: options.file)
                try write(text, to: file, console)
            }
            if let file = options.flamegraph {
                try write(profile.flameGraph(title: name), to: file, console)
            }
        }
        if let file = options.coverage, let coverage = module.coverage {
            let path = absolute(options.path)
            let text = source.flatMap { SourceText($0, module) }
            let lines = text.map { text in
                { (function: Coverage.Function) in text.lines(of: function.body, in: path) }
            }
            let sources = CoverageSources(coverage.lcov(moduleFile: path, lines: lines))
            try write(sources.text, to: file, console)
            if let note = sources.note { console.complain(note) }
        }
    }

    /// lcov may run in other folders.
    private func absolute(_ file: Word) -> String {
        Kernel.absolutePath(file.cString).map { Word(bytes: $0).text } ?? file.text
    }

    private func write(
        _ text: String, to file: Word, _ console: Console
    ) throws(Refusal) {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBufferPointer { (bytes) throws(Refusal) in
            try OutputFile(file).write(bytes, console)
        }
    }
}
