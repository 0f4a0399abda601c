import Synchronization
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdStorage
import WasmdWasmiot

/// All devices. Their state is in memory, and stored when something changes that is worth keeping.
///
/// Anybody in the local network may be a device: their number is bounded, and what they say about
/// themselves.
final class Devices: Sendable {
    let collection: Collection
    private let state: Mutex<State>
    /// Devices that clients have removed since the start, the last ones.
    private let removed = Mutex<[Device]>([])
    private static let removedLimit = 1000

    /// Devices at most.
    static let limit = 2048
    /// Bytes of a description in memory.
    static let descriptionLimit = 1 << 20

    private struct State {
        var devices: [ObjectID: Device] = [:]
        /// Of all descriptions.
        var descriptionBytes = 0
        let descriptionRoom: Int
        /// The addresses of all devices but the orchestrator; nil if they have changed.
        var addresses: Set<IPAddress>?

        /// Whether there is a place for a device.
        func admits(_ id: ObjectID) -> Bool { devices[id] != nil || devices.count < Devices.limit }

        /// Puts a device in its place; a description that has no room is replaced by the reason.
        mutating func put(_ device: Device) -> Device {
            var device = device
            let before = devices[device.id]?.descriptionSize ?? 0
            let size = device.descriptionSize
            let isTooLarge =
                size > Devices.descriptionLimit
                || size > descriptionRoom - (descriptionBytes - before)
            if size > before, isTooLarge {
                let reason =
                    "the description takes \(size) bytes in memory: one may take "
                    + "\(Devices.descriptionLimit), and all together \(descriptionRoom)"
                device.description = .object([.init("error", .string(reason))])
            }
            descriptionBytes += device.descriptionSize - before
            if devices[device.id]?.addresses != device.addresses { addresses = nil }
            devices[device.id] = device
            return device
        }

        mutating func remove(_ id: ObjectID) -> Device? {
            let device = devices.removeValue(forKey: id)
            descriptionBytes -= device?.descriptionSize ?? 0
            addresses = nil
            return device
        }

        mutating func has(_ address: IPAddress) -> Bool {
            if let addresses { return addresses.contains(address) }
            var found: Set<IPAddress> = []
            for device in devices.values where !device.isOrchestrator {
                for text in device.addresses {
                    let bare = Array(Orchestrator.bareAddress(text).utf8)
                    if let known = IPAddress(bare[...]) { found.insert(known) }
                }
            }
            addresses = found
            return found.contains(address)
        }
    }

    /// - Parameters:
    ///   - room: of what is stored of all devices.
    ///   - descriptionRoom: bytes of all descriptions in memory.
    init(_ store: RecordStore, _ room: Room, descriptionRoom: Int) throws {
        collection = try Collection(store, "device", room)
        var loaded = State(descriptionRoom: descriptionRoom)
        for entry in collection.all() {
            if let device = Device(entry.id, entry.document) { _ = loaded.put(device) }
        }
        state = Mutex(loaded)
    }

    /// In the order in which they came.
    func all() -> [Device] {
        state.withLock { Array($0.devices.values) }
            .sorted { $0.id.bytes.lexicographicallyPrecedes($1.id.bytes) }
    }

    subscript(id: ObjectID) -> Device? { state.withLock { $0.devices[id] } }

    func named(_ name: String) -> Device? {
        state.withLock { state in
            state.devices.values.first { $0.name.utf8.elementsEqual(name.utf8) }
        }
    }

    /// A device by id, then by name.
    func find(_ text: String) -> Device? {
        if let id = ObjectID(text), let device = self[id] { return device }
        return named(text)
    }

    /// Whether an address is that of a device.
    func has(_ address: IPAddress) -> Bool {
        state.withLock { $0.has(address) }
    }

