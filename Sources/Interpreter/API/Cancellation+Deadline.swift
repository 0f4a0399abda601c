import WasmDecoder

extension Cancellation {
    /// Cancels work that is not finished at this time.
    public static func after(_ deadline: ContinuousClock.Instant) -> Cancellation {
        Cancellation { .now >= deadline }
    }
}
