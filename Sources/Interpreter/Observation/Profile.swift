import WasmDebugInfo

/// What a guest spent its time on: stacks, and when it was in them for how long.
public struct Profile: Sendable {
    /// A function, or a part of it, in stacks.
    public struct Frame: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// A function of a guest.
            case guest
            /// A function of a guest whose body the compiler put into another.
            case inlined
            /// A function of the host.
            case host
        }

        public var kind: Kind
        /// As in a backtrace; functions of the host have the two names of their import.
        public var function: String
        /// The module's name in its name section.
        public var module: String?
        /// From the start of the module's file; nil for the host.
        public var offset: Int?
        /// Where in the source, if the module says.
        public var location: SourceLocation?
    }

    /// A stack: the innermost frame, and the stack of its caller.
    public struct Stack: Hashable, Sendable {
        /// Index into `stacks`, smaller than that of this stack; nil for an outermost frame.
        public var caller: Int?
        /// Index into `frames`.
        public var frame: Int
    }

    /// The guest was seen in a stack.
    public struct Sample: Hashable, Sendable {
        /// Nanoseconds since the profiler was made.
        public var time: UInt64
        /// Nanoseconds that passed since the sample before, without those in which no guest ran.
        public var weight: UInt64
        /// Index into `stacks`, or -1 if no frame was known.
        public var stack: Int32
    }

    public let frames: [Frame]
    public let stacks: [Stack]
    public let samples: [Sample]
    /// Nanoseconds since 1970, when the profiler was made.
    public let wallClockStart: UInt64
    /// Nanoseconds between samples, as asked for.
    public let interval: UInt64
    /// Nanoseconds from when the profiler was made until now.
    public let duration: UInt64

    init(
        wallClockStart: UInt64, interval: UInt64, duration: UInt64, _ resolved: ResolvedStacks,
        _ samples: [Sample]
    ) {
        self.wallClockStart = wallClockStart
        self.interval = interval
        self.duration = duration
        frames = resolved.frames
        stacks = resolved.stacks
        self.samples = samples.map { sample in
            var sample = sample
            if sample.stack >= 0 {
                sample.stack = Int32(truncatingIfNeeded: resolved.numbers[Int(sample.stack)])
            }
            return sample
        }
    }
}

/// Frames and stacks with names.
struct ResolvedStacks {
    var frames: [Profile.Frame] = []
    var stacks: [Profile.Stack] = []
    /// The stack of each node of the tree.
    var numbers: [Int] = []
}

/// Looks for the names and lines of code addresses. One of them may stand for several functions.
struct FrameResolver {
    private let tree: StackTree
    private var positions: [FunctionKey: [(word: Int, offset: Int)]] = [:]

    private struct FunctionKey: Hashable {
        var module: ObjectIdentifier
        var function: Int
    }

    init(_ tree: StackTree) { self.tree = tree }

    mutating func resolve(_ profiled: [ProfiledFrame]) -> ResolvedStacks {
        var result = ResolvedStacks()
        var frameNumbers: [Profile.Frame: Int] = [:]
        var stackNumbers: [Profile.Stack: Int] = [:]
        /// Outermost first.
        var expansions: [[Int]] = []
        for frame in profiled {
            expansions.append(
                frames(of: frame).reversed().map { frame in
                    if let known = frameNumbers[frame] { return known }
                    frameNumbers[frame] = result.frames.count
                    result.frames.append(frame)
                    return result.frames.count - 1
                })
        }
        for node in tree.nodes {
            var stack = node.parent < 0 ? nil : result.numbers[node.parent]
            for frame in expansions[node.frame] {
                let wanted = Profile.Stack(caller: stack, frame: frame)
                if let known = stackNumbers[wanted] {
                    stack = known
                } else {
                    stack = result.stacks.count
                    stackNumbers[wanted] = result.stacks.count
                    result.stacks.append(wanted)
                }
            }
            result.numbers.append(stack ?? -1)
        }
        return result
    }

    /// The functions that a code address stands for, innermost first; at least one.
    private mutating func frames(of profiled: ProfiledFrame) -> [Profile.Frame] {
        guard case .guest(let module, let function, let word) = profiled else {
            guard case .host(let name) = profiled else { return [] }
            return [Profile.Frame(kind: .host, function: name)]
        }
        let offset = self.offset(ofWord: word, in: function, of: module)
        let index = UInt32(
            truncatingIfNeeded: module.parsed.importedFunctionCount + function)
        let name = module.name(ofFunction: index) ?? "function \(index)"
        let source = offset.flatMap { module.debugInfo?.frames(at: $0) } ?? []
        let moduleName = module.names?.module?.description
        guard let last = source.last else {
            return [
                Profile.Frame(
                    kind: .guest, function: name, module: moduleName, offset: offset,
                    location: offset.flatMap { module.debugInfo?.location(at: $0) })
            ]
        }
        return source.dropLast().map {
            Profile.Frame(
                kind: .inlined, function: $0.function ?? "inlined function", module: moduleName,
                offset: offset, location: $0.location)
        } + [
            Profile.Frame(
                kind: .guest, function: name, module: moduleName, offset: offset,
                location: last.location)
        ]
    }

    /// As `CodeTable.offset(ofWord:in:)`, but translates each function once.
    private mutating func offset(ofWord word: Int, in function: Int, of module: Module) -> Int? {
        let key = FunctionKey(module: ObjectIdentifier(module), function: function)
        if positions[key] == nil {
            let annotated = try? module.code.annotated(function)
            positions[key] = annotated?.positions ?? []
        }
        guard let known = positions[key] else { return nil }
        let behind = known.partition { $0.word > word }
        return behind > 0 ? known[behind - 1].offset : known.first?.offset
    }
}
