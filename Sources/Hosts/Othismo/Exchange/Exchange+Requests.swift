import WasmdDocuments
import WasmdImages

/// Requests of guests that wait for the answer inside of a call.
extension Exchange {
    /// Sends a message and returns the answer, if the receiver gives it at once; nil if it is busy
    /// (it is waiting itself, or is the sender), does not answer, or is not there.
    func ask(_ envelope: Envelope, from guest: GuestInstance) throws -> [UInt8]? {
        let wanted = envelope.sendTo ?? Namespace.root
        let target = try namespace.resolve(wanted)
        let path: [UInt8]
        switch target {
        case .object(let object) where object.kind == .instance: path = object.path
        case .new(let object): path = object.path
        case .service, .native, .object:
            return try framed(envelope, guest) {
                try deliver(message(envelope, sender: guest.path))
            }
        case .console, .endpoint, .nothing:
            try dispatch(envelope, from: guest.path)
            return nil
        }
        guard frames.count < options.depthLimit, live[path]?.isBusy != true else {
            try dispatch(envelope, from: guest.path)
            return nil
        }
        return try framed(envelope, guest) {
            // What was sent before is delivered before.
            while let earlier = queue.popFirst(for: path) { try deliver(earlier) }
            if live[path]?.isBusy == true { return try dispatch(envelope, from: guest.path) }
            try deliverNested(envelope, to: path)
        }
    }

    func framed(
        _ envelope: Envelope, _ guest: GuestInstance, _ body: () throws -> Void
    ) throws -> [UInt8]? {
        frames.append(Frame(requester: guest.path, request: envelope.requestID))
        let depth = frames.count
        defer { if frames.count >= depth { frames.removeLast(frames.count - depth + 1) } }
        try body()
        return frames.count >= depth ? frames[depth - 1].response : nil
    }

    /// Delivers to an instance while another one waits. In a careful delivery a failure undoes only
    /// what the receiver did, and the one that waits gets the error.
    func deliverNested(_ envelope: Envelope, to path: [UInt8]) throws {
        let bytes = try encoded(envelope)
        statistics.deliveries += 1
        guard carefulDeliveries > 0 else { return try deliver(envelope, bytes, to: path) }
        let guest: GuestInstance
        do {
            guest = try wake(path)
        } catch let error as MessageError {
            return try report(error, on: envelope, at: path)
        }
        let wasChanged = changed[path] != nil
        guard let checkpoint = guest.checkpoint() else {
            return try call(guest, envelope, bytes)
        }
        do {
            try call(guest, envelope, bytes)
        } catch let failure as DeliveryFailure {
            guard guest.restore(checkpoint) else { throw failure }
            if !wasChanged { changed[path] = nil }
            statistics.failures += 1
            try report(failure.error, on: envelope, at: path)
        }
    }
}
