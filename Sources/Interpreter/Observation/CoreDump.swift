// Invariants: bytes of memories are read below the size that their record had when the dump began;
// memories never shrink or move while their store lives, which the caller keeps. Threads may write to
// a shared memory meanwhile: the bytes are whatever was found.

import WasmDecoder

extension Store {
    /// Writes a core dump in the form of the tool conventions: a module that holds the stack, the
    /// globals and the memories of a guest that was stopped. Debuggers for WebAssembly read it
    /// together with the module and its debug information.
    ///
    ///     } catch let trap as Trap {
    ///         try store.writeCoreDump(trap.backtrace, name: "program.wasm") { bytes in
    ///             try file.write(bytes)
    ///         }
    ///     }
    ///
    /// Call it before anything else runs in the store: memories and globals are written as they are
    /// now. Locals have values if `Engine.Configuration.capturesLocals` was set, else they are given
    /// as missing; so are references, which mean nothing outside of the store.
    ///
    /// Takes time in proportion to the memories, of which pages of zeros are left out, and no more
    /// memory than 20 bytes for each 64 KiB of theirs.
    ///
    /// - Parameters:
    ///   - backtrace: of the trap or exception; empty for none.
    ///   - name: of the program, as debuggers show it.
    ///   - write: takes the next bytes, at most 64 KiB.
    /// - Throws: what `write` throws.
    ///
    /// Specification: tool conventions, "Coredump".
    public func writeCoreDump(
        _ backtrace: Backtrace, name: String, to write: ([UInt8]) throws -> Void
    ) throws {
        try CoreDump(of: self, backtrace, name: name).write(to: write)
    }
}

/// What a core dump says of a store.
private struct CoreDump {
    let store: Store
    let backtrace: Backtrace
    let name: String
    /// Instances that could be in the dump, and their modules without doubles.
    let instances: [InstanceStorage]
    var modules: [Module] = []
    /// Globals and memories of all instances without doubles, by their places.
    var globals: [(cell: UnsafeMutablePointer<UInt64>, type: GlobalType)] = []
    var globalNumbers: [UnsafeMutablePointer<UInt64>: Int] = [:]
    var memories: [MemoryStorage] = []
    var memoryNumbers: [ObjectIdentifier: Int] = [:]

    init(of store: Store, _ backtrace: Backtrace, name: String) {
        self.store = store
        self.backtrace = backtrace
        self.name = name
        instances = store.instances
        for instance in instances {
            if !modules.contains(where: { $0 === instance.module }) {
                modules.append(instance.module)
            }
            for memory in instance.memories where memoryNumbers[ObjectIdentifier(memory)] == nil {
                memory.refresh()
                memoryNumbers[ObjectIdentifier(memory)] = memories.count
                memories.append(memory)
            }
            for index in instance.module.parsed.globals.indices {
                guard let cell = instance.globalCell(index), globalNumbers[cell] == nil else {
                    continue
                }
                globalNumbers[cell] = globals.count
                globals.append((cell, instance.globalType(index)))
            }
        }
    }

    func write(to write: ([UInt8]) throws -> Void) throws {
        var head = DumpBytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
        head.custom("core") { content in
            content.byte(0)
            content.text(name)
        }
        head.custom("coremodules", addModules)
        head.custom("coreinstances", addInstances)
        head.custom("corestack", addStack)
        head.section(5, addMemories)
        head.section(6, addGlobals)
        try head.flush(to: write)
        try MemoryContents(memories).write(to: write)
    }

    private func addModules(_ content: inout DumpBytes) {
        content.number(modules.count)
        for module in modules {
            content.byte(0)
            content.text(module.names?.module?.description ?? name)
        }
    }

