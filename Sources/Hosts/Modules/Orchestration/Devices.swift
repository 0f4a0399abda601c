import Synchronization
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdStorage
import WasmdWasmiot

/// All devices. Their state is in memory, and stored when something changes that is worth keeping.
final class Devices: Sendable {
    let collection: Collection
    private let state = Mutex<[ObjectID: Device]>([:])
    /// Devices that clients have removed since the start, the last ones.
    private let removed = Mutex<[Device]>([])
    private static let removedLimit = 1000

    init(_ store: RecordStore, _ room: Room) throws {
        collection = try Collection(store, "device", room)
        var devices: [ObjectID: Device] = [:]
        for entry in collection.all() { devices[entry.id] = Device(entry.id, entry.document) }
        let loaded = devices
        state.withLock { $0 = loaded }
    }

    /// In the order in which they came.
    func all() -> [Device] {
        state.withLock { Array($0.values) }
            .sorted { $0.id.bytes.lexicographicallyPrecedes($1.id.bytes) }
    }

    subscript(id: ObjectID) -> Device? { state.withLock { $0[id] } }

    func named(_ name: String) -> Device? {
        state.withLock { devices in
            devices.values.first { $0.name.utf8.elementsEqual(name.utf8) }
        }
    }

    /// A device by id, then by name.
    func find(_ text: String) -> Device? {
        if let id = ObjectID(text), let device = self[id] { return device }
        return named(text)
    }

    /// Whether an address is that of a device.
    func has(_ address: IPAddress) -> Bool {
        state.withLock { devices in
            devices.values.contains { device in
                !device.isOrchestrator
                    && device.addresses.contains {
                        IPAddress(Array(Orchestrator.bareAddress($0).utf8)[...]) == address
                    }
            }
        }
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
        let found = addresses
        let fresh = collection.newID()
        let (device, isChanged) = state.withLock { devices -> (Device, Bool) in
            if var known = devices.values.first(where: {
                $0.name.utf8.elementsEqual(registration.name.utf8)
            }) {
                // The address that worked stays the first.
                let first = known.addresses.first.flatMap { found.contains($0) ? $0 : nil }
                let ordered =
                    (first.map { [$0] } ?? []) + found.filter { $0 != first }
                let isChanged = known.addresses != ordered || known.port != registration.port
                known.addresses = ordered
                known.port = registration.port
                devices[known.id] = known
                return (known, isChanged)
            }
            let made = Device(
                id: fresh, name: registration.name, addresses: found, port: registration.port)
            devices[fresh] = made
            return (made, true)
        }
        if isChanged { try await collection.put(device.id, device.stored, on: loop) }
        return device
    }

    /// Adds a device, or replaces the one with its id.
    func put(_ device: Device, on loop: EventLoop) async throws {
        state.withLock { $0[device.id] = device }
        try await collection.put(device.id, device.stored, on: loop)
    }

    /// Changes a device in memory, and stores it if what is stored has changed.
    ///
    /// - Returns: the device as it is now; nil if it is gone.
    @discardableResult
    func update(
        _ id: ObjectID, on loop: EventLoop, _ change: @Sendable (inout Device) -> Void
    ) async throws -> Device? {
        let (device, isChanged) = state.withLock { devices -> (Device?, Bool) in
            guard var device = devices[id] else { return (nil, false) }
            let before = (
                device.status, device.description, device.addresses, device.isBlacklisted,
                device.port
            )
            change(&device)
            devices[id] = device
            let after = (
                device.status, device.description, device.addresses, device.isBlacklisted,
                device.port
            )
            return (device, before != after)
        }
        if isChanged, let device { try await collection.put(id, device.stored, on: loop) }
        return device
    }

    /// Removes devices; how many there were.
    ///
    /// - Parameter canReturn: whether `takeRemoved` has them.
    func delete(_ ids: [ObjectID], canReturn: Bool = false) async throws -> Int {
        let gone = state.withLock { devices in ids.compactMap { devices.removeValue(forKey: $0) } }
        if canReturn {
            removed.withLock { known in
                known.removeAll { device in gone.contains { $0.name == device.name } }
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
