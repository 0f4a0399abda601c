// Invariants: a place that the machine left (by a trap or a call of the host) has a frame whose
// header leads to its caller's place, up to the frame that the host made, which returns to
// `haltCode`; all frames lie on the value stack, callees above their callers.

/// A function of a guest that stands still: its code, its frame, its instance.
struct GuestPlace {
    var code: CodePointer
    var stack: StackPointer
    var context: ContextPointer

    /// Where the caller goes on; nil if that is the host.
    ///
    /// - Parameter headerIndex: of the function that stands here.
    @inline(__always)
    func caller(_ headerIndex: Int) -> GuestPlace? {
        guard let code = CodePointer(bitPattern: UInt(stack[headerIndex])),
            let saved = StackPointer(bitPattern: UInt(stack[headerIndex + 1])),
            code != Machine.haltCode
        else { return nil }
        guard code == Machine.crossReturnCode else {
            return GuestPlace(code: code, stack: saved, context: context)
        }
        // The caller is in another instance: the saved stack is the link area.
        guard let code = CodePointer(bitPattern: UInt(saved[0])),
            let caller = StackPointer(bitPattern: UInt(saved[1])),
            let context = ContextPointer(bitPattern: UInt(saved[2]))
        else { return nil }
        return GuestPlace(code: code, stack: caller, context: context)
    }
}

extension ExecutionState {
    /// Where the guest stands that trapped or called the host; nil if none did.
    var place: GuestPlace? {
        get {
            guard let code, let stack, let context else { return nil }
            return GuestPlace(code: code, stack: stack, context: context)
        }
        set {
            code = newValue?.code
            stack = newValue?.stack
            context = newValue?.context
        }
    }
}

extension Backtrace {
    /// The guest functions that have not returned: of the run that trapped, and of the runs whose
    /// host functions called it.
    ///
    /// - Parameter atCall: the guest stands at a call of the host, it did not trap by itself.
    init(of store: Store, atCall: Bool) {
        var walk = FrameWalk()
        walk.add(store.execution.pointee.place, isReturnAddress: atCall)
        for place in store.suspendedRuns.reversed() { walk.add(place, isReturnAddress: true) }
        self.init(walk)
    }

    /// The guest functions of one run that stands at `place`.
    init(at place: GuestPlace?, atCall: Bool) {
        var walk = FrameWalk()
        walk.add(place, isReturnAddress: atCall)
        self.init(walk)
    }

    private init(_ walk: FrameWalk) {
        frames = walk.frames
        omittedFrameCount = walk.frameCount - walk.frames.count
    }
}

/// Goes from frames to their callers.
private struct FrameWalk {
    var frames: [Backtrace.Frame] = []
    var frameCount = 0

    /// Recursion returns to few places, so that most are found here, by the low bits of their
    /// address: half a million frames must not take longer than some milliseconds.
    private var known: [Known?] = Array(repeating: nil, count: FrameWalk.knownCount)
    private static let knownCount = 64
    private struct Known {
        let code: CodePointer
        let function: Int
        let word: Int
        let headerIndex: Int
    }

    mutating func add(_ place: GuestPlace?, isReturnAddress: Bool) {
        var isReturnAddress = isReturnAddress
        var next = place
        while let place = next {
            guard let found = find(place) else { return }
            frameCount += 1
            if frames.count < Backtrace.frameLimit {
                let module = InstanceStorage.of(place.context).module
                let index = module.layout.importedFunctionCount + found.function
                frames.append(
                    Backtrace.Frame(
                        module: module, functionIndex: UInt32(truncatingIfNeeded: index),
                        word: max(0, isReturnAddress ? found.word - 1 : found.word)))
            }
            next = place.caller(found.headerIndex)
            isReturnAddress = true
        }
    }

    private mutating func find(_ place: GuestPlace) -> Known? {
        let code = place.code
        let index = Int(bitPattern: UInt(bitPattern: code) &>> 3 & UInt(Self.knownCount &- 1))
        if let known = known[index], known.code == code { return known }
        let module = InstanceStorage.of(place.context).module
        guard let (function, word) = module.code.function(containing: code) else { return nil }
        let found = Known(
            code: code, function: function, word: word,
            headerIndex: module.code.headerIndex(of: function))
        known[index] = found
        return found
    }
}
