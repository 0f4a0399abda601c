// Invariant: `source` and the results point into a range of guest memory that was checked as a
// whole, and that stays accessible until the store is freed, also when the memory grows.

import WasmInterpreter

extension WASIGuest {
    /// The most subscriptions of one call; more are `inval`, as too many descriptors are on the
    /// host.
    private static let subscriptionLimit = 16384

    /// Waits until at least one of `count` subscriptions is ready, and writes an event for each
    /// that is.
    ///
    /// - Throws: `Errno` for the guest; `Suspension` to wait.
    func poll_oneoff(
        _ memory: GuestMemory, _ input: UInt32, _ output: UInt32, _ count: UInt32,
        _ result: UInt32, _ version: Version, _ caller: borrowing Caller
    ) throws {
        let count = Int(truncatingIfNeeded: count)
        guard count > 0, count <= Self.subscriptionLimit else { throw Errno.inval }
        let size = Subscription.size(version)
        let source = UnsafeRawPointer(try memory.pointer(input, byteCount: count &* size))
        // Checked before waiting.
        _ = try memory.pointer(output, byteCount: count &* Event.size)
        _ = try memory.result32(result)

        let stop = caller.stopSignal
        var request = PollRequest(clock: clock)
        for index in 0..<count {
            if index & 255 == 255, stop.isRaised { throw Errno.intr }
            guard let subscription = Subscription(from: source + index &* size, version) else {
                throw Errno.inval
            }
            try add(subscription, to: &request)
        }
        try answer(request, memory, output, count, result, stop)
    }

    /// Writes the events of a request, or waits for them.
    private func answer(
        _ request: PollRequest, _ memory: GuestMemory, _ output: UInt32, _ count: Int,
        _ result: UInt32, _ stop: StopSignal
    ) throws {
        let target = try memory.pointer(output, byteCount: count &* Event.size)
        let result32 = try memory.result32(result)
        var request = request
        guard let events = try request.look(stop) else {
            throw waiting(try request.wait()) { [self, request] memory, caller in
                try answer(request, memory, output, count, result, caller.stopSignal)
            }
        }
        var offset = 0
        for event in events {
            event.store(to: target + offset)
            offset &+= Event.size
        }
        result32.store(UInt32(clamping: offset / Event.size))
    }

    private func add(_ subscription: Subscription, to wait: inout PollRequest) throws(Errno) {
        switch subscription.condition {
        case .clock(let id, let timeout, let isAbsolute):
            guard let clock = ClockID(rawValue: id), clock == .realtime || clock == .monotonic
            else {
                // Processor time does not advance while the thread waits.
                return wait.add(
                    Event(userdata: subscription.userdata, error: .inval, type: .clock))
            }
            try wait.add(
                clock, timeout, isAbsolute: isAbsolute, userdata: subscription.userdata)
        case .descriptor(let fd, let type):
            var event = Event(userdata: subscription.userdata, type: type)
            do throws(Errno) {
                let descriptor = try table[fd]
                try descriptor.require(.pollFdReadwrite)
                try descriptor.requireAccess(type == .fdRead ? .fdRead : .fdWrite)
                if descriptor.hostNumber != nil { return wait.add(descriptor, event) }
                if let stream = descriptor.guestStream {
                    let turn = stream.changes.turn
                    guard let ready = stream.poll(isReading: type == .fdRead) else {
                        return wait.add(stream, since: turn, event)
                    }
                    event.byteCount = UInt64(clamping: ready)
                    event.isHangup = stream.isHungUp
                } else {
                    event.byteCount = type == .fdRead ? descriptor.readableByteCount : 1
                }
            } catch {
                event.error = error
            }
            wait.add(event)
        }
    }
}
