/// The caller that waits for a translation and may end it.
struct TranslationClient {
    /// The store whose guest called the function: its interruption and deadline end the
    /// translation.
    var store: Store?
    /// Ends all translations while a module is made.
    var cancellation: Cancellation?

    /// Why a translation must end now.
    var stop: TrapCode? {
        if let cancellation, cancellation.isCancelled { return .interrupted }
        return store?.stopRequest()
    }
}
