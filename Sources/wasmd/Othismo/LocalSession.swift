import WasmSystem
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// An image that this process runs.
final class LocalSession: ImageSession {
    private let hold: ImageHold
    private let image: Image
    private let store: ImageStore
    /// Made when the first message is sent, since it loads all that wait.
    private var exchange: Exchange?

    init(_ path: [UInt8], _ hold: ImageHold) throws(OthismoFailure) {
        self.hold = hold
        image = try OthismoFailure.wrapping { () throws(ImageError) in try Image(path: path) }
        store = ImageStore(image)
    }

    deinit { image.close() }

    func entries(prefix: [UInt8]) throws(OthismoFailure) -> [ImageEntry] {
        try OthismoFailure.wrapping { () throws(ImageError) in
            try ImageEntry.all(in: image, prefix: prefix, after: nil, limit: .max)
        }
    }

    func importModule(_ bytes: [UInt8], named name: [UInt8]) throws(OthismoFailure) {
        try wrapping { try self.apply(try ImageServer.importing(bytes, named: name)) }
    }

    func importNative(_ kind: NativeKind, named name: [UInt8]) throws(OthismoFailure) {
        try wrapping { try self.apply(try Exchange.importNative(kind, named: name, self.store)) }
    }

    func remove(_ path: [UInt8]) throws(OthismoFailure) {
        try wrapping { try self.apply(try Exchange.removal(of: path, from: self.store)) }
    }

    func change(_ request: Document.Member) throws(OthismoFailure) {
        if exchange != nil {
            var answers: [Document] = []
            let envelope = Envelope(sendTo: Array("/othismo".utf8), payload: [request])
            _ = try send(envelope, for: 10_000_000_000) { answers.append($0) }
            if let error = OthismoFailure(answer: answers.first) { throw error }
            return
        }
        let refusal = try OthismoFailure.wrapping { () throws(ImageError) in
            try Exchange.change(store, request)
        }
        if let refusal { throw OthismoFailure(refusal) }
    }

    func send(
        _ envelope: Envelope?, for nanoseconds: Int64, _ print: (Document) -> Void
    ) throws(OthismoFailure) -> Int? {
        let end = ContinuousClock.now + .nanoseconds(nanoseconds)
        return try wrapping {
            let exchange = try self.opened()
            if var envelope {
                envelope.replyTo = Array("/".utf8)
                envelope.requestID = .integer(1)
                try exchange.post(envelope)
            }
            while !exchange.isIdle, .now < end {
                for output in try exchange.runBatch() {
                    if case .console(let document) = output { print(document) }
                }
            }
            return exchange.isIdle ? nil : exchange.waitingCount
        }
    }

    /// What objects print goes to standard error as it is, but to a terminal only what moves and hides
    /// nothing there.
    private static var output: ObjectOutput {
        guard Kernel.isTerminal(Kernel.standardError) else {
            return .descriptor(Kernel.standardError)
        }
        return .log(
            ObjectLog(isLimited: false) { line in
                writeAll(Array("\(line)\n".utf8), to: Kernel.standardError)
            })
    }

    private func apply(_ changes: ObjectChanges) throws {
        if let exchange {
            try exchange.apply(changes)
        } else {
            _ = try store.commit(changes)
        }
    }

    private func opened() throws -> Exchange {
        if let exchange { return exchange }
        var options = Exchange.Options()
        options.output = Self.output
        let opened = try Exchange(store, options: options)
        exchange = opened
        return opened
    }

    private func wrapping<Value>(_ body: () throws -> Value) throws(OthismoFailure) -> Value {
        do {
            return try body()
        } catch {
            throw OthismoFailure(error)
        }
    }
}
