// Register code of a module: stubs that translate, then the code itself.
//
// Invariants: `entries[i]` is always the address of valid code, a stub or the function's; it
// changes once, with release ordering, after the code is complete. A reader follows the pointer, so
// the code that it reads is complete too. Code lives as long as the table. A `Translator` and what
// it makes belong to one thread until the code is published; no lock is held meanwhile.

import Synchronization
import WasmMachine
import WasmSystem
import WasmValidator

/// Register code of a module's functions, translated when they are first called, once for all
/// stores that use the module.
final class CodeTable: Sendable {
    /// Where each defined function starts.
    nonisolated(unsafe) let entries: UnsafeMutablePointer<Atomic<UInt>>
    /// Two words for each function: the instruction that translates, and the function's index.
    private nonisolated(unsafe) let stubs: CodePointer
    private let count: Int
    /// Fuel for the translation of all functions. Each instance pays it when it is made, whether
    /// the functions are translated early, late or for another store, so that a program's fuel does
    /// not depend on that.
    ///
    /// One unit for each KiB of bodies of 64 KiB or more. Translating a smaller body costs less
    /// than a few calls of it.
    let fuel: UInt64
    private let module: ValidModule
    private let layout: ContextLayout
    private let shapes: FunctionShapes
    private let options: CodeOptions
    private let state: Mutex<State>

    /// Counts finished translations of large bodies: threads that need the same function wait on
    /// it.
    private nonisolated(unsafe) let endedCount: Futex.Word

    private struct State: @unchecked Sendable {
        /// Translators that no thread uses, with their memory.
        var translators: [Translator] = []
        /// Functions with large bodies that some thread translates.
        var busy: Set<Int> = []
        /// The time that all translations took.
        var duration = Duration.zero
        var wordCount = 0
        /// By the index of the defined function.
        var blocks = IntegerMap<CodeBlock>()
        /// The blocks by address, for backtraces and exceptions.
        var places = CodePlaces()
        /// File offsets of words of code that backtraces looked up.
        var offsets: [CodePlace: Int] = [:]
    }

    init(_ module: ValidModule, layout: ContextLayout, options: CodeOptions) {
        count = module.parsed.bodies.count
        self.module = module
        self.layout = layout
        self.options = options
        shapes = FunctionShapes(module.parsed.types)
        entries = .allocate(capacity: max(count, 1))
        stubs = .allocate(capacity: max(2 * count, 1))
        endedCount = .allocate(capacity: 1)
        endedCount.initialize(to: Atomic(0))
        state = Mutex(State())
        let handler = Instruction.translateStub.handler
        var fuel = 0
        for index in 0..<count {
            stubs[2 * index] = handler
            stubs[2 * index + 1] = UInt64(index)
            (entries + index).initialize(to: Atomic(UInt(bitPattern: stubs + 2 * index)))
            let size = module.parsed.bodies[index].count
            if size >= Self.largeBodySize { fuel += size >> 10 }
        }
        self.fuel = UInt64(fuel)
    }

    deinit {
        state.withLock { state in
            for block in state.blocks.values {
                block.start.deallocate()
                block.account?.release(block.byteCount)
            }
        }
        endedCount.deinitialize(count: 1)
        endedCount.deallocate()
        stubs.deallocate()
        entries.deallocate()
    }

    /// Where a defined function starts at the moment.
    func entry(of definedFunction: Int) -> CodePointer { publishedCode(entries + definedFunction) }

    /// Index of the frame header of a defined function.
    func headerIndex(of definedFunction: Int) -> Int { shape(of: definedFunction).headerIndex }

    /// Slots of a defined function's parameters and results.
    func shape(of definedFunction: Int) -> FunctionShape {
        shapes[module.parsed.functions[module.parsed.importedFunctionCount + definedFunction]]
    }

    /// How many functions were translated, the words of their code, and how long it took.
    var statistics: (functions: Int, words: Int, duration: Duration) {
        state.withLock { ($0.blocks.count, $0.wordCount, $0.duration) }
    }

    // MARK: Translation

