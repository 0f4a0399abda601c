// Soundness: objects retained here live until the process ends.

import WasmInterpreter
import WasmSystem
import WasmWASI

#if COUNT_DISPATCHES
    import WasmMachine
#endif

/// `wasmd run`: loads a module, defines its imports, calls its entry point.
struct RunCommand {
    private let options: RunOptions
    private let watchdog: Watchdog?
    private var statistics: Statistics?
    /// The program's file, once it is loaded.
    private var file: ModuleFile?
    /// Whether threads of the program are left to the end of the process.
    private var leavesThreads = false

    init(_ options: RunOptions) {
        self.options = options
        // The timeout starts here.
        watchdog = options.timeout.map(Watchdog.init)
        // Restrictions come before the first thread.
        if options.sandbox == nil { watchdog?.start() }
        if options.showsStatistics { statistics = Statistics() }
    }

    /// Runs the program and returns its exit code.
    consuming func perform(_ console: Console) throws(UsageError) -> Int32 {
        let module: Module
        do throws(Refusal) {
            module = try load()
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
        let entry = try EntryPoint(options, in: module)
        let preloads: [PreloadedModule]
        let trace: TraceFile?
        do throws(Refusal) {
            preloads = try loadNeighbours(of: module)
            watchdog?.begin(.preparing)
            trace = try options.trace.map { place throws(Refusal) in try TraceFile(place) }
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
        let store = makeStore(module)
        // The process is about to end, so freeing the guest would only cost time.
        _ = Unmanaged.passRetained(store)
        _ = Unmanaged.passRetained(module)
        let observation = ObservationFiles(options, store)
        observation?.writeWhenStuck(module, file, console, watchdog)
        let stops = observation != nil || options.isWorthStopping
        if stops { StopSignals.stop(store) }
        // What is written afterwards needs a program that stands still.
        leavesThreads = !stops && GuestThreads.areWanted(by: module)
        var status = run(entry, of: module, preloads, trace, in: store, console)
        watchdog?.finish()
        do throws(Refusal) {
            try observation?.write(module, file, console)
        } catch {
            console.complain(error.text)
            status = ExitCode.refused
        }
        if statistics != nil {
            finishStatistics(store, module)
            // Print the guest's output first.
            console.output.flush()
            console.error.write(statistics?.text ?? "")
            #if COUNT_DISPATCHES
                for line in DispatchCounts.lines() { console.error.writeLine(line) }
            #endif
        }
        if stops {
            console.flush()
            StopSignals.pass()
        }
        if status != ExitCode.success,
            let hint = UsageError.misplacedOption(in: options.arguments, options.file)
        {
            console.complain(hint)
        }
        // What the process would tidy up may be in use by threads that are left.
        if leavesThreads { CurrentProcess.exitAtOnce(Main.finish(console, status)) }
        return status
    }

    private mutating func load() throws(Refusal) -> Module {
        if let folder = options.workingFolder {
            do throws(SystemError) {
                try Kernel.changeFolder(folder.cString)
            } catch {
                throw Refusal(FileError(error, path: folder.text), file: folder.text)
            }
        }
        let file = try ModuleFile(options.path) { [watchdog] in watchdog?.begin(.parsing) }
        self.file = file
        statistics?.add("module", counted(file.bytes.count, "byte"))
        statistics?.finish("read")
        var configuration =
            options.isDeterministic ? .deterministic : Engine.Configuration()
        configuration.features = options.features
        configuration.countsBlocks = options.coverage != nil
        configuration.capturesLocals = options.coredump != nil
        watchdog?.begin(.decoding)
        let parsed: ParsedModule
        do throws(DecodingError) {
            parsed = try decode(file.bytes, features: options.features)
        } catch {
            throw refusal(file.refusal(error))
        }
        statistics?.finish("decode")
        watchdog?.begin(.validating)
        let module: Module
        do throws(ModuleError) {
            module = try Module(parsed, engine: Engine(configuration))
        } catch {
            throw refusal(file.refusal(error))
        }
        statistics?.finish("validate")
        statistics?.add("functions", grouped(module.parsed.bodies.count))
        return module
    }

    /// The modules of `--preload`, with the engine of the program.
    private func loadNeighbours(of module: Module) throws(Refusal) -> [PreloadedModule] {
        var preloads: [PreloadedModule] = []
        for preload in options.preloads {
            watchdog?.begin(.reading)
            let file = try ModuleFile(preload.file) { [watchdog] in watchdog?.begin(.parsing) }
            watchdog?.begin(.validating)
            do throws(ModuleError) {
                let module = try Module(file.bytes, engine: module.engine)
                preloads.append(
                    PreloadedModule(
                        name: Name(utf8: preload.name.bytes), module: module,
                        file: preload.file.text))
            } catch {
                throw file.refusal(error)
            }
        }
        return preloads
    }

    private func refusal(_ refusal: Refusal) -> Refusal {
        options.isDeterministic ? refusal.withoutThreads() : refusal
    }

    private func makeStore(_ module: Module) -> Store {
        var limits = StoreLimits()
        // The limit is for the whole program; one memory cannot have more either.
        if let size = options.maximumMemory {
            limits.totalBytes = size
            limits.memoryBytes = size
        }
        if let count = options.maximumTable { limits.tableElements = count }
        if let size = options.maximumHeap { limits.heapBytes = size }
        if let size = options.stackByteCount { limits.stackBytes = size }
        let store = Store(engine: module.engine, limits: limits)
        store.fuel = options.fuel ?? (options.showsStatistics ? Self.countingFuel : nil)
        return store
    }

    /// More than any guest uses; set to count the used fuel.
    private static let countingFuel = UInt64.max >> 1

    private mutating func run(
        _ entry: EntryPoint, of module: Module, _ preloads: [PreloadedModule],
        _ trace: TraceFile?, in store: Store, _ console: Console
    ) -> Int32 {
        // A deadline takes a thread as well.
        if options.sandbox == nil, let watchdog { watchdog.setDeadline(of: store) }
        do {
            watchdog?.begin(.preparing)
            let world = try GuestWorld(options, for: module, preloads, trace, in: store) {
                [watchdog, options] () throws(Refusal) in
                if let sandbox = options.sandbox {
                    try sandbox.enter(options, console)
                    watchdog?.start()
                    if let watchdog { watchdog.setDeadline(of: store) }
                }
                watchdog?.begin(.instantiating)
            }
            defer { world.end() }
            for address in world.chosenAddresses {
                console.complain("listening on \(address)")
                console.error.flush()
            }
            // Code that runs before the entry point may start threads as well.
            var finished: Instance?
            let results = try world.run(in: store, endsProcess: leavesThreads) {
                let instance = try world.linker.instantiate(module, in: store)
                watchdog?.begin(.running)
                if let initializer = entry.initializer {
                    _ = try instance.function(initializer)?.call()
                }
                statistics?.finish("instantiate")
                finished = instance
                return try entry.export.flatMap { instance.function($0) }?.call(entry.arguments)
                    ?? []
            }
            statistics?.finish("run")
            if entry.printsResults {
                for value in results { console.output.writeLine(ValueText.text(of: value)) }
            }
            if let path = options.savedModule, let finished {
                watchdog?.finish()
                try SavedModuleFile.write(to: path, finished, entry, options, console)
            }
            return ExitCode.success
        } catch let exit as GuestExit {
            statistics?.finish("run")
            if options.savedModule != nil {
                console.complain(
                    "--save-module: no module was written, because the program ended itself; "
                        + "name a function that returns with --invoke")
                if exit.code == 0 { return ExitCode.refused }
            }
            return Int32(truncatingIfNeeded: exit.code)
        } catch let trap as Trap {
            statistics?.finish("run")
            let report = TrapReport(
                trap: trap, options: options, timeout: watchdog?.reason, text: source(module))
            console.error.write(report.text)
            dumpCore(store, trap.backtrace, console)
            return ExitCode.trap
        } catch let refusal as Refusal {
            console.complain(refusal.text)
            return ExitCode.refused
        } catch let exception as Exception {
            statistics?.finish("run")
            console.error.write(TrapReport(uncaught: exception, text: source(module)).text)
            dumpCore(store, exception.backtrace, console)
            return ExitCode.trap
        } catch {
            console.complain(Refusal(instantiation: error, file: options.file).text)
            return ExitCode.refused
        }
    }

    /// The text that the program was made from; nil for a binary.
    private func source(_ module: Module) -> SourceText? {
        file.flatMap { SourceText($0, module) }
    }

    private func dumpCore(_ store: Store, _ backtrace: Backtrace, _ console: Console) {
        guard let path = options.coredump else { return }
        // The time to write depends on the size of memories.
        watchdog?.finish()
        do throws(Refusal) {
            let name = (options.path.lastComponent ?? options.path).text
            try CoreDumpFile.write(to: path, store, backtrace, program: name)
            console.complain("core dump written to \(printable(path.text))")
        } catch {
            console.complain(error.text)
        }
    }

    private mutating func finishStatistics(_ store: Store, _ module: Module) {
        let translation = module.translationStatistics
        statistics?.add("translate", Statistics.milliseconds(translation.duration))
        statistics?.add("translated", counted(translation.functions, "function"))
        if let fuel = store.fuel {
            let start = options.fuel ?? Self.countingFuel
            statistics?.add("fuel used", grouped(start >= fuel ? start - fuel : 0))
        }
        statistics?.addPeakMemory()
    }
}
