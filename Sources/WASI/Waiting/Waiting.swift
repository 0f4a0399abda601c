import WasmInterpreter

// How functions of WASI wait: they throw what they wait for and how they continue. Then the guest
// is suspended, or its thread is parked.

extension WASIGuest {
    /// Thrown by a function to wait and continue with `body`, like a function: its result is the
    /// thrown errno, or success.
    ///
    /// - Parameter body: keeps state that must survive: descriptors, ends, numbers of moved bytes.
    ///   It must get pointers into the memory again.
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

/// The result of moving bytes to or from a stream.
enum Transferred {
    case bytes(Int)
    /// The guest must wait for the stream; `done` bytes of the call were moved so far. Without a turn
    /// of the stream, it only lets others run first.
    case notYet(done: Int, since: UInt64?)
}

extension Descriptor {
    /// A wait until a stream may have more bytes, or take more.
    ///
    /// - Parameter turn: of the embedder's stream, read before it was not ready; nil to wait only
    ///   until others have had their turn.
    func wait(isReading: Bool, since turn: UInt64?) -> Wait {
        var wait = Wait()
        guard let turn else {
            wait.end = .now
            return wait
        }
        if let number = hostNumber {
            wait.add(number, isReading ? .reading : .writing, keeping: self)
        } else if let stream = guestStream {
            wait.add(stream.changes, since: turn)
        }
        return wait
    }
}