    /// The code of a defined function; translates it if that was not done yet.
    ///
    /// Two threads that need the same function at the same time both translate it, and the first to
    /// finish publishes; if the body is large, the second waits instead, as long as its client may
    /// wait.
    ///
    /// The code is charged to the account of the client's store, if it has one.
    ///
    /// - Throws: `stopped` if the client must not wait any longer, `noRoom` if its program has no
    ///   room for the code. Then nothing has happened.
    func translate(
        _ definedFunction: Int, for client: TranslationClient
    ) throws(TranslationError) -> CodePointer {
        let size = module.parsed.bodies[definedFunction].count
        let isLarge = size >= Self.largeBodySize
        while true {
            let seen = isLarge ? endedCount.pointee.load(ordering: .acquiring) : 0
            switch claim(definedFunction, isLarge: isLarge) {
            case .known(let code): return code
            case .mine(let translator):
                return try translate(definedFunction, isLarge, for: client, with: translator)
            case .busy:
                // A stop of the client does not wake this wait, so check for one from time to time.
                Futex.wait(endedCount, while: seen, nanoseconds: 500_000)
                if let stop = client.stop { throw .stopped(stop) }
            }
        }
    }

    /// Bodies from this many bytes on take a millisecond or more to translate, so it is worth
    /// waiting for another thread.
    private static let largeBodySize = 64 << 10
    /// A translator whose code array has capacity for more words is not kept.
    private static let keptCapacity = 1 << 17

    private enum Claim {
        case known(CodePointer)
        case busy
        case mine(Translator?)
    }

    private func claim(_ definedFunction: Int, isLarge: Bool) -> Claim {
        let claim = state.withLock { state -> (entry: UInt, isBusy: Bool, own: Translator?) in
            if let block = state.blocks[definedFunction] {
                return (UInt(bitPattern: block.start + block.entry), false, nil)
            }
            if isLarge, !state.busy.insert(definedFunction).inserted { return (0, true, nil) }
            return (0, false, state.translators.popLast())
        }
        if let code = CodePointer(bitPattern: claim.entry) { return .known(code) }
        return claim.isBusy ? .busy : .mine(claim.own)
    }

    private func translate(
        _ definedFunction: Int, _ isLarge: Bool, for client: TranslationClient,
        with free: consuming Translator?
    ) throws(TranslationError) -> CodePointer {
        let start = ContinuousClock.now
        var translator = free.take() ?? makeTranslator()
        translator.client = client
        // Without `Result`: see `HashIndex` for what the first use of such a type costs.
        var made: CodeBlock?
        var failure: TranslationError?
        do throws(TranslationError) {
            made = CodeBlock(try translator.translate(definedFunction))
        } catch {
            failure = error
        }
        translator.client = TranslationClient()
        let isKept = translator.code.capacity <= Self.keptCapacity
        let (entry, isUsed) = state.withLock { state -> (UInt, Bool) in
            state.duration += start.duration(to: .now)
            if isKept { state.translators.append(translator) }
            if isLarge { state.busy.remove(definedFunction) }
            guard var made else { return (0, true) }
            if let known = state.blocks[definedFunction] {
                return (UInt(bitPattern: known.start + known.entry), false)
            }
            guard made.charge(to: client.store?.account) else { return (0, false) }
            state.blocks.insert(made, for: definedFunction)
            state.places.add(made, of: definedFunction)
            state.wordCount += made.words
            let entry = UInt(bitPattern: made.start + made.entry)
            entries[definedFunction].store(entry, ordering: .releasing)
            return (entry, true)
        }
        if isLarge {
            endedCount.pointee.wrappingAdd(1, ordering: .releasing)
            Futex.wake(endedCount)
        }
        if let failure { throw failure }
        if !isUsed { made?.start.deallocate() }
        guard let code = CodePointer(bitPattern: entry) else { throw .noRoom }
        return code
    }

