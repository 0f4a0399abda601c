import WasmdDocuments
import WasmdImages

/// Messages that guests send, and reports of those that were not handled.
extension Exchange {
    /// What an import of a guest does. Returns a handle, or the length of an answer.
    func send(
        from guest: GuestInstance, _ bytes: [UInt8], _ mode: GuestInstance.SendMode
    ) throws -> Int64 {
        guest.sendCount += 1
        guard guest.sendCount <= options.sendLimit else {
            throw MessageError.tooManySends(limit: options.sendLimit)
        }
        guest.sendBytes += bytes.count
        guard guest.sendBytes <= options.sendBytes else {
            throw MessageError.tooManyBytes(limit: options.sendBytes)
        }
        var envelope: Envelope
        do throws(BSONError) {
            envelope = try Envelope(bytes)
        } catch {
            guard mode == .synchronous else { return 0 }
            var reply = Envelope(sendTo: guest.path, payload: MessageError.malformed(error).payload)
            reply.responseID = nil
            return try answer(guest, reply.encoded())
        }
        let handle = guest.nextHandle()
        if envelope.responseID != nil {
            if envelope.sendTo == nil { envelope.sendTo = guest.current?.replyTo }
            // An answer may ask for one itself, as pieces of a response do.
            if envelope.requestID != nil, envelope.replyTo == nil { envelope.replyTo = guest.path }
            try dispatch(envelope, from: guest.path)
            return mode == .synchronous ? 0 : handle
        }
        if mode == .cast {
            envelope.replyTo = nil
            envelope.requestID = nil
            try dispatch(envelope, from: guest.path)
            return handle
        }
        if envelope.replyTo == nil { envelope.replyTo = guest.path }
        if let request = envelope.requestID {
            if mode == .request { guest.note(request, handle) }
        } else {
            envelope.requestID = .integer(handle)
        }
        guard mode == .synchronous else {
            try dispatch(envelope, from: guest.path)
            return handle
        }
        guard let response = try ask(envelope, from: guest) else { return 0 }
        return try answer(guest, response)
    }

    func answer(_ guest: GuestInstance, _ response: [UInt8]) throws -> Int64 {
        try guest.answer(response)
        return Int64(response.count)
    }

    /// Puts a message where it belongs: into the request that waits for it, or into the queue.
    func dispatch(_ envelope: Envelope, from sender: [UInt8]) throws {
        if envelope.responseID != nil || envelope.isError {
            let target = try envelope.sendTo.map { try namespace.resolve($0).path ?? $0 }
            for index in frames.indices.reversed()
            where frames[index].response == nil && frames[index].requester == target
                && isSameIdentifier(frames[index].request, envelope.responseID)
            {
                frames[index].response = try encoded(envelope)
                return
            }
        }
        let message = try message(envelope, sender: sender)
        let isLimited =
            message.target != Namespace.root && !namespace.endpoints.contains(message.target)
        if isLimited, let limit = limit(reachedBy: message) {
            return try report(limit, on: envelope, at: message.target)
        }
        try append(message)
    }

    private func append(_ message: MessageQueue.Message) throws {
        guard hasRoom(for: message) else { throw DeliveryFailure(error: .queueFullOfBytes) }
        queue.append(message)
    }

    func encoded(_ envelope: Envelope) throws -> [UInt8] {
        do throws(BSONError) {
            return try envelope.encoded()
        } catch {
            throw MessageError.malformed(error)
        }
    }

    /// Reports why a message was not handled: to whoever waits for an answer, or to the console.
    func report(
        _ error: MessageError, on envelope: Envelope, at path: [UInt8]
    ) throws {
        var report = envelope
        if !envelope.isError {
            if let reply = envelope.reply(error.payload) { return try dispatch(reply, from: path) }
            report = Envelope(sendTo: nil, payload: error.payload)
        }
        try append(
            MessageQueue.Message(
                key: nil, target: Namespace.root, sender: path, bytes: try encoded(report),
                envelope: report))
    }
}
