import WasmdDocuments
import WasmdEventLoop
import WasmdStorage
import WasmdWasmiot

/// `core:Datalist`: a list of texts for each deployment, which the orchestrator itself keeps.
final class Datalist: Sendable {
    let entries: Collection
    /// Bytes of one text.
    static let entryLimit = 1 << 20
    static let countLimit = 10_000
    /// Bytes of a request that pushes: devices need no token for it.
    static let bodyLimit = entryLimit + (1 << 20)

    init(_ store: RecordStore, _ room: Room) throws {
        entries = try Collection(store, "datalist", room)
    }

    /// What its module's author would say about its functions.
    static var functions: NamedValues<FunctionDescription> {
        var functions = NamedValues<FunctionDescription>()
        functions["push"] = FunctionDescription(
            method: "put", parameters: [.init("param0", type: "integer")], output: "integer",
            mounts: [.init("id", stage: .deployment), .init("entry", stage: .execution)])
        functions["get"] = FunctionDescription(
            method: "get", parameters: [], output: "application/octet-stream",
            mounts: [.init("id", stage: .deployment), .init("entry", stage: .output)])
        functions["delete"] = FunctionDescription(
            method: "delete", parameters: [], output: "application/octet-stream",
            mounts: [.init("id", stage: .execution)])
        functions["_wasmiot_init"] = FunctionDescription(
            method: "post", parameters: [], output: "application/octet-stream",
            mounts: [.init("id", stage: .output)])
        return functions
    }

    /// Begins a new list: deploying again empties it.
    func begin(_ deployment: String) async throws {
        try await entries.delete(entries.ids(named: deployment))
    }

    func push(_ deployment: String, _ text: String, on loop: EventLoop) async throws {
        guard text.utf8.count <= Self.entryLimit else {
            throw Failure(
                .contentTooLarge, "the entry is too large",
                "an entry has at most \(Self.entryLimit) bytes")
        }
        guard entries.ids(named: deployment).count < Self.countLimit else {
            throw Failure(
                .conflict, "the list is full", "a list has at most \(Self.countLimit) entries")
        }
        try await entries.put(
            entries.newID(),
            .object([.init("name", .string(deployment)), .init("entry", .string(text))]),
            on: loop)
    }

    /// The texts of a list, one after the other.
    func history(_ deployment: String) -> () -> Document? {
        var ids = entries.ids(named: deployment)[...]
        return { [entries] in
            while let id = ids.popFirst() {
                if let text = entries[id]?.document["entry"] { return text }
            }
            return nil
        }
    }
}