    private func addInstances(_ content: inout DumpBytes) {
        content.number(instances.count)
        for instance in instances {
            content.byte(0)
            content.number(modules.firstIndex { $0 === instance.module } ?? 0)
            content.number(instance.memories.count)
            for memory in instance.memories {
                content.number(memoryNumbers[ObjectIdentifier(memory)] ?? 0)
            }
            let globals = instance.module.parsed.globals.indices.compactMap {
                instance.globalCell($0).flatMap { globalNumbers[$0] }
            }
            content.number(globals.count)
            for global in globals { content.number(global) }
        }
    }

    private func addStack(_ content: inout DumpBytes) {
        content.byte(0)
        content.text("main")
        content.number(backtrace.frames.count)
        for frame in backtrace.frames {
            content.byte(0)
            content.number(number(of: frame))
            content.number(Int(frame.functionIndex))
            // From the start of the function's body, which is where its locals are declared.
            let body = frame.module.parsed.body(of: frame.functionIndex)
            let offset = frame.offset.flatMap { offset in body.map { offset - $0.start } }
            content.number(max(0, offset ?? 0))
            addLocals(of: frame, &content)
            // Operands are not known by their places on the stack of WebAssembly.
            content.number(0)
        }
    }

    /// The instance of a frame. That of another thread is gone: then one of the same module.
    private func number(of frame: Backtrace.Frame) -> Int {
        instances.firstIndex { ObjectIdentifier($0) == frame.instance }
            ?? instances.firstIndex { $0.module === frame.module } ?? 0
    }

    private func addLocals(of frame: Backtrace.Frame, _ content: inout DumpBytes) {
        content.number(frame.locals.count)
        for local in frame.locals {
            switch local {
            case .i32(let bits):
                content.byte(0x7f)
                content.signed(Int64(Int32(bitPattern: bits)))
            case .i64(let bits):
                content.byte(0x7e)
                content.signed(Int64(bitPattern: bits))
            case .f32(let bits):
                content.byte(0x7d)
                content.word(UInt64(bits), byteCount: 4)
            case .f64(let bits):
                content.byte(0x7c)
                content.word(bits, byteCount: 8)
            case .v128, .reference:
                // There is no form for these.
                content.byte(0x01)
            }
        }
    }

    /// With as many pages as they have now, of 64 KiB, and not shared: readers know that much.
    private func addMemories(_ content: inout DumpBytes) {
        content.number(memories.count)
        for memory in memories {
            let is64 = memory.type.addressType == .i64
            content.byte(is64 ? 4 : 0)
            content.unsigned((UInt64(memory.record.pointee.byteCount) + 0xffff) >> 16)
        }
    }

    /// As constants; references as null.
    private func addGlobals(_ content: inout DumpBytes) {
        content.number(globals.count)
        for (cell, type) in globals {
            switch type.value {
            case .i32:
                content.bytes += [0x7f, 0, 0x41]
                content.signed(Int64(Int32(truncatingIfNeeded: cell[0])))
            case .i64:
                content.bytes += [0x7e, 0, 0x42]
                content.signed(Int64(bitPattern: cell[0]))
            case .f32:
                content.bytes += [0x7d, 0, 0x43]
                content.word(cell[0], byteCount: 4)
            case .f64:
                content.bytes += [0x7c, 0, 0x44]
                content.word(cell[0], byteCount: 8)
            case .v128:
                content.bytes += [0x7b, 0, 0xfd, 12]
                content.word(cell[0], byteCount: 8)
                content.word(cell[1], byteCount: 8)
            default:
                let isFunction = type.value.reference.map {
                    store.engine.types.top(of: $0.heapType) == .func
                }
                let kind: UInt8 = isFunction == true ? 0x70 : 0x6f
                content.bytes += [kind, 0, 0xd0, kind]
            }
            content.byte(0x0b)
        }
    }
}

/// The data section: the parts of memories that are not zero.
private struct MemoryContents {
    private let memories: [MemoryStorage]
    private var parts: [(memory: Int, start: Int, end: Int)] = []

