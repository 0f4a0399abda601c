import Synchronization
import WasmDecoder
import WasmSystem

/// Validates all function bodies; returns the features that they need.
///
/// Threads take runs of functions in ascending order until none are left. One that meets an error
/// stops: every function with a lower index is in a run that was taken before, so that the lowest
/// error is found whatever the threads do.
func validateBodies(
    of module: ParsedModule, _ tables: ModuleTables, _ registry: TypeRegistry, threads: Int?,
    cancellation: Cancellation?
) throws(ValidationError) -> Features {
    let runs = Runs(module.bodies, allowed: threads)
    let work = BodyWork(module, tables, registry, runs, cancellation)
    if runs.threads > 1 {
        runOnThreads(runs.threads, named: "wasmd-validate") { work.run() }
    } else {
        work.run()
    }
    return try work.required()
}

/// How the bodies are shared out.
struct Runs {
    /// For each run the position in `ParsedModule.bodies` after its last.
    private var ends: [Int] = []
    let threads: Int

    var count: Int { ends.count }
    /// The positions of a run.
    subscript(run: Int) -> Range<Int> { (run == 0 ? 0 : ends[run - 1])..<ends[run] }

    /// Code of this size keeps a thread busy for several times what starting it costs.
    static let bytesOfThread = 128 << 10

    init(_ bodies: [ByteRange], allowed: Int?) {
        let size = (bodies.last?.end ?? 0) - (bodies.first?.start ?? 0)
        if let allowed {
            threads = max(allowed, 1)
        } else if size < 2 * Self.bytesOfThread {
            threads = 1
        } else {
            threads = min(availableProcessors(), size / Self.bytesOfThread)
        }
        guard threads > 1 else {
            ends = [bodies.count]
            return
        }
        // Short enough that threads end at about the same time.
        let length = min(max(size / (threads * 16), 4 << 10), 256 << 10)
        var bytes = 0
        for (position, body) in bodies.enumerated() {
            bytes += body.count
            if bytes >= length {
                ends.append(position + 1)
                bytes = 0
            }
        }
        if (ends.last ?? 0) < bodies.count { ends.append(bodies.count) }
    }
}

private final class BodyWork: Sendable {
    private let module: ParsedModule
    private let tables: ModuleTables
    private let registry: TypeRegistry
    private let runs: Runs
    private let cancellation: Cancellation?
    private let next = Atomic<Int>(0)
    private let requiredBits = Atomic<UInt32>(0)
    /// The first error, if there is one. (An optional is copied and destroyed by way of its type's
    /// metadata, which costs 25,000 instructions when that is first needed.)
    private let errors = Mutex<[ValidationError]>([])

    init(
        _ module: ParsedModule, _ tables: ModuleTables, _ registry: TypeRegistry, _ runs: Runs,
        _ cancellation: Cancellation?
    ) {
        self.cancellation = cancellation
        self.module = module
        self.tables = tables
        self.registry = registry
        self.runs = runs
    }

    /// The features that the bodies need.
    func required() throws(ValidationError) -> Features {
        for error in errors.withLock({ $0 }) { throw error }
        return Features(rawValue: requiredBits.load(ordering: .relaxed))
    }

    /// What one thread does.
    func run() {
        var validator = FunctionValidator(module, tables, registry, cancellation)
        do throws(ValidationError) {
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < runs.count else { break }
                try validate(runs[index], &validator)
            }
        } catch {
            // No thread takes another run: all that are left have higher indices.
            next.store(runs.count, ordering: .relaxed)
            record(error)
        }
        requiredBits.bitwiseOr(validator.required, ordering: .relaxed)
    }

    private func record(_ failure: ValidationError) {
        errors.withLock { errors in
            for error in errors {
                // Whoever was cancelled does not know whether its function is valid.
                if error.reason == .cancelled { return }
                let isFirst = (error.function ?? 0) > (failure.function ?? 0)
                guard isFirst || failure.reason == .cancelled else { return }
            }
            errors = [failure]
        }
    }

    private func validate(
        _ run: Range<Int>, _ validator: inout FunctionValidator
    ) throws(ValidationError) {
        let first = max(module.importedFunctionCount, 0)
        for position in run {
            if position & 255 == 255 { try validator.checkCancellation() }
            let function = first + position
            guard function < module.functions.count else { return }
            try validator.validate(
                module.bodies[position], of: FunctionIndex(truncatingIfNeeded: function))
        }
    }
}
