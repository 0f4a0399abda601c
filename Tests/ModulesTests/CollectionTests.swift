import Glibc
import Synchronization
import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdStorage
import WasmdWasmiot

@testable import WasmdModules

/// Changes of one document by tasks of two loops: commits end in one order, and tasks continue in
/// another.
@Suite struct CollectionTests {
    /// Set by a task of another loop.
    private final class Flag: Sendable {
        private let value = Mutex(false)

        func set() { value.withLock { $0 = true } }

        /// Blocks the thread, and so its loop: none of its tasks continues meanwhile.
        func waitBlocking() {
            while !value.withLock({ $0 }) { usleep(1000) }
        }
    }

    /// Runs `body` on the first of two loops with a store.
    private static func open(
        _ body: @escaping @Sendable (RecordStore, EventLoop, EventLoop) async throws -> Void
    ) throws {
        let folder = ModulesHouse.newFolder()
        defer { removeFolder(folder) }
        let store = try RecordStore(folder: folder)
        defer { store.close() }
        let group = try LoopGroup(count: 2)
        let other = group.loops[1]
        try group.run { loop in try await body(store, loop, other) }
    }

    private static func documents(_ store: RecordStore) throws -> WasmdModules.Collection {
        try WasmdModules.Collection(store, "test", Room(bytes: 1 << 20))
    }

    private static func devices(_ store: RecordStore) throws -> Devices {
        try Devices(store, Room(bytes: 8 << 20), descriptionRoom: 8 << 20)
    }

    private static func key(_ id: ObjectID) -> [UInt8] { Array("wasmiot/test/".utf8) + id.bytes }

    private static let document = Document.object([.init("name", "d")])

    @Test func aDeletionStaysWhenTheChangeBeforeItContinuesLater() throws {
        try Self.open { store, loop, other in
            let documents = try Self.documents(store)
            let id = documents.newID()
            try await documents.put(id, Self.document, on: loop)
            let change = loop.spawn {
                try? await documents.update(id, on: loop) { document in
                    document.set("n", .integer(1))
                    return .none
                }
            }
            // The change waits for the disk.
            await loop.yieldToOthers()
            let isDeleted = Flag()
            let deletion = other.spawn {
                let count = try? await documents.delete([id])
                isDeleted.set()
                return count
            }
            isDeleted.waitBlocking()
            _ = await change.value
            let count = await deletion.value
            #expect(count == 1)
            #expect(store.version(Self.key(id)) == nil)
            #expect(documents[id] == nil && documents.count == 0)
            #expect(documents.ids(named: "d").isEmpty)
        }
    }

    /// The task that has deleted the document has not continued yet.
    @Test func aDocumentThatTheStoreHasNotIsGone() throws {
        try Self.open { store, loop, _ in
            let documents = try Self.documents(store)
            let (first, second) = (documents.newID(), documents.newID())
            for id in [first, second] {
                try await documents.put(id, Self.document, on: loop)
                var deletion = Transaction()
                deletion.delete(Self.key(id))
                try await store.commit(deletion)
            }
            let updated = try await documents.update(first, on: loop) { _ in .none }
            #expect(updated == nil)
            #expect(documents[first] == nil && documents.count == 1)
            let count = try await documents.delete([second])
            #expect(count == 0)
            #expect(documents[second] == nil && documents.count == 0)
        }
    }

    private static func register(_ devices: Devices, on loop: EventLoop) async throws -> ObjectID {
        let registration = DeviceRegistration(
            name: "d", host: nil, port: 9, addresses: ["127.0.0.1"])
        return try await devices.register(registration, on: loop).id
    }

    /// Longer than a record, so that a thread writes it before its document.
    private static let description = Document.object([
        .init("text", .string(String(repeating: "x", count: 100_000)))
    ])

    @Test func aDeviceThatIsRemovedDuringACheckStaysAway() throws {
        try Self.open { store, loop, other in
            let devices = try Self.devices(store)
            let id = try await Self.register(devices, on: loop)
            let check = loop.spawn {
                try? await devices.update(id, on: loop) { $0.description = Self.description }
            }
            await loop.yieldToOthers()
            let isDeleted = Flag()
            let deletion = other.spawn {
                let count = try? await devices.delete([id])
                isDeleted.set()
                return count
            }
            isDeleted.waitBlocking()
            _ = await check.value
            let count = await deletion.value
            #expect(count == 1)
            #expect(devices[id] == nil && devices.collection[id] == nil)
            // A start finds none either.
            #expect(try Self.devices(store).all().isEmpty)
        }
    }

    @Test func theLaterOfTwoChangesOfADeviceIsStored() throws {
        try Self.open { store, loop, other in
            let devices = try Self.devices(store)
            let id = try await Self.register(devices, on: loop)
            let first = loop.spawn {
                try? await devices.update(id, on: loop) { $0.description = Self.description }
            }
            await loop.yieldToOthers()
            let isChanged = Flag()
            let second = other.spawn {
                _ = try? await devices.update(id, on: other) { $0.isBlacklisted = true }
                isChanged.set()
            }
            isChanged.waitBlocking()
            _ = await first.value
            await second.value
            let stored = try Self.devices(store)[id]
            #expect(stored?.isBlacklisted == true)
            #expect(stored?.description == Self.description)
        }
    }
}
