import WasmdDocuments
import WasmdImages

/// The delivery of a message to what its path means.
extension Exchange {
    func deliverNext() throws {
        guard let message = queue.popFirst() else { return }
        deadline = .now + options.deliveryTimeout
        try deliver(message)
    }

    func deliver(_ message: MessageQueue.Message) throws {
        statistics.deliveries += 1
        deliveredBytes += message.byteCount
        if let key = message.key { dequeued.append(key) }
        let envelope: Envelope
        do throws(BSONError) {
            if let known = message.envelope {
                envelope = known
            } else {
                envelope = try Envelope(message.bytes)
            }
        } catch {
            // Only another program can have put this into the image.
            try report(.malformed(error), on: Envelope(sendTo: nil), at: message.target)
            return
        }
        switch try namespace.resolve(message.target) {
        case .console, .nothing: outputs.append(.console(envelope.document))
        case .endpoint(let path): outputs.append(.endpoint(path, envelope))
        case .native(let binding) where NativeKind(instance: binding) == .console:
            outputs.append(.console(envelope.document))
        case .native(let binding) where NativeKind(instance: binding) == .http:
            outputs.append(.endpoint(binding.path, envelope))
        case .service, .native: try serve(envelope, at: message.target)
        case .object(let object) where object.kind == .module:
            try report(.notAnInstance(path: object.path), on: envelope, at: object.path)
        case .object(let object): try deliver(envelope, message.bytes, to: object.path)
        case .new(let object): try deliver(envelope, message.bytes, to: object.path)
        }
    }

    /// Lets an object of the host handle a message.
    func serve(_ envelope: Envelope, at path: [UInt8]) throws {
        let payload: [Document.Member]
        do {
            payload = try answer(envelope, at: path)
        } catch let error as MessageError {
            return try report(error, on: envelope, at: path)
        }
        if let reply = envelope.reply(payload) { try dispatch(reply, from: path) }
    }

    func answer(_ envelope: Envelope, at path: [UInt8]) throws -> [Document.Member] {
        switch try namespace.resolve(path) {
        case .service: try NamespaceService.handle(envelope, &namespace)
        case .native(let binding): try NativeObjects.handle(envelope, binding, &namespace)
        default:
            throw MessageError.badRequest("this object of the host does not know the message")
        }
    }

    func deliver(_ envelope: Envelope, _ bytes: [UInt8], to path: [UInt8]) throws {
        let guest: GuestInstance
        do {
            guest = try wake(path)
        } catch let error as MessageError {
            return try report(error, on: envelope, at: path)
        }
        try call(guest, envelope, bytes)
    }

    /// Calls a guest that is in memory; what goes wrong undoes the batch.
    func call(_ guest: GuestInstance, _ envelope: Envelope, _ bytes: [UInt8]) throws {
        changed[guest.path] = guest
        (guest.sendCount, guest.sendBytes) = (0, 0)
        do {
            try guest.deliver(envelope, bytes, deadline: deadline)
        } catch let error as MessageError {
            throw DeliveryFailure(error: error)
        }
    }

    /// The instance at a path, which is loaded if it is not in memory.
    func wake(_ path: [UInt8]) throws -> GuestInstance {
        if let guest = live[path] { return guest }
        let bytes: [UInt8]
        var key: ObjectKey?
        if let new = namespace.newObjects[path] {
            switch new.source {
            case .bytes(let given): bytes = given
            case .copy(let source): bytes = try store.bytes(of: source)
            }
        } else {
            guard let object = try store.object(at: path) else {
                throw MessageError.noObject(path: path)
            }
            key = object.key
            bytes = try store.bytes(of: object.key)
        }
        statistics.wakings += 1
        let guest = try GuestInstance(
            path: path, key: key, bytes: bytes, engine: engine, limits: options.limits,
            output: options.output, deadline: deadline
        ) { [unowned self] guest, bytes, mode in
            try self.send(from: guest, bytes, mode)
        }
        live[path] = guest
        return guest
    }
}
