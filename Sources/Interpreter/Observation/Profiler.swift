// Invariant: samples are taken only where `exchange.place` tells where the guest is: when the
// machine asks for budget, and around calls of the host.

import WasmMachine
import WasmSystem
import WasmValidator

/// Finds out what a guest spends its time on, by looking at its stack about every millisecond.
///
/// ```swift
/// let profiler = Profiler()
/// store.profiler = profiler
/// _ = try main.call()
/// let profile = profiler.profile()
/// let page = profile.flameGraph(title: "main")
/// ```
///
/// Samples are taken by the thread of the guest itself, on backward branches and calls, when more
/// time than the interval has passed since the last; the time that really passed is the sample's
/// weight. So code without either is charged to the next loop or call, and a collection of garbage or
/// a growth of memory to where the guest goes on. Time in functions of the host is measured.
///
/// A profiler belongs to one store, and is used by its thread. Memory: some 24 bytes a sample.
public final class Profiler {
    /// The time between samples, in nanoseconds.
    let interval: UInt64
    private let startTime: UInt64
    private let wallClockStart: UInt64
    /// When the last sample was taken; guests that did not run since then are not counted.
    private var lastTime: UInt64
    private var pauseTime: UInt64
    private var isHostCallDue = false
    /// Budget until the first look at the clock, if that is to come early.
    private var firstGrant: UInt64?
    private var random: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// What code addresses stand for; code lives as long as its module.
    private var places: [CodePointer: Place] = [:]
    private var hostFunctions: [UnsafeMutablePointer<FunctionRecord>: Int] = [:]
    private var frames: [ProfiledFrame] = []
    private var tree = StackTree()
    private var samples: [Profile.Sample] = []
    /// The stack being looked at, innermost first.
    private var stack: [Int] = []

    private struct Place {
        var frame: Int
        var headerIndex: Int
    }

    /// Frames of a stack that are kept, the innermost.
    static let depthLimit = 1024

    /// - Parameters:
    ///   - interval: the time between samples; shorter than 10 µs is taken for 10 µs.
    ///   - isOneOfMany: whether many calls, each with a profiler, are to be looked at together:
    ///     the first sample comes at a random time within the interval, so that also calls that are
    ///     shorter than it are seen, as often as their time demands.
    public init(interval: Duration = .milliseconds(1), isOneOfMany: Bool = false) {
        self.interval = max(interval.boundedNanoseconds, 10_000)
        startTime = SystemClock.monotonic.now
        wallClockStart = SystemClock.realtime.now
        lastTime = startTime
        pauseTime = startTime
        if isOneOfMany {
            lastTime = startTime - min(UInt64.random(in: 0..<self.interval), startTime)
            random = UInt64.random(in: 1...UInt64.max)
            firstGrant = 1 + UInt64.random(in: 0...0x1fff)
        }
    }

    /// Samples that were taken.
    public var sampleCount: Int { samples.count }

    /// What was found so far, with names and lines. Takes as long as translating the functions that
    /// were seen.
    public func profile() -> Profile {
        var resolver = FrameResolver(tree)
        return Profile(
            wallClockStart: wallClockStart, interval: interval,
            duration: SystemClock.monotonic.now &- startTime, resolver.resolve(frames), samples)
    }

    // MARK: When

    /// Budget until the next look at the clock: some 50 µs, by chance a little more or less, so that
    /// loops of the same length are not always met at the same place.
    func nextGrant() -> UInt64 {
        if let first = firstGrant {
            firstGrant = nil
            return first
        }
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return 4_000 + random & 0x1fff
    }

    /// A call into guests begins; the time since the last one is not counted.
    func resume(depth: Int) {
        guard depth == 0 else { return }
        lastTime &+= SystemClock.monotonic.now &- pauseTime
    }

    func pause(depth: Int) {
        guard depth == 0 else { return }
        pauseTime = SystemClock.monotonic.now
    }

    /// The guest asks for budget.
    func takeSample(of store: Store) {
        let now = SystemClock.monotonic.now
        guard now &- lastTime >= interval else { return }
        walk(store, isReturnAddress: false)
        add(at: now)
    }

    /// The guest calls the host: what it did before counts until now.
    func beginHostCall(of store: Store) {
        let now = SystemClock.monotonic.now
        guard now &- lastTime >= interval else { return }
        walk(store, isReturnAddress: true)
        add(at: now)
    }

