import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdImages

/// What the command line and the admin interface do with an image that is served.
extension ImageServer {
    /// What came of a message.
    public struct Outcome: Sendable {
        public var documents: [Document] = []
        /// Whether it was answered, or nothing is in flight any more.
        public var isComplete = false
    }

    /// Sends a message, and waits for what arrives at the console for it: its answer, or the message
    /// itself if nothing has its path.
    ///
    /// - Parameter envelope: `request_id` of the answers is what it has here, or 1.
    /// - Throws: `Overload`, `MessageError`, `ImageError`; `LoopError.cancelled`.
    public func ask(
        _ envelope: Envelope, for time: Duration, on loop: EventLoop
    ) async throws -> Outcome {
        let request = try open(.idle)
        defer { close(request) }
        let identifier = envelope.requestID ?? .integer(1)
        var sent = envelope
        sent.replyTo = Namespace.root
        sent.requestID = .integer(request.number)
        post(sent, for: request)
        let deadline = LoopInstant.after(time)
        var outcome = Outcome()
        do {
            while !outcome.isComplete {
                switch try await request.next(until: deadline, on: loop) {
                case .answer(var answer):
                    if answer.responseID != nil {
                        answer.responseID = identifier
                    } else {
                        answer.requestID = identifier
                    }
                    outcome.documents.append(answer.document)
                    outcome.isComplete = true
                case .ended: outcome.isComplete = true
                case .refused(let error): throw error
                case .failed(let error): throw error
                }
            }
        } catch PendingRequest.Failure.timedOut {
        } catch PendingRequest.Failure.lost {
        }
        return outcome
    }

    /// Adds a module, rewritten as `ImportedModule` says; a name of a `NativeKind` without bytes
    /// adds that.
    ///
    /// - Throws: `ImportedModule.Failure`, `ImageError`, `MessageError.forbidden` for a name of the
    ///   host.
    public func importModule(
        _ bytes: [UInt8], named name: [UInt8], on loop: EventLoop
    ) async throws {
        let changes = try await loop.blocking { try Self.importing(bytes, named: name) }
        try await perform(on: loop) { exchange in try exchange.apply(changes) }
    }

    /// The changes that importing a module makes.
    public static func importing(
        _ bytes: [UInt8], named name: [UInt8]
    ) throws -> ObjectChanges {
        let taken = [[], Namespace.root, Namespace.service, endpoint]
        guard !taken.contains(name) else {
            throw MessageError.forbidden(
                "'\(String(decoding: name, as: UTF8.self))' is a name of the host")
        }
        var changes = ObjectChanges()
        changes.objects = [
            .init(
                path: name, kind: .module,
                source: .bytes(try ImportedModule.rewritten(bytes, engine: Engine())))
        ]
        return changes
    }

    /// Adds a module of the host under a name.
    public func importNative(
        _ kind: NativeKind, named name: [UInt8], on loop: EventLoop
    ) async throws {
        try await perform(on: loop) { exchange in
            try exchange.apply(try Exchange.importNative(kind, named: name, exchange.store))
        }
    }

    /// Removes an object, a link, a folder or a mount.
    ///
    /// - Throws: `ImageError.noObject`, `.objectLinked` and others.
    public func remove(_ path: [UInt8], on loop: EventLoop) async throws {
        try await perform(on: loop) { exchange in try exchange.remove(path) }
    }
}
