import Synchronization
import WasmdDiscovery
import WasmdEventLoop
import WasmdWasmiot

/// Devices that are found in the local network: those that come are asked who they are, as if they
/// had registered; those that go are checked at once.
///
/// A device that is not known and does not answer is forgotten, so that anybody on the network
/// cannot fill the store with names. On the loop's thread only.
public final class DiscoveredDevices: Sendable {
    private let orchestrator: Orchestrator
    private let state = Mutex(State())

    private struct State {
        /// What is to be done, the newest event for each name.
        var waiting: [(name: String, registration: DeviceRegistration?)] = []
        var running = 0
        /// The name under which the orchestrator itself is in the network.
        var own = Device.orchestrator
    }

    /// Devices that are asked at the same time.
    private static let limit = 32
    private static let waitingLimit = 2048

    public init(_ orchestrator: Orchestrator) { self.orchestrator = orchestrator }

    /// Advertises the orchestrator, and begins to look for devices, until the discovery is closed.
    ///
    /// - Parameter report: is told why the orchestrator cannot be advertised.
    public func begin(
        _ discovery: LocalDiscovery, service: AdvertisedService?,
        report: (DiscoveryError) -> Void = { _ in }
    ) {
        if let service {
            do throws(DiscoveryError) {
                _ = try discovery.advertise(service) { [self] name in
                    state.withLock { $0.own = String(decoding: name, as: UTF8.self) }
                }
            } catch {
                report(error)
            }
        }
        guard let type = ServiceType.webthing else { return }
        let loop = discovery.loop
        let search = Search(discovery.browse(type) { [self] event in take(event, on: loop) })
        // What is known in the network may have been removed from the devices: it is new again.
        orchestrator.setReset {
            loop.spawn { [self] in
                search.browser.refresh()
                for service in search.browser.services { take(.added(service), on: loop) }
            }
        }
    }

    /// The search for devices.
    @safe private final class Search: @unchecked Sendable {
        // Soundness: used on the loop of its discovery only.
        let browser: Browser

        init(_ browser: Browser) { self.browser = browser }
    }

    func take(_ event: DiscoveryEvent, on loop: EventLoop) {
        let (service, isGone): (DiscoveredService, Bool) =
            switch event {
            case .added(let service), .changed(let service): (service, false)
            case .removed(let service): (service, true)
            }
        guard let registration = DeviceRegistration(service) else { return }
        let starts = state.withLock { state -> Bool in
            // The orchestrator is a device of its own kind already.
            let name = registration.name
            if name == state.own || name == Device.orchestrator { return false }
            state.waiting.removeAll { $0.name == name }
            guard state.waiting.count < Self.waitingLimit else { return false }
            state.waiting.append((name, isGone ? nil : registration))
            guard state.running < Self.limit else { return false }
            state.running += 1
            return true
        }
        guard starts else { return }
        loop.spawn { [self] in await work(on: loop) }
    }

    private func work(on loop: EventLoop) async {
        while true {
            let next = state.withLock {
                state -> (name: String, registration: DeviceRegistration?)? in
                if state.waiting.isEmpty || Task.isCancelled {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            guard let next else { return }
            if let registration = next.registration {
                await orchestrator.found(registration, on: loop)
            } else if let device = orchestrator.devices.named(next.name) {
                await orchestrator.introduce(device, on: loop)
            }
        }
    }
}

extension Orchestrator {
    /// Takes a device that was found in the network.
    func found(_ registration: DeviceRegistration, on loop: EventLoop) async {
        let isKnown = devices.named(registration.name) != nil
        guard let device = try? await devices.register(registration, on: loop) else { return }
        await introduce(device, on: loop)
        guard !isKnown, let asked = devices[device.id], asked.description == nil else { return }
        _ = try? await devices.delete([device.id])
    }
}
