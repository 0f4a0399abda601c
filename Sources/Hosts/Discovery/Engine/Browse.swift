import WasmdEventLoop

/// A search for services of a type.
final class Browse {
    let type: ServiceType
    let onEvent: (DiscoveryEvent) -> Void
    /// What was reported, by the full name.
    var reported: [DomainName: DiscoveredService] = [:]

    init(_ type: ServiceType, _ onEvent: @escaping (DiscoveryEvent) -> Void) {
        self.type = type
        self.onEvent = onEvent
    }
}