    /// Bytes that are looked at and written at once.
    private static let blockSize = 1 << 16
    /// Tools refuse modules with more segments than 100,000.
    private static let partLimit = 90_000

    init(_ memories: [MemoryStorage]) {
        self.memories = memories
        for (index, memory) in memories.enumerated() {
            let size = Int(bitPattern: memory.record.pointee.byteCount)
            var start = 0
            while start < size {
                let end = min(size, start + Self.blockSize)
                if Self.hasContent(memory, start, end) { add(index, start, end) }
                start = end
            }
        }
    }

    private static func hasContent(_ memory: MemoryStorage, _ start: Int, _ end: Int) -> Bool {
        let base = memory.record.pointee.base
        var at = start
        while at + 8 <= end {
            if base.load(fromByteOffset: at, as: UInt64.self) != 0 { return true }
            at += 8
        }
        while at < end {
            if base.load(fromByteOffset: at, as: UInt8.self) != 0 { return true }
            at += 1
        }
        return false
    }

    /// Continues the last part if there is nothing but zeros between, or there are too many parts.
    private mutating func add(_ memory: Int, _ start: Int, _ end: Int) {
        if let last = parts.indices.last, parts[last].memory == memory,
            parts[last].end == start || parts.count >= Self.partLimit
        {
            parts[last].end = end
        } else {
            parts.append((memory, start, end))
        }
    }

    func write(to write: ([UInt8]) throws -> Void) throws {
        guard !parts.isEmpty else { return }
        // The size is before the content, of which only the heads are in memory.
        var count = DumpBytes()
        count.number(parts.count)
        let total = parts.reduce(count.bytes.count) {
            $0 + head(of: $1).bytes.count + ($1.end - $1.start)
        }
        var section = DumpBytes([11])
        section.number(total)
        section.bytes += count.bytes
        try section.flush(to: write)
        for part in parts {
            try head(of: part).flush(to: write)
            var start = part.start
            while start < part.end {
                let end = min(part.end, start + Self.blockSize)
                let bytes = UnsafeRawBufferPointer(
                    start: memories[part.memory].record.pointee.base + start, count: end - start)
                try write([UInt8](bytes))
                start = end
            }
        }
    }

    /// What is before the bytes of a segment.
    private func head(of part: (memory: Int, start: Int, end: Int)) -> DumpBytes {
        var head = DumpBytes()
        if part.memory == 0 {
            head.byte(0)
        } else {
            head.byte(2)
            head.number(part.memory)
        }
        let is64 = memories[part.memory].type.addressType == .i64
        head.byte(is64 ? 0x42 : 0x41)
        let start = Int64(part.start)
        head.signed(is64 ? start : Int64(Int32(truncatingIfNeeded: start)))
        head.byte(0x0b)
        head.number(part.end - part.start)
        return head
    }
}

/// Bytes of the binary format as they are put together.
private struct DumpBytes {
    var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }
    mutating func number(_ number: Int) { unsigned(UInt64(clamping: number)) }

    mutating func unsigned(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func signed(_ number: Int64) {
        var rest = number
        while rest < -64 || rest > 63 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest) & 0x7f)
    }

    mutating func word(_ word: UInt64, byteCount: Int) {
        for index in 0..<byteCount {
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index)))
        }
    }

    mutating func text(_ text: String) {
        number(text.utf8.count)
        bytes += text.utf8
    }

    mutating func section(_ id: UInt8, _ add: (inout DumpBytes) -> Void) {
        var content = DumpBytes()
        add(&content)
        byte(id)
        number(content.bytes.count)
        bytes += content.bytes
    }

    mutating func custom(_ name: String, _ add: (inout DumpBytes) -> Void) {
        section(0) { content in
            content.text(name)
            add(&content)
        }
    }

    /// Hands the bytes on in pieces.
    func flush(to write: ([UInt8]) throws -> Void) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            try write(Array(rest.prefix(1 << 16)))
            rest = rest.dropFirst(1 << 16)
        }
    }
}
