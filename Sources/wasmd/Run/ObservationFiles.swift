// Invariants: bytes are lent for the time of a call; the handler of a signal is compared as a number
// and not called.

import Glibc
import WasmInterpreter

/// The files that `--profile`, `--flamegraph` and `--coverage` ask for. They are written however the
/// program ends, also when it is interrupted from the keyboard.
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
        KeyboardInterrupt.stops(store)
    }

    /// Has the files written also if the program does not come back from a call of the host.
    func writeWhenStuck(_ module: Module, _ console: Console, _ watchdog: Watchdog?) {
        // The thread that ends the process is the only one left then.
        nonisolated(unsafe) let files = self, module = module, console = console
        watchdog?.onEnd {
            do throws(Refusal) {
                try files.write(module, console)
            } catch {
                console.complain(error.text)
            }
            console.flush()
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
            try write(coverage.lcov(moduleFile: absolute(options.file)), to: file, console)
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

/// Ctrl-C while a program is observed: stops the guest first, and the process when it is done.
enum KeyboardInterrupt {
    /// Set before the handler is, and never changed again.
    nonisolated(unsafe) private static var handle: InterruptHandle?
    nonisolated(unsafe) private static var hasHappened: sig_atomic_t = 0

    /// From now on the first interrupt stops the guest of `store`; another one ends the process.
    /// Where interrupts are ignored, as in the background of a shell, they stay so.
    static func stops(_ store: Store) {
        handle = store.interruptHandle
        var action = sigaction()
        sigaction(SIGINT, nil, &action)
        if unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1 { return }
        action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            KeyboardInterrupt.hasHappened = 1
            KeyboardInterrupt.handle?.interrupt()
        }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
        sigaction(SIGINT, &action, nil)
    }

    /// Ends the process as the interrupt would have done, if there was one.
    static func pass() {
        guard hasHappened != 0 else { return }
        signal(SIGINT, SIG_DFL)
        raise(SIGINT)
    }
}
