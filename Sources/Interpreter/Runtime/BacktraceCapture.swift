// Invariants: a place that the machine left (by a trap or a call of the host) has a frame whose
// header leads to its caller's place, up to the frame that the host made, which returns to
// `haltCode`; all frames are on the value stack, callees above their callers.

import WasmMachine

/// A function of a guest that is not running: its code, its frame, its instance.
struct GuestPlace {
    var code: CodePointer
    var stack: StackPointer
    var context: ContextPointer

    /// Where the caller continues; nil if that is the host.
    ///
    /// - Parameter headerIndex: of the function at this place.
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

extension MachineExchange {
    /// Where the guest trapped or called the host; nil if no guest did.
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
    /// - Parameter atCall: the guest is at a call of the host, it did not trap by itself.
    init(of store: Store, atCall: Bool) {
        var walk = FrameWalk()
        walk.add(store.exchange.pointee.place, isReturnAddress: atCall)
        for place in store.suspendedRuns.reversed() { walk.add(place, isReturnAddress: true) }
        self.init(walk)
    }

    /// The guest functions of one run that was left at `place`.
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

    /// Frames that are counted: some milliseconds. A value stack of 16 MiB has fewer.
    private static let countLimit = 1 << 20

    /// The last results, by some bits of the address: recursion returns to few places.
    private var known: [Known?] = []
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
        while let place = next, frameCount < Self.countLimit {
            guard let found = find(place) else { return }
            frameCount += 1
            if frames.count < Backtrace.frameLimit {
                let instance = InstanceStorage.of(place.context)
                let module = instance.module
                let index = module.layout.importedFunctionCount + found.function
                var frame = Backtrace.Frame(
                    module: module, functionIndex: UInt32(truncatingIfNeeded: index),
                    word: max(0, isReturnAddress ? found.word - 1 : found.word),
                    instance: ObjectIdentifier(instance))
                // In a stub, or before the code that zeroes them, locals have no values yet.
                if module.engine.configuration.capturesLocals,
                    found.word >= TranslatedCode.prologueWords,
                    module.code.isTranslated(at: place.code)
                {
                    frame.locals = module.locals(
                        ofDefined: found.function, in: place.stack, limit: Backtrace.localLimit)
                }
                frames.append(frame)
            }
            next = place.caller(found.headerIndex)
            isReturnAddress = true
        }
    }

    private mutating func find(_ place: GuestPlace) -> Known? {
        let position = Int(bitPattern: UInt(bitPattern: place.code) &>> 3) & (Self.knownCount - 1)
        if position < known.count, let found = known[position], found.code == place.code {
            return found
        }
        let module = InstanceStorage.of(place.context).module
        guard let (function, word) = module.code.function(containing: place.code) else {
            return nil
        }
        if known.isEmpty { known = Array(repeating: nil, count: Self.knownCount) }
        let found = Known(
            code: place.code, function: function, word: word,
            headerIndex: module.code.headerIndex(of: function))
        known[position] = found
        return found
    }
}
