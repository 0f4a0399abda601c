import Synchronization

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
    /// From 0 on, in the order of making: an index for observers.
    public let number: Int

    private static let count = Atomic(0)

    public init(_ surface: StaticString, _ route: String, needs scope: Scopes?) {
        self.surface = surface
        self.route = route
        self.scope = scope
        number = Self.count.add(1, ordering: .relaxed).oldValue
    }

    /// Requests for paths that no surface of a listener owns.
    static let unknown = Purpose("none", "(unknown)", needs: nil)
}