    /// Adds a device, or tells a known one's new addresses: a device is its name.
    func register(
        _ registration: DeviceRegistration, on loop: EventLoop
    ) async throws -> Device {
        var addresses = registration.addresses
        if let more = registration.properties["address"]?.stringValue, !addresses.contains(more) {
            addresses.append(more)
        }
        if addresses.isEmpty, let host = registration.host { addresses.append(host) }
        let found = Array(
            addresses.filter { $0.utf8.count <= DeviceRegistration.textLimit }
                .prefix(DeviceRegistration.addressLimit))
        let fresh = collection.newID()
        let registered = state.withLock { state -> (device: Device, isChanged: Bool)? in
            if var known = state.devices.values.first(where: {
                $0.name.utf8.elementsEqual(registration.name.utf8)
            }) {
                // The address that worked stays the first.
                let first = known.addresses.first.flatMap { found.contains($0) ? $0 : nil }
                let ordered =
                    (first.map { [$0] } ?? []) + found.filter { $0 != first }
                let isChanged = known.addresses != ordered || known.port != registration.port
                known.addresses = ordered
                known.port = registration.port
                return (state.put(known), isChanged)
            }
            guard state.admits(fresh) || registration.name == Device.orchestrator else {
                return nil
            }
            let made = Device(
                id: fresh, name: registration.name, addresses: found, port: registration.port)
            return (state.put(made), true)
        }
        guard let (device, isChanged) = registered else { throw Self.tooMany }
        if isChanged { try await save(device.id, on: loop) }
        return device
    }

    /// Stores a device as it is in memory when it is written: of two changes the later one stays,
    /// and one that is removed meanwhile does not come back.
    private func save(_ id: ObjectID, on loop: EventLoop) async throws {
        try await collection.save(id, on: loop) { self[id]?.stored }
        // Removed before it was stored for the first time: there was nothing to delete yet.
        if self[id] == nil { try await collection.delete([id]) }
    }

    private static var tooMany: Failure {
        Failure(
            .insufficientStorage, "too many devices",
            "there are \(limit) devices, the limit: delete some")
    }

    /// Checks that there is a place for devices, beside those that are there or in their place.
    func check(_ ids: [ObjectID], clearing: Bool) throws {
        let known = clearing ? [] : all().map(\.id)
        let count = Set(known).union(ids).count
        guard count <= Self.limit else { throw Self.tooMany }
    }

    /// Adds a device, or replaces the one with its id.
    func put(_ device: Device, on loop: EventLoop) async throws {
        let isAdmitted = state.withLock { state -> Bool in
            guard state.admits(device.id) else { return false }
            _ = state.put(device)
            return true
        }
        guard isAdmitted else { throw Self.tooMany }
        try await save(device.id, on: loop)
    }

    /// Changes a device in memory, and stores it if what is stored has changed.
    ///
    /// - Returns: the device as it is now; nil if it is gone.
    @discardableResult
    func update(
        _ id: ObjectID, on loop: EventLoop, _ change: @Sendable (inout Device) -> Void
    ) async throws -> Device? {
        let (device, isChanged) = state.withLock { state -> (Device?, Bool) in
            guard var device = state.devices[id] else { return (nil, false) }
            let before = (
                device.status, device.description, device.addresses, device.isBlacklisted,
                device.port
            )
            change(&device)
            device = state.put(device)
            let after = (
                device.status, device.description, device.addresses, device.isBlacklisted,
                device.port
            )
            return (device, before != after)
        }
        if isChanged { try await save(id, on: loop) }
        return device
    }

    /// Removes devices; how many there were.
    ///
    /// - Parameter canReturn: whether `takeRemoved` has them.
    func delete(_ ids: [ObjectID], canReturn: Bool = false) async throws -> Int {
        var gone: [Device] = []
        for id in ids {
            guard let device = state.withLock({ $0.remove(id) }) else { continue }
            // What it takes to ask for it again.
            gone.append(
                Device(
                    id: id, name: device.name, addresses: device.addresses, port: device.port))
        }
        if canReturn {
            removed.withLock { known in
                let names = Set(gone.map { NameKey($0.name) })
                known.removeAll { names.contains(NameKey($0.name)) }
                known += gone
                known.removeFirst(max(known.count - Self.removedLimit, 0))
            }
        }
        return try await collection.delete(ids)
    }

    /// The devices that clients have removed and that have not come back by themselves, once.
    func takeRemoved() -> [Device] {
        let taken = removed.withLock { known in
            defer { known = [] }
            return known
        }
        return taken.filter { named($0.name) == nil }
    }
}
