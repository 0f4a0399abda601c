import Testing
import WasmDecoder
import WasmInterpreter
import WasmText
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// An exchange in memory, with counters of the three generations.
final class House {
    let store = MemoryStore()
    let engine = Engine()
    private(set) var exchange: Exchange
    var options = Exchange.Options()
    private var requests: Int64 = 0

    static let guests = "\(#filePath)".split(separator: "/").dropLast().map { "/\($0)" }.joined()

    static func guest(_ name: String) throws -> [UInt8] {
        let file = try ModuleBytes(path: "\(guests)/Guests/\(name).wasm")
        return file[file.range]
    }

    init(_ change: (inout Exchange.Options) -> Void = { _ in }) throws {
        // It includes decoding and linking the guest, which is slow without optimisation.
        options.deliveryTimeout = .seconds(20)
        change(&options)
        for generation in 1...3 {
            let bytes = try Self.guest("counter\(generation)")
            var changes = ObjectChanges()
            changes.objects.append(
                .init(
                    path: Array("counter\(generation)".utf8), kind: .module,
                    source: .bytes(try ImportedModule.rewritten(bytes, engine: engine))))
            _ = try store.commit(changes)
        }
        exchange = try Exchange(store, engine: engine, options: options)
    }

    func add(_ text: String, _ path: String) throws {
        var changes = ObjectChanges()
        changes.objects.append(
            .init(
                path: Array(path.utf8), kind: .module,
                source: .bytes(try parseModule(Array("(module \(text))".utf8)))))
        _ = try store.commit(changes)
    }

    /// As after a restart of the process.
    func restart() throws {
        exchange = try Exchange(store, engine: engine, options: options)
    }

    /// Sends a message that asks for an answer, and returns what arrives at the console.
    @discardableResult
    func send(_ path: String, _ key: String, _ fields: [Document.Member] = []) throws -> [Document]
    {
        try post(path, key, fields)
        return try drain()
    }

    /// The same, again while the delivery takes longer than its limit, which a slow machine may for a
    /// guest that does little. A limit that ends it earlier is an answer.
    func sendPatiently(_ path: String, _ key: String) throws -> [Document] {
        var answers: [Document] = []
        for _ in 0..<50 {
            let start = ContinuousClock.now
            answers = try send(path, key)
            let isSlow = ContinuousClock.now - start >= options.deliveryTimeout
            guard isSlow, answers.first?.errorCode == "timeout" else { break }
        }
        return answers
    }

    func post(
        _ path: String, _ key: String, _ fields: [Document.Member] = [], for request: Int64? = nil
    ) throws {
        requests += 1
        var envelope = Envelope(
            sendTo: Array(path.utf8), payload: [Document.Member(key, .object(fields))])
        envelope.replyTo = Array("/".utf8)
        envelope.requestID = .integer(requests)
        try exchange.post(envelope, for: request)
    }

    func drain(_ batches: Int = 100) throws -> [Document] {
        var documents: [Document] = []
        for _ in 0..<batches where !exchange.isIdle {
            for output in try exchange.runBatch() {
                if case .console(let document) = output { documents.append(document) }
            }
        }
        return documents
    }

    func instantiate(_ module: String, _ name: String) throws {
        let answers = try send(
            "/othismo", "othismo.namespace.instantiate",
            [Document.Member("module", .string(module)), Document.Member("name", .string(name))])
        try #require(answers.count == 1)
        try #require(answers[0]["othismo.error"] == nil, "\(answers[0])")
    }

    /// The value that a counter says.
    func value(_ documents: [Document], at index: Int = 0) -> Int64? {
        guard documents.indices.contains(index) else { return nil }
        return documents[index]["counter.value"]?["value"]?.integerValue
    }
}

extension Document {
    var errorCode: String? { self["othismo.error"]?["code"]?.stringValue }
}
