import WasmInterpreter

// How the functions of WASI wait: they say for what, and what to do then. Whoever runs the guest
// sees to it: the guest is suspended, or its thread is parked.

extension WASIGuest {
    /// What a function throws to wait, and to go on with `body` afterwards, which does what the function
    /// does: an errno is its result, and without one it is success.
    ///
    /// - Parameter body: keeps what must survive: descriptors, ends, how many bytes were moved. Pointers
    ///   into the memory are found anew.
    func waiting(
        _ wait: Wait, then body: @escaping (GuestMemory, borrowing Caller) throws -> Void
    ) -> Suspension {
        Suspension(wait) { caller, slots in
            do {
                guard let memory = caller.guestMemory else { throw Errno.fault }
                try body(memory, caller)
                slots.setResult(u32: 0)
            } catch let error as Errno {
                slots.setResult(u32: UInt32(truncatingIfNeeded: error.rawValue))
            }
        }
    }
}

/// What came of moving bytes to or from a stream.
enum Transferred {
    case bytes(Int)
    /// The guest is to wait for the stream, which has moved `done` bytes of the call so far.
    case notYet(done: Int, since: UInt64)
}

extension Descriptor {
    /// Until a stream may have more for the guest, or take more.
    ///
    /// - Parameter turn: of the embedder's stream, from before it had nothing.
    func wait(isReading: Bool, since turn: UInt64) -> Wait {
        var wait = Wait()
        if let number = hostNumber {
            wait.add(number, isReading ? .reading : .writing, keeping: self)
        } else if let stream = guestStream {
            wait.add(stream.changes, since: turn)
        }
        return wait
    }
}
