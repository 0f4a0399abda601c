import WasmInterpreter
import WasmdDocuments

/// What the host keeps of an instance beside its state: a custom section of its module at rest. An
/// instance whose module has none was not started.
struct GuestMark {
    static let section: Name = "wasmd.othismo"

    /// Requests whose guests chose their own number, which answers come back with.
    struct Pending {
        var request: Document
        var handle: Int64
    }

    /// The last handle that was given to a message.
    var lastHandle: Int64 = 0
    private(set) var pending: [Pending] = []

    /// Older requests are forgotten.
    private static let mostPending = 256

    init() {}

    /// Nil if the module has none, or it is not ours.
    init?(_ module: Module) {
        guard let bytes = module.customSection(Self.section),
            let document = try? BSON.read(bytes),
            let last = document["last_handle"]?.integerValue
        else { return nil }
        lastHandle = max(last, 0)
        for entry in document["pending"]?.arrayValue ?? [] {
            guard let request = entry["request"], let handle = entry["handle"]?.integerValue
            else { continue }
            note(request, handle)
        }
    }

    /// A handle for a message: positive, and as an i32.
    mutating func nextHandle() -> Int64 {
        lastHandle = lastHandle >= Int64(Int32.max) ? 1 : lastHandle + 1
        return lastHandle
    }

    mutating func note(_ request: Document, _ handle: Int64) {
        if pending.count >= Self.mostPending { pending.removeFirst() }
        pending.append(Pending(request: request, handle: handle))
    }

    /// The handle of the request that a response answers; 0 for none.
    mutating func take(_ response: Document?) -> Int64 {
        guard let response else { return 0 }
        if let index = pending.lastIndex(where: { isSameIdentifier($0.request, response) }) {
            return pending.remove(at: index).handle
        }
        guard let number = response.integerValue, number > 0, number <= lastHandle else { return 0 }
        return number
    }

    var content: [UInt8] {
        let document = Document.object([
            Document.Member("last_handle", .integer(lastHandle)),
            Document.Member(
                "pending",
                .array(
                    pending.map {
                        .object([
                            Document.Member("request", $0.request),
                            Document.Member("handle", .integer($0.handle)),
                        ])
                    })),
        ])
        return (try? BSON.write(document)) ?? []
    }
}
