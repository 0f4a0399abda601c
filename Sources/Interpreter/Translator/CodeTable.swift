// Register code of a module: stubs that translate, then the code itself.
//
// Invariants: `entries[i]` is always the address of valid code, a stub or the function's; it
// changes once, with release ordering, after the code is complete. Whoever reads it follows the
// pointer, so that the code it leads to is complete too. Code lives as long as the table.

import Synchronization
import WasmValidator

/// Register code of a module's functions, translated when they are first called, once for all
/// stores that use the module.
final class CodeTable: Sendable {
    /// Where each defined function starts.
    nonisolated(unsafe) let entries: UnsafeMutablePointer<Atomic<UInt>>
    /// Two words a function: the instruction that translates, and the function's index.
    private nonisolated(unsafe) let stubs: CodePointer
    private let count: Int
    private let module: ValidModule
    private let layout: ContextLayout
    private let shapes: FunctionShapes
    private let options: CodeOptions
    private let state: Mutex<State>

    /// Code of one translated function.
    private struct Block {
        var start: CodePointer
        var words: Int
        var entry: Int
        var handlers: CatchTable?
        var counters: BlockCounters?
        var slotCount: Int
        /// What the code is charged to: the account of the program whose call caused the translation.
        var account: ResourceAccount?
        var byteCount: Int { 8 * words + CodeTable.byteCountOfBlock }
    }

    /// What there is beside a function's code, without its handlers of exceptions.
    private static let byteCountOfBlock = 256

    private struct State: @unchecked Sendable {
        var translator: Translator?
        /// What all translations took.
        var duration = Duration.zero
        var blocks: [Int: Block] = [:]
        /// The blocks by address, for backtraces; sorted again when there are more blocks.
        var sorted: [(index: Int, block: Block)] = []

        mutating func sortBlocks() {
            guard sorted.count != blocks.count else { return }
            sorted = blocks.map { ($0.key, $0.value) }
            sorted.sort { $0.block.start < $1.block.start }
        }

        /// The block that `code` points into (or just behind).
        mutating func block(containing code: CodePointer) -> (index: Int, block: Block)? {
            // A deep stack of a large module asks a million times: no search through all blocks.
            sortBlocks()
            var low = 0
            var high = sorted.count
            while low < high {
                let middle = (low + high) / 2
                if sorted[middle].block.start <= code { low = middle + 1 } else { high = middle }
            }
            guard low > 0 else { return nil }
            let found = sorted[low - 1]
            return code <= found.block.start + found.block.words ? found : nil
        }
    }

    init(_ module: ValidModule, layout: ContextLayout, options: CodeOptions) {
        count = module.parsed.bodies.count
        self.module = module
        self.layout = layout
        self.options = options
        shapes = FunctionShapes(module.parsed.types)
        entries = .allocate(capacity: max(count, 1))
        stubs = .allocate(capacity: max(2 * count, 1))
        state = Mutex(State())
        let handler = Instruction.translateStub.handler
        for index in 0..<count {
            stubs[2 * index] = handler
            stubs[2 * index + 1] = UInt64(index)
            (entries + index).initialize(to: Atomic(UInt(bitPattern: stubs + 2 * index)))
        }
    }

    deinit {
        state.withLock { state in
            for block in state.blocks.values {
                block.start.deallocate()
                block.account?.release(block.byteCount)
            }
        }
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
        state.withLock { state in
            let words = state.blocks.values.reduce(0) { $0 + $1.words }
            return (state.blocks.count, words, state.duration)
        }
    }

    // MARK: Translation

    /// The code of a defined function; translates it if nobody has.
    ///
    /// - Parameter account: what code that is made now is charged to.
    func translate(
        _ definedFunction: Int, account: ResourceAccount? = nil
    ) throws(TranslationError) -> CodePointer {
        let result: Result<UInt, TranslationError> = state.withLock { state in
            if let block = state.blocks[definedFunction] {
                return .success(UInt(bitPattern: block.start + block.entry))
            }
            let start = ContinuousClock.now
            defer { state.duration += start.duration(to: .now) }
            do throws(TranslationError) {
                let code = try Self.translated(definedFunction, in: &state, makeTranslator)
                let charged = 8 * code.words.count + Self.byteCountOfBlock
                guard account?.charge(charged) ?? true else { throw .noRoom }
                let words = CodePointer.allocate(capacity: code.words.count)
                words.initialize(from: code.words, count: code.words.count)
                let counters = Self.counters(of: code, in: words)
                state.blocks[definedFunction] = Block(
                    start: words, words: code.words.count, entry: code.entry,
                    handlers: code.handlers, counters: counters, slotCount: code.slotCount,
                    account: account)
                let entry = UInt(bitPattern: words + code.entry)
                entries[definedFunction].store(entry, ordering: .releasing)
                return .success(entry)
            } catch {
                return .failure(error)
            }
        }
        return CodePointer(bitPattern: try result.get()) ?? stubs
    }

