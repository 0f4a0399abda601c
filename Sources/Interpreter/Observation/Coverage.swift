import WasmDebugInfo

/// How often the code of a module ran.
///
/// ```swift
/// var configuration = Engine.Configuration()
/// configuration.countsBlocks = true
/// let module = try Module(path: "program.wasm", engine: Engine(configuration))
/// // instances of the module run ...
/// if let coverage = module.coverage { print(coverage.lcov(moduleFile: "program.wasm")) }
/// ```
public struct Coverage: Sendable {
    /// A stretch of code that runs from its first instruction to its last, unless it traps.
    public struct Block: Hashable, Sendable {
        /// Where it begins, from the start of the module's file. It ends where the next one begins.
        public var offset: Int
        /// How often it was begun, in all stores together. Threads that run one block at the same
        /// time may lose counts.
        public var count: UInt64
    }

    /// A function that the module defines.
    public struct Function: Sendable {
        public var index: FunctionIndex
        /// In the name section, or else the first name it is exported by.
        public var name: String?
        /// Its body in the module's file.
        public var body: ByteRange
        /// In the order of the file; empty if the function never ran.
        public var blocks: [Block]

        /// How often it was called.
        public var count: UInt64 { blocks.first?.count ?? 0 }

        /// How often the instruction at an offset of the file was reached.
        public func count(at offset: Int) -> UInt64 {
            let behind = blocks.partition { $0.offset > offset }
            return behind > 0 ? blocks[behind - 1].count : count
        }
    }

    public let module: Module
    public let functions: [Function]

    init(of module: Module) {
        self.module = module
        let parsed = module.parsed
        functions = parsed.bodies.indices.map { defined in
            let index = UInt32(truncatingIfNeeded: parsed.importedFunctionCount + defined)
            let counters = module.code.counters(of: defined)
            let blocks = zip(counters?.offsets ?? [], counters?.counts ?? [])
            return Function(
                index: index, name: module.name(ofFunction: index), body: parsed.bodies[defined],
                blocks: blocks.map { Block(offset: $0.0, count: $0.1) })
        }
    }
}

extension Module {
    /// How often the module's code ran so far; nil unless the engine's configuration says
    /// `countsBlocks`. Cost: proportional to the size of the module.
    public var coverage: Coverage? {
        engine.configuration.countsBlocks ? Coverage(of: self) : nil
    }
}