    /// The host is about to return: if a sample was due meanwhile, it is the function's.
    func endHostCall(of store: Store, _ record: UnsafeMutablePointer<FunctionRecord>) {
        let now = SystemClock.monotonic.now
        guard now &- lastTime >= interval, let context = store.exchange.pointee.context else {
            return
        }
        walk(store, isReturnAddress: true)
        stack.insert(frame(of: record, importedBy: context), at: 0)
        add(at: now)
    }

    private func add(at now: UInt64) {
        let node = tree.node(of: stack)
        samples.append(
            Profile.Sample(
                time: now &- startTime, weight: now &- lastTime,
                stack: Int32(truncatingIfNeeded: node)))
        lastTime = now
    }

    // MARK: Where

    private func walk(_ store: Store, isReturnAddress: Bool) {
        stack.removeAll(keepingCapacity: true)
        walk(store.exchange.pointee.place, isReturnAddress)
        for place in store.suspendedRuns.reversed() { walk(place, true) }
    }

    private func walk(_ place: GuestPlace?, _ isReturnAddress: Bool) {
        var isReturnAddress = isReturnAddress
        var next = place
        while let place = next, stack.count < Self.depthLimit {
            guard let found = self.place(place, isReturnAddress) else { return }
            stack.append(found.frame)
            next = place.caller(found.headerIndex)
            isReturnAddress = true
        }
    }

    private func place(_ place: GuestPlace, _ isReturnAddress: Bool) -> Place? {
        if let known = places[place.code] { return known }
        let module = InstanceStorage.of(place.context).module
        guard let (function, word) = module.code.function(containing: place.code) else {
            return nil
        }
        frames.append(
            .guest(module, function: function, word: max(0, isReturnAddress ? word - 1 : word)))
        let made = Place(
            frame: frames.count - 1, headerIndex: module.code.headerIndex(of: function))
        places[place.code] = made
        return made
    }

    private func frame(
        of record: UnsafeMutablePointer<FunctionRecord>, importedBy context: ContextPointer
    ) -> Int {
        if let known = hostFunctions[record] { return known }
        let module = InstanceStorage.of(context).module
        // A function of the host that was not imported is one from a table.
        var name = "function of the host"
        var index = 0
        for entry in module.imports {
            guard case .function = entry.type else { continue }
            let imported = context.load(
                fromByteOffset: ContextLayout.importedFunction(index),
                as: UnsafeMutablePointer<FunctionRecord>.self)
            if imported == record {
                name = "\(entry.module).\(entry.name)"
                break
            }
            index += 1
        }
        frames.append(.host(name))
        hostFunctions[record] = frames.count - 1
        return frames.count - 1
    }
}

/// What a frame of a stack is, before names are looked for.
enum ProfiledFrame {
    case guest(Module, function: Int, word: Int)
    case host(String)
}

/// All stacks that were seen, as a tree: nodes have a frame and, but for outermost ones, a parent,
/// which has a smaller number.
struct StackTree {
    struct Node: Hashable {
        /// -1 for none.
        var parent: Int
        var frame: Int
    }

    /// A guest may have another thousand frames in each sample.
    private static let nodeLimit = 200_000

    private(set) var nodes: [Node] = []
    private var numbers: [Node: Int] = [:]
    /// The nodes of the last stack, outermost first: the next one is mostly like it.
    private var last: [Int] = []

    /// The node of a stack of frames, innermost first; -1 for an empty one.
    mutating func node(of stack: [Int]) -> Int {
        var node = -1
        var depth = 0
        var isLikeLast = true
        for frame in stack.reversed() {
            if isLikeLast, depth < last.count, nodes[last[depth]].frame == frame {
                node = last[depth]
            } else {
                if isLikeLast {
                    last.removeSubrange(min(depth, last.count)...)
                    isLikeLast = false
                }
                let next = Node(parent: node, frame: frame)
                // What is too much to be told apart counts for what it is in.
                guard nodes.count < Self.nodeLimit || numbers[next] != nil else { return node }
                node = self.node(next)
                last.append(node)
            }
            depth += 1
        }
        if isLikeLast { last.removeSubrange(min(depth, last.count)...) }
        return node
    }

    mutating func node(_ node: Node) -> Int {
        if let known = numbers[node] { return known }
        numbers[node] = nodes.count
        nodes.append(node)
        return nodes.count - 1
    }
}
