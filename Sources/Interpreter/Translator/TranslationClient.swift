/// Who waits for a translation, may end it, and pays for it.
struct TranslationClient {
    /// The store whose guest called the function: its interruption, its deadline and its fuel count.
    var store: Store?
    /// Of all translations of a module that is being made.
    var cancellation: Cancellation?

    /// A body of at least so many bytes costs fuel, one unit for every KiB: smaller ones cost less
    /// than a few calls of the function.
    static let chargedBodySize = 64 << 10

    /// Why the translation of a body must end.
    ///
    /// - Parameters:
    ///   - byteCount: bytes that were translated since the last call.
    ///   - size: bytes of the whole body.
    func stop(after byteCount: Int, of size: Int) -> TrapCode? {
        if let cancellation, cancellation.isCancelled { return .interrupted }
        guard let store else { return nil }
        if let code = store.stopRequest() { return code }
        guard size >= Self.chargedBodySize else { return nil }
        return store.charge(UInt64(max(byteCount, 0) >> 10))
    }
}
