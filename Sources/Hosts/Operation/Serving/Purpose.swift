import Synchronization

/// Whether tokens of tenants may be used for something.
///
/// Each purpose states it, so that what is new and forgets tenants cannot show one the other's things.
public enum TenantAccess: Sendable {
    /// They may not: there is no telling here whose something is.
    case refused
    /// They may: a tenant sees and changes only what it owns, or what is seen without any token.
    case admitted
}

/// What a request is for: the route that metrics and logs name it by, and the scope that it needs.
///
/// A surface makes its purposes once and returns one of them for each request, so that nothing is
/// allocated, and observers can keep what belongs to a purpose in an array.
public final class Purpose: Sendable {
    /// As the surface is named in metrics: `executor`.
    public let surface: StaticString
    /// The pattern of the path, never the path itself: `/wasm/{id}`.
    public let route: String
    /// What the bearer of a token must be allowed to do; nil for what everybody may.
    public let scope: Scopes?
    /// Whether the bearer may belong to a tenant.
    public let tenants: TenantAccess
    /// From 0 on, in the order of making: an index for observers.
    public let number: Int

    private static let count = Atomic(0)

    public init(
        _ surface: StaticString, _ route: String, needs scope: Scopes?, tenants: TenantAccess
    ) {
        self.surface = surface
        self.route = route
        self.scope = scope
        self.tenants = tenants
        number = Self.count.add(1, ordering: .relaxed).oldValue
    }

    /// Requests for paths that no surface of a listener owns.
    static let unknown = Purpose("none", "(unknown)", needs: nil, tenants: .admitted)
}
