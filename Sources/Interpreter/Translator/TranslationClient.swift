/// Who waits for a translation and may end it.
struct TranslationClient {
    /// The store whose guest called the function: its interruption and its deadline count.
    var store: Store?
    /// Of all translations of a module that is being made.
    var cancellation: Cancellation?

    /// Why a translation must end now.
    var stop: TrapCode? {
        if let cancellation, cancellation.isCancelled { return .interrupted }
        return store?.stopRequest()
    }
}
