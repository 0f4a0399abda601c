import WasmInterpreter
import WasmdEventLoop
import WasmdStorage

/// The numbers that functions of `wasmd:kv` and `wasmd:config` return; 0 if all went well.
public enum GuestStoreError: UInt32, Error, Sendable, CaseIterable {
    case notFound = 1
    /// The count was written; nothing else.
    case bufferTooSmall = 2
    /// The service may not use a store of this name.
    case notAllowed = 3
    /// An argument is not in memory, or a key or value has too few or too many bytes.
    case invalid = 4
    /// The store has as many keys, or bytes, as it may have.
    case full = 5
    /// The disk refuses: see the messages of the server.
    case storage = 6
}

/// What a service keeps over restarts, and what it is told: the state behind the functions of
/// `wasmd:kv` and `wasmd:config`.
///
/// A store is known by its name, which the service's configuration has to have; services that name
/// the same store share it. Written values are on the disk before the function returns.
public final class GuestStores: Sendable {
    /// Of the state in the guest's store.
    public static let key = HostKey<GuestStores>()

    /// What a store may have when something is added.
    public struct Limits: Sendable {
        public var keys = 100_000
        /// Bytes of keys and values.
        public var bytes = 256 << 20

        public init() {}
    }

    /// Bytes of a key, and of a value.
    public static let keySize = 512
    public static let valueSize = 65_000

    private let names: Set<String>
    private let values: [String: [UInt8]]
    private let limits: Limits
    private let usages: StoreUsages
    private let store: RecordStore?
    let loop: EventLoop

    /// - Parameters:
    ///   - names: the stores that the guest may use.
    ///   - values: of `wasmd:config`.
    ///   - limits: of each store.
    ///   - usages: what the stores have, shared by all guests.
    ///   - store: where records are; nil for no stores.
    ///   - loop: on which the guest waits for the disk.
    public init(
        _ names: [String], values: [String: [UInt8]] = [:], _ limits: Limits = Limits(),
        _ usages: StoreUsages = StoreUsages(), in store: RecordStore?, on loop: EventLoop
    ) {
        self.names = Set(names)
        self.values = values
        self.limits = limits
        self.usages = usages
        self.store = store
        self.loop = loop
    }

    /// Whether a name of a store is one: 1 to 64 letters, digits, `-`, `_` and `.`.
    public static func isName(_ name: String) -> Bool {
        1...64 ~= name.utf8.count
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
                default: false
                }
            }
    }

    func value(_ name: [UInt8]) throws(GuestStoreError) -> [UInt8] {
        guard let value = values[String(decoding: name, as: UTF8.self)] else { throw .notFound }
        return value
    }

    /// `service/kv/NAME` NUL
    private func prefix(
        _ name: [UInt8]
    ) throws(GuestStoreError) -> (RecordStore, [UInt8]) {
        guard let store, names.contains(String(decoding: name, as: UTF8.self)) else {
            throw .notAllowed
        }
        return (store, Array("service/kv/".utf8) + name + [0])
    }

    private static func check(_ key: [UInt8]) throws(GuestStoreError) {
        guard 1...keySize ~= key.count else { throw .invalid }
    }

    func get(_ name: [UInt8], _ key: [UInt8]) throws(GuestStoreError) -> PendingWork<[UInt8]?> {
        let (store, prefix) = try prefix(name)
        try Self.check(key)
        let loop = loop
        return PendingWork(on: loop) { try await store.get(prefix + key, on: loop)?.value }
    }

    func set(
        _ name: [UInt8], _ key: [UInt8], _ value: [UInt8]
    ) throws(GuestStoreError) -> PendingWork<[UInt8]?> {
        let (store, prefix) = try prefix(name)
        try Self.check(key)
        guard value.count <= Self.valueSize else { throw .invalid }
        guard
            usages.admits(
                value.count, for: prefix + key, of: prefix, limits, in: store.snapshot())
        else { throw .full }
        var transaction = Transaction()
        transaction.put(prefix + key, value)
        return commit(transaction, store)
    }

    func delete(
        _ name: [UInt8], _ key: [UInt8]
    ) throws(GuestStoreError) -> PendingWork<[UInt8]?> {
        let (store, prefix) = try prefix(name)
        try Self.check(key)
        guard store.version(prefix + key) != nil else { throw .notFound }
        usages.removes(prefix + key, of: prefix, in: store.snapshot())
        var transaction = Transaction()
        transaction.delete(prefix + key)
        return commit(transaction, store)
    }

    private func commit(
        _ transaction: Transaction, _ store: RecordStore
    ) -> PendingWork<[UInt8]?> {
        PendingWork(on: loop) {
            try await store.commit(transaction)
            return []
        }
    }

    /// The first key above another one.
    func next(_ name: [UInt8], after key: [UInt8]) throws(GuestStoreError) -> [UInt8] {
        let (store, prefix) = try prefix(name)
        let after = key.isEmpty ? nil : prefix + key
        guard let found = store.snapshot().keys(prefix: prefix, after: after, limit: 1).first else {
            throw .notFound
        }
        return Array(found.key.dropFirst(prefix.count))
    }
}
