// Invariant: bytes are lent for the time of a call.

import Glibc
import WasmInterpreter

/// The files that `--profile`, `--flamegraph` and `--coverage` ask for. They are written however the
/// program ends, also by a signal: see `StopSignals`.
struct ObservationFiles {
    private let options: RunOptions
    private var profiler: Profiler?

    /// Prepares for a run that `options` asks to observe; nil if they do not.
    init?(_ options: RunOptions, _ store: Store) {
        guard options.profile ?? options.flamegraph ?? options.coverage != nil else { return nil }
        self.options = options
        if options.profile ?? options.flamegraph != nil {
            profiler = Profiler()
            store.profiler = profiler
        }
    }

    /// Writes the files.
    func write(_ module: Module, _ console: Console) throws(Refusal) {
        if let profile = profiler?.profile() {
            let name = options.file.split(separator: "/").last.map(String.init) ?? options.file
            if let file = options.profile {
                let text = profile.firefoxProfile(product: name, moduleFile: options.file)
                try write(text, to: file, console)
            }
            if let file = options.flamegraph {
                try write(profile.flameGraph(title: name), to: file, console)
            }
        }
        if let file = options.coverage, let coverage = module.coverage {
            let sources = CoverageSources(coverage.lcov(moduleFile: absolute(options.file)))
            try write(sources.text, to: file, console)
            if let note = sources.note { console.complain(note) }
        }
    }

    /// lcov is used in other folders.
    private func absolute(_ file: String) -> String {
        guard let path = realpath(file, nil) else { return file }
        defer { free(path) }
        return String(cString: path)
    }

    private func write(
        _ text: String, to file: String, _ console: Console
    ) throws(Refusal) {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBufferPointer { (bytes) throws(Refusal) in
            try OutputFile(file).write(bytes, console)
        }
    }
}
