/// Whether long work is to end early: asked again and again while a module is decoded,
/// validated and, if that is configured, translated.
///
///     let module = try Module(bytes, engine: engine, cancellation: .after(.now + .seconds(2)))
public struct Cancellation: Sendable {
    private let body: @Sendable () -> Bool

    /// - Parameter isCancelled: true ends the work. Called about every tenth of a millisecond, by
    ///   several threads at the same time, and should take less than a microsecond.
    public init(_ isCancelled: @escaping @Sendable () -> Bool) { body = isCancelled }

    /// Whether to end now.
    public var isCancelled: Bool { body() }
}
