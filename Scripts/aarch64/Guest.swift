// A module: decoded, validated and translated by the engine's own code, then run with as much of a
// runtime as a command needs that was compiled for WASI. All of it stands on the stage, so that the
// addresses in its code are the same on every processor.

import Glibc
import Synchronization
import WasmMachine
import WasmValidator

final class Guest {
    private let valid: ValidModule
    private var module: ParsedModule { valid.parsed }
    private let layout: ContextLayout
    private let shapes: FunctionShapes
    private let entries: UnsafeMutablePointer<Atomic<UInt>>
    private let records: UnsafeMutablePointer<FunctionRecord>
    private let cx: ContextPointer
    private var exit: UInt64?
    private var output = Digest()
    private var outputCount = 0
    private var clock: UInt64 = 1_000_000

    /// Pages of memory 0, at most.
    private static let pageLimit: UInt64 = 4096
    private static var memory: UnsafeMutableRawPointer { Stage.at(0x2000_0000) }

    nonisolated(unsafe) private static var next = Stage.free

    private static func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        guard byteCount >= 0, byteCount < 0x1000_0000, next + byteCount < 0x1f00_0000 else {
            return nil
        }
        defer { next += (byteCount + 63) & ~63 }
        return Stage.at(next)
    }

    private static func taken(_ byteCount: Int) -> UnsafeMutableRawPointer {
        guard let place = take(byteCount) else {
            print("the stage is too small")
            Glibc.exit(1)
        }
        return place
    }

    /// Prints what the module is translated to, and what it does if it is a command.
    static func run(_ path: String) {
        next = Stage.free
        do throws(FileError) {
            let bytes = try ModuleBytes(path: path)
            do throws(DecodingError) {
                let parsed = try decode(bytes)
                do throws(ValidationError) {
                    let valid = try validate(parsed, types: TypeRegistry(), threads: 1)
                    Guest(valid).run(named: path)
                } catch {
                    print("module \(path) invalid")
                }
            } catch {
                print("module \(path) malformed at \(error.offset)")
            }
        } catch {
            print("module \(path) cannot be read")
        }
    }

    private init(_ valid: ValidModule) {
        self.valid = valid
        let parsed = valid.parsed
        shapes = FunctionShapes(parsed.types)
        layout = ContextLayout(
            importedFunctions: parsed.importedFunctionCount,
            importedGlobals: parsed.importedGlobalCount,
            ownGlobalSlots: parsed.globalDefinitions.map { $0.type.value.isVector ? 2 : 1 })
        entries = Self.taken(8 * max(parsed.bodies.count, 1))
            .assumingMemoryBound(to: Atomic<UInt>.self)
        records = Self.taken(MemoryLayout<FunctionRecord>.stride * max(parsed.functions.count, 1))
            .assumingMemoryBound(to: FunctionRecord.self)
        cx = Self.taken(layout.byteCount)
    }

    private func run(named path: String) {
        let translation = translate()
        var text = "module \(path) functions \(module.bodies.count) words \(translation.words)"
        text += " code \(translation.digest.value)"
        let start = module.exports.first { $0.name == "_start" && $0.kind == .function }
        let others = module.imports.contains { $0.type.kind != .function }
        if let start, !others, prepare() {
            Script.guest = self
            run(function: Int(start.index))
            Script.guest = nil
            text += " exit \(exit ?? Stage.exchange.pointee.exitCode &+ 1000)"
            text += " output \(outputCount) \(output.value) memory \(memoryDigest().value)"
        }
        print(text)
    }

    // MARK: Translation

    /// Translates every function. The digest has numbers of instructions instead of addresses.
    private func translate() -> (words: Int, digest: Digest) {
        var translator = Translator(
            valid, layout: layout, shapes: shapes, options: [], entries: entries)
        var digest = Digest(), count = 0
        for index in module.bodies.indices {
            do throws(TranslationError) {
                let code = try translator.translate(index)
                let words = Self.taken(8 * code.words.count)
                    .assumingMemoryBound(to: CodeWord.self)
                words.initialize(from: code.words, count: code.words.count)
                (entries + index).initialize(to: Atomic(UInt(bitPattern: words + code.entry)))
                count += code.words.count
                digest.add(UInt64(code.entry))
                digest.add(UInt64(code.slotCount))
                Self.add(code, to: &digest)
            } catch {
                digest.add(0xdead)
                (entries + index).initialize(
                    to: Atomic(UInt(bitPattern: Stage.code + Landing.callee)))
            }
        }
        return (count, digest)
    }

    private static func add(_ code: TranslatedCode, to digest: inout Digest) {
        // The two instructions at the start may be unused: their words are zero then.
        for word in code.words {
            digest.add(numbers[word].map { 0x6861_6e64_0000 | UInt64($0) } ?? word)
        }
    }

    /// Instruction numbers by the handlers' addresses.
    private static let numbers: [CodeWord: Int] = {
        var numbers: [CodeWord: Int] = [:]
        for number in 0..<Instruction.count { numbers[Machine.handlers[number]] = number }
        return numbers
    }()

    // MARK: Instantiation

    private func set(_ offset: Int, _ value: UInt64) {
        cx.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    /// False if the module needs what this has not.
    private func prepare() -> Bool {
        let parsed = module
        guard parsed.memories.count <= 1, parsed.tables.count <= 1 else { return false }
        let imported = parsed.importedFunctionCount
        for index in parsed.functions.indices {
            let shape = shapes[parsed.functions[index]]
            let code =
                index < imported
                ? Stage.code
                : CodePointer(
                    bitPattern: entries[index - imported].load(ordering: .relaxed)
                ).unsafelyUnwrapped
            (records + index).initialize(
                to: FunctionRecord(
                    code: code, context: index < imported ? nil : cx,
                    typeID: valid.typeIDs[Int(parsed.functions[index])],
                    headerIndex: UInt16(clamping: shape.headerIndex),
                    parameterSlots: UInt16(clamping: shape.parameterSlots),
                    resultSlots: UInt16(clamping: shape.resultSlots),
                    functionIndex: UInt32(truncatingIfNeeded: index)))
            if index < imported {
                set(ContextLayout.importedFunction(index), Stage.number(records + index))
            }
        }
        let pages = min(parsed.memories.first?.limits.minimum ?? 0, Self.pageLimit)
        _ = madvise(Self.memory, Int(Self.pageLimit) << 16, MADV_DONTNEED)
        Stage.memories[0] = MemoryRecord(base: Self.memory, byteCount: UInt(pages) << 16)
        let tableCount = Int(parsed.tables.first?.limits.minimum ?? 0)
        guard let elements = Self.take(8 * tableCount) else { return false }
        elements.initializeMemory(as: UInt8.self, repeating: 0, count: 8 * tableCount)
        Stage.tables[0] = TableRecord(
            elements: elements.assumingMemoryBound(to: UInt64.self), count: UInt(tableCount))
        let stack = Self.taken(8 << 20)
        Stage.memoryPointers[0] = Stage.number(Stage.memories)
        Stage.tablePointers[0] = Stage.number(Stage.tables)
        Stage.exchange.pointee = MachineExchange(
            top: stack.assumingMemoryBound(to: UInt64.self), stopWord: Stage.stopWord,
            upcalls: Upcalls.shared)
        set(ContextOffset.stackLimit, Stage.number(stack + (7 << 20)))
        set(ContextOffset.budget, 1 << 40)
        set(ContextOffset.memory0, Stage.number(Stage.memories))
        set(ContextOffset.table0, Stage.number(Stage.tables))
        set(ContextOffset.memories, Stage.number(Stage.memoryPointers))
        set(ContextOffset.tables, Stage.number(Stage.tablePointers))
        set(ContextOffset.exchange, Stage.number(Stage.exchange))
        set(ContextOffset.codeTable, Stage.number(entries))
        return fill()
    }

    private func fill() -> Bool {
        let parsed = module
        for (index, global) in parsed.globalDefinitions.enumerated() {
            guard let value = constant(global.initializer) else { return false }
            set(layout.globalOffsets[index], value)
        }
        for segment in parsed.elementSegments {
            guard case .active(_, let offset) = segment.mode,
                case .functions(let range, let count) = segment.items,
                let start = constant(offset)
            else { return false }
            var reader = parsed.reader(of: range)
            for index in 0..<count {
                guard let function = index32(&reader) else { return false }
                Stage.tables[0].elements[Int(start) + index] = Stage.number(records + Int(function))
            }
        }
        for segment in parsed.dataSegments {
            guard case .active(_, let offset) = segment.mode, let start = constant(offset) else {
                continue
            }
            let count = segment.content.count
            guard start &+ UInt64(count) <= UInt64(Stage.memories[0].byteCount) else {
                return false
            }
            if count > 0 {
                (Self.memory + Int(start)).copyMemory(
                    from: parsed.bytes.base + segment.content.start, byteCount: count)
            }
        }
        return true
    }

    private func index32(_ reader: inout BinaryReader) -> UInt32? {
        do { return try reader.unsigned32() } catch { return nil }
    }

    /// A single constant.
    private func constant(_ expression: ConstantExpression) -> UInt64? {
        var reader = module.reader(of: expression.range)
        do throws(DecodingError) {
            switch try reader.opcode() {
            case .i32Const: return UInt64(UInt32(bitPattern: try reader.signed32()))
            case .i64Const: return UInt64(bitPattern: try reader.signed64())
            case .f32Const: return UInt64(try reader.float32Bits())
            case .f64Const: return try reader.float64Bits()
            default: return nil
            }
        } catch {
            return nil
        }
    }

    private func run(function: Int) {
        let stack = Stage.exchange.pointee.top
        let record = records + function
        stack[Int(record.pointee.headerIndex)] = Stage.number(Machine.haltCode)
        stack[Int(record.pointee.headerIndex) + 1] = Stage.number(stack)
        Machine.run(code: record.pointee.code, stack: stack, context: cx)
        if Stage.exchange.pointee.exitCode == 0 { exit = exit ?? 0 }
    }

    private func memoryDigest() -> Digest {
        var digest = Digest()
        for offset in stride(from: 0, to: Int(Stage.memories[0].byteCount), by: 8) {
            digest.add(Self.memory.load(fromByteOffset: offset, as: UInt64.self))
        }
        return digest
    }

    // MARK: What handlers call

    func growMemory(_ memory: Int, _ delta: UInt64) -> UInt64 {
        let old = UInt64(Stage.memories[0].byteCount) &>> 16
        let limit = min(module.memories[0].limits.maximum ?? 65_536, Self.pageLimit)
        guard delta <= limit, old + delta <= limit else { return .max }
        Stage.memories[0].byteCount = UInt(old + delta) << 16
        return old
    }

    private func isOutside(_ start: UInt64, _ count: UInt64) -> Bool {
        let size = UInt64(Stage.memories[0].byteCount)
        return count > size || start > size - count
    }
    private static let outOfBounds = UInt64(TrapCode.outOfBoundsMemoryAccess.rawValue)

    func copyMemory(_ to: Int, _ from: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64) -> UInt64 {
        if isOutside(d, n) || isOutside(s, n) { return Self.outOfBounds }
        memmove(Self.memory + Int(d), Self.memory + Int(s), Int(n))
        return 0
    }

    func fillMemory(_ memory: Int, _ d: UInt64, _ value: UInt64, _ n: UInt64) -> UInt64 {
        if isOutside(d, n) { return Self.outOfBounds }
        memset(Self.memory + Int(d), Int32(value & 0xff), Int(n))
        return 0
    }

    func initializeMemory(
        _ memory: Int, _ segment: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
    ) -> UInt64 {
        let content = module.dataSegments[segment].content
        guard !isOutside(d, n), n <= content.count, s <= UInt64(content.count) - n else {
            return Self.outOfBounds
        }
        memmove(Self.memory + Int(d), module.bytes.base + content.start + Int(s), Int(n))
        return 0
    }

    // MARK: WASI

    func callHost(
        _ record: UnsafeMutablePointer<FunctionRecord>, _ arguments: StackPointer
    ) -> UInt64 {
        let imports = module.imports.filter { $0.type.kind == .function }
        let name = imports[Int(record.pointee.functionIndex)].name
        func store(_ address: UInt64, _ value: UInt64, _ byteCount: Int) {
            if isOutside(address, UInt64(byteCount)) { return }
            var value = value
            memcpy(Self.memory + Int(address), &value, byteCount)
        }
        func load(_ address: UInt64) -> UInt64 {
            isOutside(address, 4)
                ? 0
                : UInt64(
                    Self.memory.loadUnaligned(fromByteOffset: Int(address), as: UInt32.self))
        }
        var status: UInt64 = 0
        switch name {
        case "fd_write":
            var written: UInt64 = 0
            for index in 0..<min(arguments[2], 1024) {
                let address = load(arguments[1] + 8 * index)
                let count = load(arguments[1] + 8 * index + 4)
                if isOutside(address, count) { return Self.outOfBounds }
                for byte in 0..<Int(count) {
                    let place = Int(address) + byte
                    output.add(UInt64(Self.memory.load(fromByteOffset: place, as: UInt8.self)))
                }
                written += count
            }
            outputCount += Int(written)
            store(arguments[3], written, 4)
        case "proc_exit":
            exit = arguments[0] & 0xffff_ffff
            return UInt64(TrapCode.hostError.rawValue)
        case "args_sizes_get":
            store(arguments[0], 1, 4)
            store(arguments[1], 6, 4)
        case "args_get":
            store(arguments[0], arguments[1], 4)
            store(arguments[1], 0x0000_7473_6575_67, 6)
        case "environ_sizes_get":
            store(arguments[0], 0, 4)
            store(arguments[1], 0, 4)
        case "environ_get", "sched_yield", "fd_close": break
        case "clock_time_get":
            clock += 1000
            store(arguments[2], clock, 8)
        case "random_get":
            var random = Random(arguments[1])
            for offset in 0..<min(arguments[1], 4096) {
                store(arguments[0] + offset, random.next() & 0xff, 1)
            }
        case "fd_read": store(arguments[3], 0, 4)
        case "fd_fdstat_get":
            // A character device with all rights.
            store(arguments[1], 2, 8)
            store(arguments[1] + 8, 0x1fff_ffff, 8)
            store(arguments[1] + 16, 0x1fff_ffff, 8)
        case "fd_prestat_get": status = 8
        case "fd_seek": status = 70
        default: status = 52
        }
        arguments[0] = status
        return 0
    }
}