    /// Translates every function, until the work is cancelled. Returns the indices of those that
    /// cannot be translated; nil if it was cancelled.
    @discardableResult
    func translateAll(cancellation: Cancellation? = nil) -> [Int]? {
        var failed: [Int] = []
        let client = TranslationClient(cancellation: cancellation)
        for index in 0..<count {
            do throws(TranslationError) {
                _ = try translate(index, for: client)
            } catch {
                if case .stopped = error { return nil }
                failed.append(index)
            }
            if index & 63 == 63, let cancellation, cancellation.isCancelled { return nil }
        }
        return failed
    }

    private func makeTranslator() -> Translator {
        Translator(module, layout: layout, shapes: shapes, options: options, entries: entries)
    }

    /// The counters of a function's blocks; nil if it was not translated, or has none.
    func counters(of definedFunction: Int) -> BlockCounters? {
        state.withLock { $0.blocks[definedFunction]?.counters }
    }

    // MARK: Source locations

    /// The defined function whose code `code` points into (or just after), if any, and how many
    /// words into it.
    func function(containing code: CodePointer) -> (index: Int, word: Int)? {
        let stub = code - stubs
        if stub >= 0 && stub < 2 * count { return (stub / 2, 0) }
        return state.withLock { state in
            state.places.place(of: code).map { ($0.function, code - $0.block.start) }
        }
    }

    /// Whether the code is a function's own, and not the stub that translates it.
    func isTranslated(at code: CodePointer) -> Bool {
        let stub = code - stubs
        return stub < 0 || stub >= 2 * count
    }

    /// Slots of a frame of the function whose code `code` points into; 0 if it is not of this
    /// module.
    func slotCount(at code: CodePointer) -> Int {
        guard let (index, _) = function(containing: code) else { return 0 }
        // Before its code runs, a frame is only arguments and header.
        let translated = state.withLock { $0.blocks[index]?.slotCount }
        return translated ?? headerIndex(of: index) + 2
    }

    /// The unwinding data of `code`, which was translated; nil if it is not of this module.
    func site(of code: CodePointer) -> UnwindingSite? {
        let found = state.withLock { state in
            state.places.place(of: code).map {
                ($0.function, code - $0.block.start, $0.block.handlers)
            }
        }
        guard let (index, word, handlers) = found else { return nil }
        return UnwindingSite(
            code: code, start: code - word, headerIndex: headerIndex(of: index),
            handlers: handlers.map { Unmanaged.passUnretained($0) },
            region: handlers?.region(at: word) ?? CatchTable.none)
    }

    /// The code of a function with the file offset that each part of it comes from. Translates
    /// again, so that these need not be kept.
    func annotated(
        _ definedFunction: Int
    ) throws(TranslationError) -> (code: TranslatedCode, positions: [(word: Int, offset: Int)]) {
        var translator = makeTranslator()
        translator.recordsPositions = true
        let code = try translator.translate(definedFunction)
        return (code, translator.positions)
    }

    /// The file offset of the instruction whose code contains word `word`; nil if that takes longer
    /// than a quarter of a second to find, as in a function of megabytes.
    ///
    /// Cost: that of translating the function up to there; the latest results are kept.
    func offset(ofWord word: Int, in definedFunction: Int) -> Int? {
        let place = CodePlace(function: definedFunction, word: word)
        if let known = state.withLock({ $0.offsets[place] }) { return known }
        var translator = makeTranslator()
        translator.recordsPositions = true
        translator.lastWord = word
        translator.client.cancellation = .after(.now + .milliseconds(250))
        do throws(TranslationError) {
            _ = try translator.translate(definedFunction)
        } catch {
            guard translator.isPastLastWord else { return nil }
        }
        let positions = translator.positions
        let found = positions.last { $0.word <= word }?.offset ?? positions.first?.offset
        guard let found else { return nil }
        state.withLock { state in
            if state.offsets.count >= Self.keptOffsets { state.offsets.removeAll() }
            state.offsets[place] = found
        }
        return found
    }

    /// Offsets that are kept, as many as the frames of a few backtraces.
    private static let keptOffsets = 256

    private struct CodePlace: Hashable {
        var function: Int
        var word: Int
    }
}