    /// Translates every function. Answers the indices of those that cannot be translated.
    @discardableResult
    func translateAll() -> [Int] {
        var failed: [Int] = []
        for index in 0..<count {
            do throws(TranslationError) { _ = try translate(index) } catch { failed.append(index) }
        }
        return failed
    }

    private func makeTranslator() -> Translator {
        Translator(module, layout: layout, shapes: shapes, options: options, entries: entries)
    }

    /// Makes the counters that the code asks for, and tells it where they are.
    private static func counters(of code: TranslatedCode, in words: CodePointer) -> BlockCounters? {
        guard !code.blocks.isEmpty else { return nil }
        let counters = BlockCounters(offsets: code.blocks.map(\.offset))
        for (index, block) in code.blocks.enumerated() {
            words[block.word + 1] = counters.address(of: index)
        }
        return counters
    }

    /// The counters of a function's blocks; nil if it was not translated, or has none.
    func counters(of definedFunction: Int) -> BlockCounters? {
        state.withLock { $0.blocks[definedFunction]?.counters }
    }

    private static func translated(
        _ definedFunction: Int, in state: inout State, _ make: () -> Translator
    ) throws(TranslationError) -> TranslatedCode {
        if state.translator == nil { state.translator = make() }
        guard let code = try state.translator?.translate(definedFunction) else { throw .tooLarge }
        return code
    }

    // MARK: Where code comes from

    /// The defined function whose code `code` points into (or just behind), if any, and how many
    /// words into it.
    func function(containing code: CodePointer) -> (index: Int, word: Int)? {
        let stub = code - stubs
        if stub >= 0 && stub < 2 * count { return (stub / 2, 0) }
        return state.withLock { state in
            state.block(containing: code).map { ($0.index, code - $0.block.start) }
        }
    }

    /// Slots that a frame of the function uses whose code `code` points into; 0 if it is not of this
    /// module.
    func slotCount(at code: CodePointer) -> Int {
        guard let (index, _) = function(containing: code) else { return 0 }
        // Before its code runs, a frame is arguments and header.
        let translated = state.withLock { $0.blocks[index]?.slotCount }
        return translated ?? headerIndex(of: index) + 2
    }

    /// What unwinding must know of the code at `code`, which was translated; nil if it is not of
    /// this module.
    func site(of code: CodePointer) -> UnwindingSite? {
        let found = state.withLock { state in
            state.block(containing: code).map {
                ($0.index, code - $0.block.start, $0.block.handlers)
            }
        }
        guard let (index, word, handlers) = found else { return nil }
        return UnwindingSite(
            code: code, start: code - word, headerIndex: headerIndex(of: index),
            handlers: handlers.map { Unmanaged.passUnretained($0) },
            region: handlers?.region(at: word) ?? CatchTable.none)
    }

    /// The code of a function with the file offset that each part of it comes from. Translates
    /// anew, so that nothing of this need be kept.
    func annotated(
        _ definedFunction: Int
    ) throws(TranslationError) -> (code: TranslatedCode, positions: [(word: Int, offset: Int)]) {
        var translator = makeTranslator()
        translator.recordsPositions = true
        let code = try translator.translate(definedFunction)
        return (code, translator.positions)
    }

    /// The file offset of the instruction whose code has word `word`.
    func offset(ofWord word: Int, in definedFunction: Int) -> Int? {
        let annotation: [(word: Int, offset: Int)]?
        do throws(TranslationError) {
            annotation = try annotated(definedFunction).positions
        } catch {
            annotation = nil
        }
        guard let annotation else { return nil }
        return annotation.last { $0.word <= word }?.offset ?? annotation.first?.offset
    }
}

/// The code of a function of the running instance, translated if it must be; else nil, and why not.
@inline(never)
func runtimeTranslate(
    _ cx: ContextPointer, _ definedFunction: Int
) -> (code: CodePointer?, failure: TrapCode) {
    let instance = InstanceStorage.of(cx)
    let module = instance.module
    do throws(TranslationError) {
        let code = try module.code.translate(definedFunction, account: instance.store.account)
        // References to the function were made with the stub.
        let record =
            cx.load(
                fromByteOffset: ContextOffset.functionRecords,
                as: UnsafeMutablePointer<FunctionRecord>.self) + definedFunction
        if UnsafeRawPointer(record).load(as: UInt.self) != 0 { record.pointee.code = code }
        return (code, .unreachable)
    } catch .noRoom {
        return (nil, .totalExhausted)
    } catch {
        return (nil, .implementationLimit)
    }
}
